/**
 * Probes: calls that only observe, chosen at generation so that the trace stays plain data.
 * After each call the window it touched is looked at, one byte beyond each end included, in
 * every domain; at the end of a sequence everything is (fullScan).
 */
import type { In } from "../../spec/calls";
import type { Arg } from "../../spec/handle";
import { SCRATCH } from "../../spec/platform";
import { type Bytes, type Iova, U64_MAX, type UserVa } from "../../spec/units";
import { checkRange, checkWholeDomains } from "./check-map";
import type { Composer, Made } from "./composer";
import { PAGE } from "./values";
import { type AreaView, type IoasView, userVaOf } from "./view";

const PLENTY = 64;

/** One byte more on each side, as far as there is one. */
const windowOf = (start: bigint, length: bigint): readonly [Iova, Iova] => {
  const last = start + (length === 0n ? 1n : length) - 1n;
  const from = start > 0n ? start - 1n : 0n;
  return [from as Iova, (last >= U64_MAX ? U64_MAX : last + 1n) as Iova];
};

/** @param gone areas that a call took away, or would have made if it had not failed */
export const probeRange = (
  c: Composer,
  ioas: IoasView,
  start: bigint,
  length: bigint,
  gone: readonly AreaView[] = [],
): void => {
  if (!c.can("TRANSLATE")) {
    if (c.can("MD_CHECK_MAP")) checkRange(c, ioas, start, length, gone);
    return;
  }
  const [iova, last] = windowOf(start, length);
  // The call may have changed which domains there are.
  for (const hwpt of ioas.hwpts) {
    c.look({
      call: "TRANSLATE",
      fd: c.iommufd(ioas.fd),
      in: { hwpt_id: c.object(ioas.fd, hwpt), iova, last },
    });
  }
};

export const probeMapped = (c: Composer, ioas: IoasView, made: Made): void => {
  if (made.call.call !== "IOAS_MAP") return;
  const { iova } = made.outcome.out as { iova: bigint };
  const { length, user_va } = made.call.in;
  probeRange(c, ioas, iova, length);
  probePins(c, ioas, user_va, length);
};

/** After a MAP that failed: nothing of it may be left where it would have been. */
export const probeNotMapped = (
  c: Composer,
  ioas: IoasView,
  { iova, length, user_va }: In<"IOAS_MAP">,
): void => {
  const pages = { va: 0n, writeable: true };
  const tried = { first: iova, last: iova + length - 1n, startByte: user_va, pages };
  probeRange(c, ioas, iova, length, [tried]);
};

export const probeCopied = (c: Composer, dst: IoasView, made: Made): void => {
  if (made.call.call !== "IOAS_COPY") return;
  const { dst_iova } = made.outcome.out as { dst_iova: bigint };
  const { length } = made.call.in;
  probeRange(c, dst, dst_iova, length);
  const area = c.scene.ioases
    .find(({ fd, id }) => fd === dst.fd && id === dst.id)
    ?.areas.find((area) => area.first === dst_iova);
  if (area !== undefined) probePins(c, dst, userVaOf(area), length);
};

const probePins = (c: Composer, ioas: IoasView, va: bigint, length: bigint): void => {
  if (!c.draw.chance(ioas.hwpts.length > 0 ? 30 : 8)) return;
  const first = va - (va % PAGE);
  const pages = (va + length - 1n - first) / PAGE + 1n;
  if (pages <= 64n) probeRefs(c, ioas.fd, first as UserVa, (pages * PAGE) as Bytes);
};

export const probeRefs = (
  c: Composer,
  fd: number,
  uptr: Arg<UserVa> | Arg<bigint>,
  length: Bytes,
): void => {
  if (!c.can("PAGE_REFS")) return;
  c.look({ call: "PAGE_REFS", fd: c.iommufd(fd), in: { uptr: uptr as Arg<UserVa>, length } });
  if (c.draw.chance(40)) probeProcess(c);
};

export const probeProcess = (c: Composer): void => {
  if (c.can("PROC_STATUS")) c.look({ call: "PROC_STATUS", in: {} });
};

export const probeRanges = (c: Composer, ioas: IoasView): void => {
  c.look({
    call: "IOAS_IOVA_RANGES",
    fd: c.iommufd(ioas.fd),
    in: {
      ioas_id: c.object(ioas.fd, ioas.id),
      num_iovas: PLENTY,
      allowed_iovas: SCRATCH.va,
      writable_elems: PLENTY,
    },
  });
};

/** Everything that every domain of an IOAS translates. */
export const probeWholeDomains = (c: Composer, ioas: IoasView): void => {
  if (!c.can("TRANSLATE")) {
    if (c.can("MD_CHECK_MAP")) checkWholeDomains(c, ioas);
    return;
  }
  for (const hwpt of ioas.hwpts) {
    c.look({
      call: "TRANSLATE",
      fd: c.iommufd(ioas.fd),
      in: { hwpt_id: c.object(ioas.fd, hwpt), iova: 0n as Iova, last: U64_MAX as Iova },
    });
  }
};

/** The pins of all memory of the first process. */
export const probeAllPins = (c: Composer, fd: number): void => {
  if (c.can("PAGE_REFS")) {
    for (const { va, length } of c.platform.processes[0]?.memory ?? []) {
      c.look({ call: "PAGE_REFS", fd: c.iommufd(fd), in: { uptr: va, length } });
    }
  }
  probeProcess(c);
};

export const fullScan = (c: Composer): void => {
  const scene = c.scene;
  for (const ioas of scene.ioases) {
    probeRanges(c, ioas);
    probeWholeDomains(c, ioas);
  }
  const fd = scene.fds[0];
  if (fd !== undefined) probeAllPins(c, fd);
};
