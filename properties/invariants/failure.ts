/** Section G, and I-63: calls that fail, and calls that only ask. */
import { CALL_NAMES, type Call, type CallName, type Outcome } from "../../spec/calls";
import type { Errno } from "../../spec/errno";
import { type Finding, HELD } from "./finding";
import type { Checks, Invariant } from "./invariant";
import { attachmentOf } from "./ledger/attachment";
import type { Ioas } from "./ledger/ioas";
import type { Ledger } from "./ledger/ledger";
import { asSet, outsideOf } from "./ledger/ranges";
import {
  FAILED,
  FAILED_ATTACH,
  FAILED_ELSEWHERE,
  FAILED_REPLACE,
  NOTHING_FAILED,
} from "./ledger/recent";

const PROBES = [
  "IOAS_IOVA_RANGES",
  "TRANSLATE",
  "PAGE_REFS",
  "PROC_STATUS",
  "MEM_READ",
  "MD_CHECK_MAP",
  "MD_CHECK_REFS",
] as const satisfies readonly CallName[];

/** A question asked twice, with nothing but calls of this kind (and questions) in between. */
const whenRepeated = (kind: number): Checks => {
  const check = (call: Call, outcome: Outcome, ledger: Ledger): Finding => {
    const repetition = ledger.recent.repetition(call, outcome);
    if (repetition === undefined || (repetition.between & kind) === 0) return undefined;
    if (repetition.finding === HELD) return HELD;
    return repetition.blame === kind ? repetition.finding : undefined;
  };
  return Object.fromEntries(PROBES.map((name) => [name, check]));
};

export const I_63: Invariant = {
  id: "I-63",
  statement: "A replace that fails changes nothing: translations, ranges and pins stay.",
  needs: ["device"],
  clauses: ["DEV-33"],
  on: whenRepeated(FAILED_REPLACE),
};

const I_84: Invariant = {
  id: "I-84",
  statement: "Asking changes nothing: the same question again gets the same answer.",
  needs: [],
  clauses: ["RNG-15"],
  on: whenRepeated(NOTHING_FAILED),
};

const I_100: Invariant = {
  id: "I-100",
  statement: "A call that fails changes nothing (but for UNM-24).",
  needs: [],
  clauses: ["MAP-21", "CPY-28", "ALW-07"],
  on: whenRepeated(FAILED),
};

const I_106: Invariant = {
  id: "I-106",
  statement: "A call that fails changes nothing in other IOASs and contexts.",
  needs: [],
  clauses: ["GEN-22"],
  on: whenRepeated(FAILED_ELSEWHERE),
};

const I_107: Invariant = {
  id: "I-107",
  statement: "An attach that fails changes nothing: ranges, translations and pins stay.",
  needs: ["device"],
  clauses: ["DEV-17"],
  on: whenRepeated(FAILED_ATTACH),
};

const I_102: Invariant = {
  id: "I-102",
  statement: "EMSGSIZE names the number of ranges, which is more than there was room for.",
  needs: [],
  clauses: ["RNG-06", "RNG-07"],
  on: {
    IOAS_IOVA_RANGES: (call, { errno, out }) => {
      if (errno !== "EMSGSIZE") return undefined;
      const { num_iovas: room } = call.in;
      if (out?.num_iovas !== undefined && out.num_iovas > room) {
        const stored = out.array?.length ?? 0;
        if (stored <= room) return HELD;
        return { expected: `${room} ranges or fewer stored`, actual: `${stored} ranges` };
      }
      return { expected: `num_iovas above ${room}`, actual: `${out?.num_iovas ?? "none"}` };
    },
  },
};

/** EADDRINUSE on something new in an IOAS must have a mapping or an allowed IOVA to point at. */
const inWay = (ioas: Ioas | undefined): Finding => {
  if (ioas === undefined || ioas.ctx.closed || ioas.allowed === undefined) return undefined;
  if (ioas.areas.length + ioas.strays.length + ioas.allowed.length > 0) return HELD;
  return { expected: "success: nothing is mapped or allowed", actual: "EADDRINUSE" };
};

/** An in-kernel user reserves nothing: only mappings can be in its way, by their alignment. */
const misfit = (ioas: Ioas | undefined): Finding => {
  if (ioas === undefined) return undefined;
  if (ioas.areas.length + ioas.strays.length > 0) return HELD;
  return { expected: "success: nothing is mapped", actual: "EADDRINUSE" };
};

const attachInWay = (call: Call, { errno }: Outcome, ledger: Ledger): Finding => {
  const attachment = errno === "EADDRINUSE" ? attachmentOf(call, ledger) : undefined;
  return attachment && attachment.arrivals.length > 0 ? inWay(attachment.ioas) : undefined;
};

