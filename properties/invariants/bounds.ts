/** Section A: where mappings begin and end. */
import type { CallOf } from "../../spec/calls";
import { U64_MAX } from "../../spec/units";
import { type Finding, HELD } from "./finding";
import type { Invariant } from "./invariant";
import { neverCuts, unmapDmaRange } from "./ledger/compat";
import type { Ioas } from "./ledger/ioas";
import type { Ledger } from "./ledger/ledger";
import { unmapRange } from "./ledger/map-calls";
import { sourceAreas } from "./ledger/mappings";
import type { Area } from "./ledger/pages";
import { hex, higher, lower, showRange } from "./ledger/ranges";

/** What the mappings known say to an UNMAP. */
interface Coverage {
  /** Bytes certainly removed, and bytes possibly removed. */
  least: bigint;
  most: bigint;
  /** A mapping reaches out of the range. */
  cut: Area | undefined;
  /** Mappings in the range whose bounds or existence are not certain. */
  open: boolean;
}

const coverageOf = (ioas: Ioas, start: bigint, last: bigint): Coverage => {
  const coverage: Coverage = { least: 0n, most: 0n, cut: undefined, open: false };
  for (const stray of ioas.strays) {
    coverage.open = true;
    coverage.most += stray.last - stray.start + 1n;
  }
  for (let i = ioas.firstAt(start); i < ioas.areas.length; i++) {
    const area = ioas.areas[i] as Area;
    if (area.start > last) break;
    const inside = area.start >= start && area.last <= last;
    if (!area.sure || !area.whole) coverage.open = true;
    if (!inside) {
      // What has no bounds of its own may have been cut anywhere.
      if (area.sure && area.whole) coverage.cut ??= area;
      if (!area.whole) coverage.most += area.last - area.start + 1n;
      continue;
    }
    const length = area.last - area.start + 1n;
    coverage.most += length;
    if (area.sure) coverage.least += length;
  }
  return coverage;
};

/** All 2^64 bytes are 0 in a u64. */
const isBetween = (bytes: bigint, least: bigint, most: bigint): boolean =>
  (bytes >= least && bytes <= most) || (most > U64_MAX && bytes === 0n);

const unmapped = (
  call: CallOf<"IOAS_UNMAP">,
  length: bigint | undefined,
  ledger: Ledger,
): Finding => {
  const ioas = ledger.ioas(call.fd, call.in.ioas_id);
  const range = unmapRange(call.in.iova, call.in.length);
  if (ioas === undefined || range === undefined || length === undefined) return undefined;
  const { least, most, cut } = coverageOf(ioas, range.start, range.last);
  if (cut) {
    const where = showRange(cut.start, cut.last);
    return { expected: `ENOENT: the mapping at ${where} is only partly in it`, actual: "success" };
  }
  if (isBetween(length, least, most)) return HELD;
  const bytes = least === most ? hex(least) : `${hex(least)} to ${hex(most)}`;
  return { expected: `${bytes} bytes unmapped, as were mapped`, actual: hex(length) };
};

const notUnmapped = (call: CallOf<"IOAS_UNMAP">, ledger: Ledger): Finding => {
  const ioas = ledger.ioas(call.fd, call.in.ioas_id);
  const range = unmapRange(call.in.iova, call.in.length);
  if (ioas === undefined || range === undefined) return undefined;
  const { least, cut, open } = coverageOf(ioas, range.start, range.last);
  if (open) return undefined;
  if (cut || least === 0n) return HELD;
  return { expected: `${hex(least)} bytes unmapped: whole mappings only`, actual: "ENOENT" };
};

