/**
 * How in-kernel users read and write the bytes of an iopt_pages (ACC-20..22).
 *
 * The fast path goes by the user's addresses, like the CPU, where the call is made by the process
 * that the memory belongs to. It and the path for a single page thus reach what is mapped there
 * now, even if the mapping is pinned to other pages. The slow path takes the pages that a domain
 * would have, and is the only one that works when the process is gone. It moves nothing if one of
 * them cannot be pinned (where 6.12 works in small batches, it may have moved those before);
 * the fast path moves what comes before.
 */
import type { Errno } from "../../spec/errno";
import type { Process } from "./accounting";
import type { IoptPages } from "./iopt-pages";

/** The bytes that are moved, and which way. */
export interface Transfer {
  readonly bytes: Uint8Array;
  readonly write: boolean;
  /** Never by way of the user's own addresses. */
  readonly slowPath: boolean;
  /** On whose behalf. */
  readonly process: Process;
}

export const rwPages = (pages: IoptPages, startByte: bigint, transfer: Transfer): 0 | Errno => {
  const pageSize = BigInt(pages.pageSize);
  const firstIndex = Number(startByte / pageSize);
  const lastIndex = Number((startByte + BigInt(transfer.bytes.length) - 1n) / pageSize);
  const move = mover(pages, firstIndex, Number(startByte % pageSize), transfer);

  const { process, slowPath } = transfer;
  const isRemote = slowPath || process !== pages.process;
  if (isRemote && (firstIndex !== lastIndex || pages.process.memory.isGone)) {
    return pages.lend(
      { firstIndex, lastIndex },
      {
        run: (index, count, pfn) => {
          for (let i = 0; i < count; i += 1) move(index + i, pfn + i);
        },
        each: (index, count, pfns, from) => {
          for (let i = 0; i < count; i += 1) move(index + i, pfns[from + i]!);
        },
      },
    );
  }
  // What leaves user space is refused before the first byte of it moves.
  if (!pages.process.memory.isUserSpace(pages.firstPage + lastIndex)) return "EFAULT";
  for (let index = firstIndex; index <= lastIndex; index += 1) {
    const pfn = pages.process.memory.touch(pages.firstPage + index, transfer.write);
    if (pfn === 0) return "EFAULT";
    move(index, pfn);
  }
  return 0;
};

/** Moves the bytes that belong to one page of the range. */
const mover = (
  { pageSize, process }: IoptPages,
  firstIndex: number,
  pageOffset: number,
  { bytes, write }: Transfer,
): ((index: number, pfn: number) => void) => {
  const { physical } = process.memory;
  return (index, pfn) => {
    const start = (index - firstIndex) * pageSize - pageOffset;
    const at = Math.max(start, 0);
    const count = Math.min(start + pageSize, bytes.length) - at;
    if (write) physical.write(pfn, at - start, bytes, at, count);
    else physical.read(pfn, at - start, bytes, at, count);
  };
};
