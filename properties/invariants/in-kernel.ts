/** Section B for in-kernel users: what they read, write and pin, against what is mapped. */
import type { CallOf, OutcomeOf } from "../../spec/calls";
import { ACCESS_PAGES_WRITE, ACCESS_RW_WRITE, PERM_READ, PERM_WRITE } from "../../spec/uapi/flags";
import { type Finding, HELD } from "./finding";
import { coverOfAccess, MOST_BYTES } from "./ledger/access";
import { wrongByte } from "./ledger/dma";
import type { Ioas } from "./ledger/ioas";
import type { Ledger } from "./ledger/ledger";
import { byteOf } from "./ledger/memory";
import { hex } from "./ledger/ranges";

type Use = CallOf<"ACCESS_RW"> | CallOf<"ACCESS_PAGES">;

const writes = (call: Use): boolean =>
  (call.in.flags & (call.call === "ACCESS_RW" ? ACCESS_RW_WRITE : ACCESS_PAGES_WRITE)) !== 0;

const where = ({ in: { iova, length } }: Use): string => `${hex(iova)}+${hex(length)}`;

/** I-21: what succeeds is mapped, and what is mapped is found. */
export const reached = (call: Use, { errno }: { readonly errno: unknown }, ledger: Ledger) => {
  if (errno !== 0 && errno !== "ENOENT") return undefined;
  const cover = coverOfAccess(ledger, call.in, 0);
  if (cover === undefined) return undefined;
  if (errno === 0) {
    if (cover.maybe) return HELD;
    return { expected: `a failure: not all of ${where(call)} is mapped`, actual: "success" };
  }
  if (!cover.all) return cover.maybe ? undefined : HELD;
  return { expected: `anything else: ${where(call)} is mapped`, actual: "ENOENT" };
};

/** I-27: what is mapped read-only is neither written nor pinned for that. */
export const notWritten = (
  call: Use,
  { errno }: { readonly errno: unknown },
  ledger: Ledger,
): Finding => {
  if ((errno !== 0 && errno !== "EPERM") || !writes(call)) return undefined;
  const cover = coverOfAccess(ledger, call.in, 0);
  if (cover === undefined || !cover.maybe) return undefined;
  const may = coverOfAccess(ledger, call.in, PERM_WRITE);
  if (errno === 0) {
    if (may?.maybe) return HELD;
    return {
      expected: `EPERM: some of ${where(call)} is mapped read-only`,
      actual: "success",
    };
  }
  return may?.all
    ? { expected: `anything else: ${where(call)} is mapped writeable`, actual: "EPERM" }
    : HELD;
};

/** I-24: an in-kernel user reads what the process sees in the mapped memory. */
export const readBack = (
  call: CallOf<"ACCESS_RW">,
  outcome: OutcomeOf<"ACCESS_RW">,
  ledger: Ledger,
): Finding => {
  if (outcome.errno !== 0 || writes(call)) return undefined;
  const cover = coverOfAccess(ledger, call.in, PERM_READ);
  if (!cover?.maybe) return undefined;
  const { out } = outcome;
  const digits = out?.data ?? out?.data_first16;
  if (digits === undefined) return undefined;
  const count = Math.min(digits.length / 2, MOST_BYTES);
  return asInMemory(ledger, cover.ioas, call.in.iova, count, (i) => byteOf(digits, i));
};

/** `count` bytes that were read from `iova` on are what the memory holds, as far as it is known. */
export const asInMemory = (
  ledger: Ledger,
  ioas: Ioas,
  iova: bigint,
  count: number,
  read: (i: number) => number | undefined,
): Finding => {
  const wrong = wrongByte(ledger, ioas, iova, count, read);
  if (wrong === undefined || wrong === "none") return wrong && HELD;
  return {
    expected: `byte ${hex(wrong.known)} at ${hex(wrong.at)}, as in memory`,
    actual: hex(wrong.read),
  };
};
