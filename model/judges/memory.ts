/**
 * User memory: MMAP, MUNMAP, MPROTECT, MEM_WRITE, MEM_READ. Not iommufd calls, but what they do
 * decides what MAP pins and where DMA shows. GEN-23 is the clause that ties a mapping to the
 * memory of its process; their errors are those of the host.
 */
import type { CallOf } from "../../spec/calls";
import type { Prot } from "../../spec/fields";
import { fact, judge, never, type Rule, rule } from "../judge";
import { touch } from "../pinning";
import type { MachineState } from "../state/machine";
import {
  mappedUpTo,
  newObject,
  type Page,
  type PageSpan,
  type ProcessState,
  pageIn,
  pageNumber,
  pagesOf,
  place,
  protect,
  readByte,
  unplace,
  type Vma,
  vmaAt,
  writeByte,
} from "../state/memory";

/** Last byte of user space on x86-64. */
const USER_LAST = 0x7fff_ffff_efffn;

interface RangeView {
  readonly machine: MachineState;
  readonly process: ProcessState | undefined;
  readonly va: bigint;
  readonly length: bigint;
  readonly prot: Prot;
  readonly kind: string;
}

const isMisaligned = (v: RangeView): boolean => v.va % v.machine.page !== 0n || v.length === 0n;
const leavesUserSpace = (v: RangeView): boolean => v.va + v.length - 1n > USER_LAST;
const spanOf = (v: RangeView): PageSpan => pagesOf(v.va, v.length, v.machine.pageSize);

const rangeView = (
  machine: MachineState,
  call: CallOf<"MMAP" | "MUNMAP" | "MPROTECT">,
): RangeView => ({
  machine,
  process: machine.processes[call.proc],
  va: call.in.va,
  length: call.in.length,
  prot: "prot" in call.in ? call.in.prot : "none",
  kind: "kind" in call.in ? call.in.kind : "",
});

const host = { applies: never, hard: true } as const;

export const MMAP = judge<"MMAP", RangeView>("MMAP", {
  promise: "GEN-23",
  view: rangeView,
  rules: [
    rule("GEN-23", "EINVAL", isMisaligned, host),
    rule("GEN-23", "ENOMEM", leavesUserSpace, host),
  ],
  facts: [],
  effect: (v) => {
    if (v.process === undefined) return;
    place(v.process, spanOf(v), v.prot, newObject(v.kind === "anon-private"), 0);
  },
});

export const MUNMAP = judge<"MUNMAP", RangeView>("MUNMAP", {
  promise: "GEN-23",
  view: rangeView,
  rules: [rule("GEN-23", "EINVAL", (v) => isMisaligned(v) || leavesUserSpace(v), host)],
  facts: [],
  effect: (v) => {
    if (v.process !== undefined) unplace(v.process, spanOf(v));
  },
});

const hasHole = (v: RangeView): boolean => {
  if (v.process === undefined || isMisaligned(v)) return false;
  const span = spanOf(v);
  return mappedUpTo(v.process, span) < span.last;
};

export const MPROTECT = judge<"MPROTECT", RangeView>("MPROTECT", {
  promise: "GEN-23",
  view: rangeView,
  rules: [
    rule("GEN-23", "EINVAL", (v) => v.va % v.machine.page !== 0n, host),
    rule("GEN-23", "ENOMEM", (v) => v.length > 0n && (leavesUserSpace(v) || hasHole(v)), host),
  ],
  facts: [],
  effect: (v) => {
    if (v.process !== undefined && v.length > 0n) protect(v.process, spanOf(v), v.prot);
  },
  // What lies before the hole has been changed.
  failure: (v, broken) => {
    if (v.process === undefined || broken.errno !== "ENOMEM" || leavesUserSpace(v)) return;
    const { first } = spanOf(v);
    const last = mappedUpTo(v.process, spanOf(v));
    if (last >= first) protect(v.process, { first, last }, v.prot);
  },
});

interface AccessView {
  readonly machine: MachineState;
  readonly process: ProcessState | undefined;
  readonly va: bigint;
  readonly length: number;
  /** How many bytes can be accessed before the first that cannot. */
  readonly reach: number;
  readonly bytes: string;
}

