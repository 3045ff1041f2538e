/**
 * Bytes of user memory as a CPU reaches them: through the pages that are now at the address, as
 * far as the process has the right. Where nobody knows a byte, because a blocked DMA left it
 * open, any answer is right.
 */
import { touch } from "./pinning";
import type { MachineState } from "./state/machine";
import {
  type ProcessState,
  pageIn,
  pageNumber,
  readBytes,
  type Vma,
  vmaAt,
  writeBytes,
} from "./state/memory";

/** Memory [va, va + length) of a process. */
export interface UserRange {
  readonly machine: MachineState;
  readonly process: ProcessState | undefined;
  readonly va: bigint;
  readonly length: number;
}

/** What a range holds, with a 1 in `open` for each byte that nobody knows. */
export interface Contents {
  readonly bytes: Uint8Array;
  readonly open: Uint8Array;
}

const permits = (vma: Vma | undefined, write: boolean): boolean =>
  vma !== undefined && (write ? vma.prot === "rw" : vma.prot !== "none");

/** How many bytes can be accessed before the first that cannot. */
export const reachOf = (range: UserRange, write: boolean): number => {
  const { machine, process, va, length } = range;
  let reach = 0;
  while (reach < length) {
    const at = va + BigInt(reach);
    const vma = process && vmaAt(process, pageNumber(at, machine.pageSize));
    if (!permits(vma, write)) break;
    reach += machine.pageSize - Number(at % machine.page);
  }
  return Math.min(reach, length);
};

/** Calls `visit` for each page of the range: its part of the bytes is [from, to). */
const eachPage = (
  { machine, process, va, length }: UserRange,
  visit: (vma: Vma, number: number, offset: number, from: number, to: number) => void,
): void => {
  for (let from = 0; from < length; ) {
    const at = va + BigInt(from);
    const number = pageNumber(at, machine.pageSize);
    const vma = process && vmaAt(process, number);
    if (vma === undefined) return;
    const offset = Number(at % machine.page);
    const to = Math.min(from + machine.pageSize - offset, length);
    visit(vma, number, offset, from, to);
    from = to;
  }
};

/** Stores `bytes`, or as many of them as the range is long; 1s in `open` are of unknown ones. */
export const storeBytes = (range: UserRange, bytes: Uint8Array, open?: Uint8Array): void =>
  eachPage(range, (vma, number, offset, from, to) => {
    const page = touch(range.machine, vma, number);
    writeBytes(page, offset, bytes.subarray(from, to), open?.subarray(from, to));
    if (page.pins > 0 && vma.object.isPrivate) page.writtenWhilePinned = true;
  });

export const loadBytes = (range: UserRange): Contents => {
  const bytes = new Uint8Array(range.length);
  const open = new Uint8Array(range.length);
  eachPage(range, (vma, number, offset, from, to) => {
    const page = pageIn(vma, number);
    if (vma.object.isScratch) open.fill(1, from, to);
    else if (page !== undefined) {
      readBytes(page, offset, bytes.subarray(from, to), open.subarray(from, to));
    }
  });
  return { bytes, open };
};

/** What an answer says of bytes that nobody knew is what they are. */
export const learnBytes = (range: UserRange, answered: Uint8Array): void =>
  eachPage(range, (vma, number, offset, from, to) => {
    const page = pageIn(vma, number);
    if (page !== undefined) writeBytes(page, offset, answered.subarray(from, to));
  });

/** True if the answered bytes are those, wherever anybody knows them. */
export const agreesWith = ({ bytes, open }: Contents, answered: Uint8Array): boolean => {
  if (answered.length !== bytes.length) return false;
  for (let i = 0; i < bytes.length; i++) {
    if (open[i] !== 1 && bytes[i] !== answered[i]) return false;
  }
  return true;
};
