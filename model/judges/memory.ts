/**
 * CPU access to user memory: MEM_WRITE and MEM_READ. The bytes are those of the pages that are
 * now at the address, which DMA writes too. Where nobody knows a byte, because a blocked DMA left
 * it open, any answer is right and tells what it is.
 */
import { fact, judge, never, rule } from "../judge";
import { touch } from "../pinning";
import type { MachineState } from "../state/machine";
import {
  type ProcessState,
  pageIn,
  pageNumber,
  readBytes,
  type Vma,
  vmaAt,
  writeBytes,
} from "../state/memory";

interface View {
  readonly machine: MachineState;
  readonly process: ProcessState | undefined;
  readonly va: bigint;
  readonly length: number;
  /** How many bytes can be accessed before the first that cannot. */
  readonly reach: number;
  /** What is stored. */
  readonly bytes: Uint8Array;
  /** What is loaded, and 1 for each byte that nobody knows; worked out at most once. */
  loaded: { readonly bytes: Uint8Array; readonly open: Uint8Array } | undefined;
}

const NO_BYTES = new Uint8Array(0);

const permits = (vma: Vma | undefined, write: boolean): boolean =>
  vma !== undefined && (write ? vma.prot === "rw" : vma.prot !== "none");

const viewOf = (
  machine: MachineState,
  process: ProcessState | undefined,
  va: bigint,
  length: number,
  stored: Uint8Array | undefined,
): View => {
  const pageSize = machine.pageSize;
  let reach = 0;
  while (reach < length) {
    const at = va + BigInt(reach);
    const vma = process && vmaAt(process, pageNumber(at, pageSize));
    if (!permits(vma, stored !== undefined)) break;
    reach += pageSize - Number(at % machine.page);
  }
  if (reach > length) reach = length;
  return { machine, process, va, length, reach, bytes: stored ?? NO_BYTES, loaded: undefined };
};

/** Calls `visit` for each page of the first `count` bytes: its part of them is [from, to). */
const eachPage = (
  v: View,
  count: number,
  visit: (vma: Vma, number: number, offset: number, from: number, to: number) => void,
): void => {
  const { machine, process } = v;
  for (let from = 0; from < count; ) {
    const at = v.va + BigInt(from);
    const number = pageNumber(at, machine.pageSize);
    const vma = process && vmaAt(process, number);
    if (vma === undefined) return;
    const offset = Number(at % machine.page);
    const to = Math.min(from + machine.pageSize - offset, count);
    visit(vma, number, offset, from, to);
    from = to;
  }
};

const store = (v: View, count: number): void =>
  eachPage(v, count, (vma, number, offset, from, to) => {
    const page = touch(v.machine, vma, number);
    writeBytes(page, offset, v.bytes.subarray(from, to));
    if (page.pins > 0 && vma.object.isPrivate) page.writtenWhilePinned = true;
  });

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
  effect: (v) => store(v, v.length),
  // The bytes before the fault are stored.
  failure: (v) => store(v, v.reach),
});

const load = (v: View): { readonly bytes: Uint8Array; readonly open: Uint8Array } => {
  if (v.loaded !== undefined) return v.loaded;
  const bytes = new Uint8Array(v.length);
  const open = new Uint8Array(v.length);
  eachPage(v, v.length, (vma, number, offset, from, to) => {
    const page = pageIn(vma, number);
    if (vma.object.isScratch) open.fill(1, from, to);
    else if (page !== undefined) {
      readBytes(page, offset, bytes.subarray(from, to), open.subarray(from, to));
    }
  });
  v.loaded = { bytes, open };
  return v.loaded;
};

const agrees = (v: View, hex: string): boolean => {
  if (hex.length !== 2 * v.length) return false;
  const { bytes, open } = load(v);
  const answered = Buffer.from(hex, "hex");
  for (let i = 0; i < v.length; i++) if (open[i] === 0 && bytes[i] !== answered[i]) return false;
  return true;
};

/** What an answer says of bytes that nobody knew is what they are. */
const learn = (v: View, hex: string): void => {
  if (!load(v).open.includes(1) || hex.length !== 2 * v.length) return;
  const answered = Buffer.from(hex, "hex");
  eachPage(v, v.length, (vma, number, offset, from, to) => {
    const page = pageIn(vma, number);
    if (page !== undefined) writeBytes(page, offset, answered.subarray(from, to));
  });
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
      holds: (v, out) => agrees(v, out.bytes ?? ""),
      right: (v) => `bytes ${toHex(load(v).bytes)}`,
      uncounted: true,
    }),
  ],
  answer: (v) => ({ bytes: toHex(load(v).bytes) }),
  effect: (v, out) => learn(v, out.bytes ?? ""),
});