const permits = (vma: Vma | undefined, write: boolean): boolean =>
  vma !== undefined && (write ? vma.prot === "rw" : vma.prot !== "none");

const reachOf = (v: Pick<AccessView, "machine" | "process" | "va" | "length">, write: boolean) => {
  const { machine, process, va, length } = v;
  let reach = 0;
  while (reach < length) {
    const at = va + BigInt(reach);
    const vma = process && vmaAt(process, pageNumber(at, machine.pageSize));
    if (!permits(vma, write)) break;
    reach += machine.pageSize - Number(at % machine.page);
  }
  return Math.min(reach, length);
};

/** Calls `visit` for the page and page offset of each byte from va on. */
const eachByte = (
  v: AccessView,
  count: number,
  visit: (vma: Vma, number: number, offset: number, i: number) => void,
): void => {
  const { machine, process } = v;
  if (process === undefined) return;
  for (let i = 0; i < count; ) {
    const at = v.va + BigInt(i);
    const number = pageNumber(at, machine.pageSize);
    const vma = vmaAt(process, number);
    if (vma === undefined) return;
    let offset = Number(at % machine.page);
    for (; offset < machine.pageSize && i < count; offset++, i++) visit(vma, number, offset, i);
  }
};

const byteAt = (hex: string, i: number): number => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16);

const store = (v: AccessView, count: number): void =>
  eachByte(v, count, (vma, number, offset, i) => {
    const page = touch(v.machine, vma, number);
    writeByte(page, offset, byteAt(v.bytes, i));
    if (page.pins > 0 && vma.object.isPrivate) page.writtenWhilePinned = true;
  });

export const MEM_WRITE = judge<"MEM_WRITE", AccessView>("MEM_WRITE", {
  promise: "GEN-23",
  view: (machine, call) => {
    const process = machine.processes[call.proc];
    const at = { machine, process, va: call.in.va, length: call.in.bytes.length / 2 };
    return { ...at, reach: reachOf(at, true), bytes: call.in.bytes };
  },
  rules: [rule("GEN-23", "EFAULT", (v) => v.reach < v.length, host)],
  facts: [],
  effect: (v) => store(v, v.length),
  failure: (v) => store(v, v.reach),
});

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** The bytes at va; undefined where nobody knows. */
const load = (v: AccessView): (number | undefined)[] => {
  const loaded: (number | undefined)[] = [];
  eachByte(v, v.length, (vma, number, offset) => {
    const page = pageIn(vma, number);
    if (vma.object.isScratch) loaded.push(undefined);
    else loaded.push(page === undefined ? 0 : readByte(page, offset));
  });
  return loaded;
};

const agrees = (v: AccessView, hex: string): boolean => {
  if (hex.length !== 2 * v.length) return false;
  return load(v).every((byte, i) => byte === undefined || byte === byteAt(hex, i));
};

/** What an answer says of bytes that nobody knew is what they are. */
const learn = (v: AccessView, hex: string): void =>
  eachByte(v, v.length, (vma, number, offset, i) => {
    const page: Page | undefined = pageIn(vma, number);
    if (page === undefined || page.unknown.size === 0) return;
    if (readByte(page, offset) === undefined) writeByte(page, offset, byteAt(hex, i));
  });

const toHex = (bytes: readonly (number | undefined)[]): string =>
  bytes.map((byte) => HEX[byte ?? 0]).join("");

const readRules: readonly Rule<AccessView>[] = [
  rule("GEN-23", "EFAULT", (v) => v.reach < v.length, host),
];

export const MEM_READ = judge<"MEM_READ", AccessView>("MEM_READ", {
  promise: "GEN-23",
  view: (machine, call) => {
    const process = machine.processes[call.proc];
    const at = { machine, process, va: call.in.va, length: call.in.length };
    return { ...at, reach: reachOf(at, false), bytes: "" };
  },
  rules: readRules,
  facts: [
    // Bytes come from the CPU's stores and from DMA; the latter is what can go wrong here.
    fact("MAP-23", {
      holds: (v, out) => agrees(v, out.bytes ?? ""),
      right: (v) => `bytes ${toHex(load(v))}`,
      uncounted: true,
    }),
  ],
  answer: (v) => ({ bytes: toHex(load(v)) }),
  effect: (v, out) => learn(v, out.bytes ?? ""),
});