const I_104: Invariant = {
  id: "I-104",
  statement: "What was refused because of a mapping or an allowed IOVA works once that is gone.",
  needs: [],
  clauses: ["ALW-14", "RSV-02"],
  on: {
    VFIO_ATTACH: attachInWay,
    MOCK_DOMAIN: attachInWay,
    MOCK_DOMAIN_FLAGS: attachInWay,
    MOCK_DOMAIN_REPLACE: attachInWay,
    ADD_RESERVED: (call, { errno }, ledger) =>
      errno === "EADDRINUSE" ? inWay(ledger.ioas(call.fd, call.in.ioas_id)) : undefined,
    CREATE_ACCESS: (call, { errno }, ledger) =>
      errno === "EADDRINUSE" ? misfit(ledger.ioas(call.fd, call.in.ioas_id)) : undefined,
    IOAS_ALLOW_IOVAS: (call, { errno }, ledger) => {
      const { array, num_iovas: count } = call.in;
      const ioas = errno === "EADDRINUSE" ? ledger.ioas(call.fd, call.in.ioas_id) : undefined;
      if (ioas === undefined || ioas.fog || array.length < count) return undefined;
      // What a malformed element covers is anybody's guess (ALW-04).
      if (array.slice(0, count).some(([first, last]) => first > last)) return undefined;
      const bad = outsideOf(ioas.promised, asSet(array.slice(0, count)));
      return bad ? HELD : { expected: "success: nothing of it is reserved", actual: "EADDRINUSE" };
    },
  },
};

/** What every command of an iommufd can say, by its framing and its ids. */
const COMMAND: readonly Errno[] = [
  "EBADF",
  "EFAULT",
  "ENOTTY",
  "EINVAL",
  "E2BIG",
  "EOPNOTSUPP",
  "ENOENT",
  "ENOMEM",
];
/** What the driver of an IOMMU may say when a domain has to take something in. */
const DRIVER: readonly Errno[] = ["EIO", "ENODEV", "EBUSY"];
const PLACE: readonly Errno[] = ["EOVERFLOW", "EEXIST", "ENOSPC", ...DRIVER];
const ATTACH: readonly Errno[] = ["EADDRINUSE", "EOVERFLOW", ...DRIVER];
/** Calls of VFIO know no surplus and no unknown id but that of a pt_id. */
const VFIO: readonly Errno[] = ["EBADF", "EFAULT", "ENOTTY", "EINVAL", "ENOMEM"];

const DOCUMENTED: { readonly [K in CallName]?: readonly Errno[] } = {
  DESTROY: [...COMMAND, "EBUSY"],
  IOAS_ALLOC: [...COMMAND, "EBUSY"],
  IOAS_IOVA_RANGES: [...COMMAND, "EMSGSIZE"],
  IOAS_ALLOW_IOVAS: [...COMMAND, "EADDRINUSE"],
  IOAS_MAP: [...COMMAND, ...PLACE],
  IOAS_COPY: [...COMMAND, ...PLACE, "EPERM"],
  IOAS_UNMAP: [...COMMAND, "EOVERFLOW", "EBUSY", "EDEADLOCK"],
  OPTION: [...COMMAND, "EPERM", "EBUSY", "EADDRINUSE"],
  VFIO_IOAS: [...COMMAND, "ENODEV"],
  HWPT_ALLOC: [...COMMAND, ...ATTACH],
  GET_HW_INFO: [...COMMAND, ...DRIVER],
  HWPT_SET_DIRTY_TRACKING: [...COMMAND, ...DRIVER],
  HWPT_GET_DIRTY_BITMAP: [...COMMAND, "EOVERFLOW", ...DRIVER],
  HWPT_INVALIDATE: [...COMMAND, ...DRIVER],
  FAULT_QUEUE_ALLOC: COMMAND,
  VFIO_GET_API_VERSION: VFIO,
  VFIO_CHECK_EXTENSION: [...VFIO, "ENODEV"],
  VFIO_SET_IOMMU: [...VFIO, "ENODEV", "EADDRINUSE"],
  VFIO_IOMMU_GET_INFO: [...VFIO, "ENODEV"],
  VFIO_MAP_DMA: [...VFIO, "EOVERFLOW", "EEXIST", ...DRIVER],
  VFIO_UNMAP_DMA: [...VFIO, "ENODEV", "ENOENT", "EOVERFLOW", "EBUSY", "EDEADLOCK"],
  VFIO_GET_INFO: VFIO,
  VFIO_BIND: [...VFIO, "EBADFD", "EPERM", "ENODEV", "EBUSY"],
  VFIO_ATTACH: [...VFIO, "ENOENT", ...ATTACH],
  VFIO_DETACH: VFIO,
  ADD_RESERVED: [...COMMAND, "EOVERFLOW", "EADDRINUSE"],
  MOCK_DOMAIN: [...COMMAND, ...ATTACH],
  MOCK_DOMAIN_FLAGS: [...COMMAND, ...ATTACH],
  MOCK_DOMAIN_REPLACE: [...COMMAND, ...ATTACH],
  MD_CHECK_MAP: [...COMMAND, "EOVERFLOW"],
  MD_CHECK_REFS: [...COMMAND, "EIO"],
};

const documented =
  (errnos: ReadonlySet<string>) =>
  (_call: Call, { errno }: Outcome): Finding => {
    if (errno === 0) return undefined;
    if (errnos.has(errno)) return HELD;
    return { expected: `success or one of ${[...errnos].join(", ")}`, actual: errno };
  };

const I_105: Invariant = {
  id: "I-105",
  statement: "An errno is one that the documents know for that call.",
  needs: [],
  clauses: ["GEN-20"],
  on: Object.fromEntries(
    CALL_NAMES.flatMap((name) => {
      const errnos = DOCUMENTED[name];
      return errnos ? [[name, documented(new Set(errnos))] as const] : [];
    }),
  ),
};

/** Queries belong to section F of the list, but are seen in one history like the rest. */
export const FAILURE: readonly Invariant[] = [I_84, I_100, I_102, I_104, I_105, I_106, I_107];
