/** SET_TEMP_MEMORY_LIMIT of the mock driver: how little memory is worked with at a time (TST-06). */
import { judge, rule } from "../judge";
import { fdIsOpen, type OnIommufd } from "./common";

interface View extends OnIommufd {
  readonly limit: number;
}

/** Room for one page and how often it follows itself. */
const LIMIT_MIN = 12;

export const SET_TEMP_MEMORY_LIMIT = judge<"SET_TEMP_MEMORY_LIMIT", View>("SET_TEMP_MEMORY_LIMIT", {
  promise: "TST-06",
  view: (machine, { fd, in: { limit } }) => ({ machine, context: machine.fds.get(fd), limit }),
  rules: [fdIsOpen(), rule("TST-06", "EINVAL", (v) => v.limit < LIMIT_MIN)],
  facts: [],
  effect: (v) => {
    v.machine.memoryLimit = v.limit;
  },
});
