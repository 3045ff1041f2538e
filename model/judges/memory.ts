/** CPU access to user memory: MEM_WRITE and MEM_READ. */
import { fact, judge, never, rule } from "../judge";
import type { MachineState } from "../state/machine";
import type { ProcessState } from "../state/memory";
import {
  agreesWith,
  type Contents,
  learnBytes,
  loadBytes,
  reachOf,
  storeBytes,
  type UserRange,
} from "../user-bytes";

interface View extends UserRange {
  /** How many bytes can be accessed before the first that cannot. */
  readonly reach: number;
  /** What is stored. */
  readonly bytes: Uint8Array;
  /** What is loaded; worked out at most once. */
  loaded: Contents | undefined;
}

const NO_BYTES = new Uint8Array(0);

const viewOf = (
  machine: MachineState,
  process: ProcessState | undefined,
  va: bigint,
  length: number,
  stored: Uint8Array | undefined,
): View => {
  const reach = reachOf({ machine, process, va, length }, stored !== undefined);
  return { machine, process, va, length, reach, bytes: stored ?? NO_BYTES, loaded: undefined };
};

const faults = rule<View>("GEN-23", "EFAULT", (v) => v.reach < v.length, {
  applies: never,
  hard: true,
});

export const MEM_WRITE = judge<"MEM_WRITE", View>("MEM_WRITE", {
  promise: "GEN-23",
  view: (machine, call) => {
    const bytes = Buffer.from(call.in.bytes, "hex");
    return viewOf(machine, machine.processes[call.proc], call.in.va, bytes.length, bytes);
  },
  rules: [faults],
  facts: [],
  effect: (v) => storeBytes(v, v.bytes),
  // The bytes before the fault are stored.
  failure: (v) => storeBytes({ ...v, length: v.reach }, v.bytes),
});

const load = (v: View): Contents => {
  v.loaded ??= loadBytes(v);
  return v.loaded;
};

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

export const MEM_READ = judge<"MEM_READ", View>("MEM_READ", {
  promise: "GEN-23",
  view: (machine, call) =>
    viewOf(machine, machine.processes[call.proc], call.in.va, call.in.length, undefined),
  rules: [faults],
  facts: [
    // Bytes come from the CPU's stores and from DMA; the latter is what can go wrong here.
    fact("MAP-23", {
      holds: (v, out) => agreesWith(load(v), Buffer.from(out.bytes ?? "", "hex")),
      right: (v) => `bytes ${toHex(load(v).bytes)}`,
      uncounted: true,
    }),
  ],
  answer: (v) => ({ bytes: toHex(load(v).bytes) }),
  effect: (v, out) => {
    const answered = Buffer.from(out.bytes ?? "", "hex");
    if (load(v).open.includes(1) && answered.length === v.length) learnBytes(v, answered);
  },
});
