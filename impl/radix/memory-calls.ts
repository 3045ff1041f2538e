/**
 * What a process does with its own memory: mmap, munmap, mprotect, and loads and stores of the
 * CPU. Arguments are bytes; user_memory counts in pages.
 */
import type { OutcomeOf } from "../../spec/calls";
import { done, fail, type OnProcess } from "./call";
import { fromHex, toHex } from "./hex";
import { makeMemoryObject, type UserMemory } from "./user-memory";

export const mmap: OnProcess<"MMAP"> = (_kernel, { va, length, prot, kind }, process) => {
  const { memory } = process;
  const range = pageRange(memory, va, length);
  if (range === undefined || length === 0n) return fail("EINVAL");
  const isLowest = range.first === 0 && memory.isUserSpace(range.count - 1);
  if (isLowest && !process.isRoot) return fail("EPERM"); // vm.mmap_min_addr
  const object = makeMemoryObject(kind);
  return done(memory.map(range.first, range.count, prot, object, 0));
};

export const munmap: OnProcess<"MUNMAP"> = (_kernel, { va, length }, { memory }) => {
  const range = pageRange(memory, va, length);
  if (range === undefined || length === 0n) return fail("EINVAL");
  return done(memory.unmap(range.first, range.count));
};

export const mprotect: OnProcess<"MPROTECT"> = (_kernel, { va, length, prot }, { memory }) => {
  const range = pageRange(memory, va, length);
  if (range === undefined) return fail("EINVAL");
  return done(length === 0n ? 0 : memory.protect(range.first, range.count, prot));
};

export const memWrite: OnProcess<"MEM_WRITE"> = (
  _kernel,
  args,
  { memory },
): OutcomeOf<"MEM_WRITE"> => {
  const bytes = fromHex(args.bytes);
  const { physical } = memory;
  return done(
    forEachPage(memory, args.va, bytes.length, true, (pfn, offset, at, count) => {
      physical.write(pfn, offset, bytes, at, count);
    })
      ? 0
      : "EFAULT",
  );
};

export const memRead: OnProcess<"MEM_READ"> = (_kernel, { va, length }, { memory }) => {
  const { pageSize, physical } = memory;
  const page = Number(va / BigInt(pageSize));
  const offsetInPage = Number(va % BigInt(pageSize));
  // Looked at first, so that a length of 4 GiB costs nothing when it faults.
  if (!memory.isReadable(page, Math.ceil((offsetInPage + length) / pageSize)))
    return fail("EFAULT");
  const bytes = new Uint8Array(length);
  forEachPage(memory, va, length, false, (pfn, offset, at, count) => {
    physical.read(pfn, offset, bytes, at, count);
  });
  return { errno: 0, out: { bytes: toHex(bytes) } };
};

/** Visits the pieces of a byte range page by page; false at the first one that faults. */
const forEachPage = (
  memory: UserMemory,
  va: bigint,
  length: number,
  write: boolean,
  visit: (pfn: number, offset: number, at: number, count: number) => void,
): boolean => {
  const { pageSize } = memory;
  let page = Number(va / BigInt(pageSize));
  let offset = Number(va % BigInt(pageSize));
  for (let at = 0; at < length; ) {
    const pfn = memory.touch(page, write);
    if (pfn === 0) return false;
    const count = Math.min(length - at, pageSize - offset);
    visit(pfn, offset, at, count);
    at += count;
    page += 1;
    offset = 0;
  }
  return true;
};

/** The whole pages that a range of bytes touches; undefined when it begins inside a page. */
const pageRange = (
  memory: UserMemory,
  va: bigint,
  length: bigint,
): { readonly first: number; readonly count: number } | undefined => {
  const pageSize = BigInt(memory.pageSize);
  if (va % pageSize !== 0n) return undefined;
  return { first: Number(va / pageSize), count: Number((length + pageSize - 1n) / pageSize) };
};