/** A container of TYPE1 cuts mappings first (VCC-15), another one has whole ones go only. */
const unmappedDma = (
  call: CallOf<"VFIO_UNMAP_DMA">,
  size: bigint | undefined,
  ledger: Ledger,
): Finding => {
  const ioas = ledger.compat(call.fd);
  const range = unmapDmaRange(call.in);
  if (ioas === undefined || range === undefined || size === undefined) return undefined;
  const { least, most, cut } = coverageOf(ioas, range.start, range.last);
  const onlyWhole = neverCuts(ioas);
  if (cut && onlyWhole) {
    const where = showRange(cut.start, cut.last);
    return { expected: `ENOENT: the mapping at ${where} is only partly in it`, actual: "success" };
  }
  const [low, high] = onlyWhole ? [least, most] : bytesIn(ioas, range.start, range.last);
  if (isBetween(size, low, high)) return HELD;
  const bytes = low === high ? hex(low) : `${hex(low)} to ${hex(high)}`;
  return { expected: `size ${bytes}, as was mapped`, actual: hex(size) };
};

/** How many bytes of a range are mapped: certainly, and possibly. */
const bytesIn = (ioas: Ioas, start: bigint, last: bigint): readonly [bigint, bigint] => {
  let [low, high] = [0n, 0n];
  for (const stray of ioas.strays) high += stray.last - stray.start + 1n;
  for (let i = ioas.firstAt(start); i < ioas.areas.length; i++) {
    const area = ioas.areas[i] as Area;
    if (area.start > last) break;
    const bytes = lower(area.last, last) - higher(area.start, start) + 1n;
    high += bytes;
    if (area.sure) low += bytes;
  }
  return [low, high];
};

/** Where nothing has to be cut, there is nothing to refuse (VCC-13). */
const notUnmappedDma = (call: CallOf<"VFIO_UNMAP_DMA">, ledger: Ledger): Finding => {
  const ioas = ledger.compat(call.fd);
  const range = unmapDmaRange(call.in);
  if (ioas === undefined || range === undefined) return undefined;
  const { cut, open } = coverageOf(ioas, range.start, range.last);
  if (open) return undefined;
  return cut ? HELD : { expected: "success: whole mappings only, or none", actual: "ENOENT" };
};

const copied = (call: CallOf<"IOAS_COPY">, errno: unknown, ledger: Ledger): Finding => {
  const { src_iova: start, length } = call.in;
  const source = ledger.ioas(call.fd, call.in.src_ioas_id);
  if (source === undefined || length === 0n) return undefined;
  const last = start + length - 1n;
  const areas = sourceAreas(source, start, last);
  if (areas === undefined && source.strays.length > 0) return undefined;
  if (errno === 0) {
    if (areas) return HELD;
    return {
      expected: `ENOENT: not all of ${showRange(start, last)} is mapped`,
      actual: "success",
    };
  }
  if (errno !== "ENOENT" || !ledger.ioas(call.fd, call.in.dst_ioas_id)) return undefined;
  if (areas === undefined) return HELD;
  const [area] = areas;
  // Only a copy of exactly one mapping must work (CPY-24).
  if (areas.length > 1 || !area?.sure || !area.whole) return undefined;
  if (area.start !== start || area.last !== last) return undefined;
  return { expected: `success: ${showRange(start, last)} is one mapping`, actual: "ENOENT" };
};

export const I_08: Invariant = {
  id: "I-08",
  statement:
    "Mappings keep the bounds they were made with, but for cuts of a TYPE1 container: exactly the " +
    "whole ones in a range can be unmapped and add up to its length, and exactly what is mapped " +
    "can be copied.",
  needs: [],
  clauses: ["UNM-07", "UNM-20", "CPY-07", "VCC-14"],
  on: {
    IOAS_UNMAP: (call, { errno, out }, ledger) => {
      if (errno === 0) return unmapped(call, out?.length, ledger);
      return errno === "ENOENT" ? notUnmapped(call, ledger) : undefined;
    },
    IOAS_COPY: (call, { errno }, ledger) => copied(call, errno, ledger),
    VFIO_UNMAP_DMA: (call, { errno, out }, ledger) => {
      if (errno === 0) return unmappedDma(call, out?.size, ledger);
      return errno === "ENOENT" ? notUnmappedDma(call, ledger) : undefined;
    },
  },
};
