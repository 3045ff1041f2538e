/** Section C: what is accounted for pins. */
import { type Finding, HELD } from "./finding";
import type { Invariant } from "./invariant";
import type { Status } from "./ledger/process";

type StatusOut = { readonly VmPin_pages?: number; readonly VmLck_pages?: number } | undefined;

export const sameStatus = ({ pin, lck }: Status, out: StatusOut, when: string): Finding => {
  if (out?.VmPin_pages === pin && out.VmLck_pages === lck) return HELD;
  return {
    expected: `VmPin ${pin} and VmLck ${lck} pages, as before ${when}`,
    actual: `VmPin ${out?.VmPin_pages} and VmLck ${out?.VmLck_pages}`,
  };
};

export const I_31: Invariant = {
  id: "I-31",
  statement: "As many pages are pinned for a process as its mappings need, once for each MAP.",
  needs: ["proc-status"],
  clauses: ["PIN-01", "PIN-02"],
  general: true,
  on: {
    PROC_STATUS: (_call, { errno, out }, ledger) => {
      const { idle } = ledger.process;
      const pinned = ledger.pinnedBy(ledger.process)?.pages;
      if (errno !== 0 || idle === undefined || pinned === undefined) return undefined;
      if (out?.VmPin_pages === idle.pin + pinned) return pinned > 0 ? HELD : undefined;
      return { expected: `VmPin ${idle.pin + pinned} pages`, actual: `${out?.VmPin_pages}` };
    },
  },
};

export const I_36: Invariant = {
  id: "I-36",
  statement: "A process without CAP_IPC_LOCK never has more pages pinned than RLIMIT_MEMLOCK.",
  needs: ["proc-status", "memlimit", "privilege"],
  clauses: ["ACT-03"],
  on: {
    PROC_STATUS: (_call, { errno, out }, { process, byProcess }) => {
      const { limit, lockFree, limitIsVague, idle } = process;
      if (errno !== 0 || limit === undefined) return undefined;
      if (lockFree || limitIsVague || byProcess) return undefined;
      const pinned = (out?.VmPin_pages ?? 0) - (idle?.pin ?? 0);
      if (pinned <= limit) return pinned > 0 ? HELD : undefined;
      return { expected: `at most ${limit} pages pinned`, actual: `${pinned}` };
    },
  },
};

export const I_37: Invariant = {
  id: "I-37",
  statement:
    "Pinned pages count the same whether one MAP or many made them, and in whatever order they " +
    "came.",
  needs: ["proc-status"],
  clauses: ["ACT-02", "ACT-04"],
  on: {
    PROC_STATUS: (_call, { errno, out }, ledger) => {
      const { process } = ledger;
      const pinned = errno === 0 ? ledger.pinnedBy(process) : undefined;
      if (pinned === undefined || pinned.pages === 0) return undefined;
      const before = process.byPages.get(pinned.pages);
      if (before?.pinned === undefined || before.pinned.maps === pinned.maps) return undefined;
      if (pinned.locked === undefined || before.pinned.locked !== pinned.locked) return undefined;
      return sameStatus(before, out, `with ${pinned.pages} pages of ${before.pinned.maps} MAPs`);
    },
  },
};

export const I_40: Invariant = {
  id: "I-40",
  statement:
    "Pins are charged to the locked memory of the process that mapped if they count by process, " +
    "and else to that of none: those of a process with CAP_IPC_LOCK never are.",
  needs: ["proc-status"],
  clauses: ["ACT-01", "ACT-03"],
  on: {
    PROC_STATUS: (_call, { errno, out }, ledger) => {
      const { first, idle, lockFree } = ledger.process;
      if (errno !== 0 || first === undefined) return undefined;
      if (lockFree) return locked(first.lck, out?.VmLck_pages, ", as ever");
      const pages = ledger.pinnedBy(ledger.process)?.locked;
      if (pages === undefined || idle === undefined) return undefined;
      return locked(idle.lck + pages, out?.VmLck_pages, `, ${pages} of them pinned`);
    },
  },
};

const locked = (right: number, answered: number | undefined, why: string): Finding =>
  answered === right ? HELD : { expected: `VmLck ${right} pages${why}`, actual: `${answered}` };
