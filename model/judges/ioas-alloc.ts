/** IOMMU_IOAS_ALLOC: a new, empty address space. */
import { fact, judge, rule } from "../judge";
import { addIoas } from "../lifetime";
import { fdIsOpen, lowestFreeId, newIdFacts, type OnIommufd } from "./common";

interface View extends OnIommufd {
  readonly flags: number;
}

const holdsIoas = (v: View): boolean => {
  for (const object of v.context?.objects.values() ?? []) if (object.type === "ioas") return true;
  return false;
};

export const IOAS_ALLOC = judge<"IOAS_ALLOC", View>("IOAS_ALLOC", {
  promise: "IAL-02",
  promises: (v) => (holdsIoas(v) ? "IAL-05" : undefined),
  view: (machine, call) => ({
    machine,
    context: machine.fds.get(call.fd),
    flags: call.in.flags,
  }),
  rules: [fdIsOpen(), rule("IAL-01", "EOPNOTSUPP", (v) => v.flags !== 0)],
  facts: [
    ...newIdFacts<View, { readonly out_ioas_id?: number }>((out) => out.out_ioas_id),
    fact("IAL-05", { when: holdsIoas }),
  ],
  answer: (v) => ({ out_ioas_id: v.context === undefined ? 0 : lowestFreeId(v.context) }),
  effect: (v, out) => {
    if (v.context !== undefined) addIoas(v.context, out.out_ioas_id ?? 0);
  },
});
