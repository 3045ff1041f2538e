/** Section D: object ids, their users and their lives. */
import type { Call, Outcome } from "../../spec/calls";
import {
  OPTION_HUGE_PAGES,
  OPTION_OP_GET,
  OPTION_RLIMIT_MODE,
  VFIO_IOAS_GET,
  VFIO_IOAS_SET,
} from "../../spec/uapi/flags";
import { type Finding, HELD } from "./finding";
import type { Invariant } from "./invariant";
import { attachmentOf } from "./ledger/attachment";
import type { Ledger } from "./ledger/ledger";
import { I_54 } from "./pinning";

const I_50: Invariant = {
  id: "I-50",
  statement:
    "DESTROY succeeds only for what is there and has no user left, calls busy only what has " +
    "one, and finds what is there.",
  needs: [],
  clauses: ["DES-01", "DES-02", "OBJ-05"],
  on: {
    DESTROY: (call, { errno }, ledger) => {
      const ctx = ledger.contexts.get(call.fd);
      if (ctx === undefined) return undefined;
      const object = ctx.objects.get(call.in.id);
      const wrong = (expected: string): Finding => ({ expected, actual: `${errno || "success"}` });
      if (errno === "ENOENT") {
        return object ? wrong(`anything else: object ${call.in.id} is there`) : HELD;
      }
      if (object === undefined) {
        // In-kernel users have ids that nobody is told; whether they can be taken is open (DES-03).
        if (ctx.accesses.size > 0) return undefined;
        return errno === 0 ? wrong(`ENOENT: there is no object ${call.in.id}`) : undefined;
      }
      // Whether a device can be taken from its driver is Linux's own affair (DES-03).
      if (object.kind === "device") return undefined;
      // I-53, I-58 and I-117 are about these.
      if (object.kind === "queue" || (object.kind === "hwpt" && object.made)) return undefined;
      if (object.kind === "ioas" && [...object.hwpts].some(({ made }) => made)) return undefined;
      // That in-kernel users keep their IOAS is Linux's own (ACC-03).
      const isKept = object.kind === "ioas" && object.accesses.size > 0;
      if (isKept && object.hwpts.size === 0) return errno === "EBUSY" ? HELD : undefined;
      const used = object.kind === "hwpt" || (object.kind === "ioas" && object.hwpts.size > 0);
      if (errno === 0) return used ? wrong("EBUSY: a device is attached") : HELD;
      if (errno !== "EBUSY") return undefined;
      return used ? HELD : wrong("success: nothing uses it");
    },
  },
};

/** The first id that a call names as an IOAS and that is none; 0 never is one (OBJ-02). */
const missingIoas = (call: Call, ledger: Ledger): number | "none" | undefined => {
  const isThere = (id: number): boolean => ledger.ioas(call.fd, id) !== undefined;
  switch (call.call) {
    case "IOAS_IOVA_RANGES":
    case "IOAS_ALLOW_IOVAS":
    case "IOAS_MAP":
    case "IOAS_UNMAP":
    case "ADD_RESERVED":
    case "CREATE_ACCESS":
      return isThere(call.in.ioas_id) ? "none" : call.in.ioas_id;
    case "IOAS_COPY":
      if (!isThere(call.in.src_ioas_id)) return call.in.src_ioas_id;
      return isThere(call.in.dst_ioas_id) ? "none" : call.in.dst_ioas_id;
    case "OPTION":
      if (call.in.option_id !== OPTION_HUGE_PAGES) return undefined;
      return isThere(call.in.object_id) ? "none" : call.in.object_id;
    case "VFIO_IOAS":
      if (call.in.op !== VFIO_IOAS_SET) return undefined;
      return isThere(call.in.ioas_id) ? "none" : call.in.ioas_id;
    default:
      return undefined;
  }
};

const typed = (call: Call, { errno }: Outcome, ledger: Ledger): Finding => {
  if ((errno !== 0 && errno !== "ENOENT") || !ledger.contexts.has(call.fd)) return undefined;
  const missing = missingIoas(call, ledger);
  if (missing === undefined) return undefined;
  if (errno === 0) {
    if (missing === "none") return HELD;
    return { expected: `ENOENT: ${missing} is no IOAS`, actual: "success" };
  }
  if (missing !== "none") return HELD;
  // For these two ENOENT can also mean that nothing is mapped there.
  if (call.call === "IOAS_COPY" || call.call === "IOAS_UNMAP") return undefined;
  return { expected: "anything else: the IOAS is there", actual: "ENOENT" };
};

const fresh = (ledger: Ledger, fd: number, ids: readonly (number | undefined)[]): Finding => {
  const ctx = ledger.contexts.get(fd);
  if (ctx === undefined) return undefined;
  for (const [i, id] of ids.entries()) {
    if (id === undefined) return undefined;
    if (id !== 0 && !ctx.objects.has(id) && ids.indexOf(id) === i) continue;
    return { expected: "ids that are not 0 and not in use", actual: `id ${id}` };
  }
  return HELD;
};

/** The HWPT that an attach answers is a new one, or one of the IOAS it asked for. */
const attached = (call: Call, outcome: Outcome, ledger: Ledger): Finding => {
  if (outcome.errno !== 0 && outcome.errno !== "ENOENT") return undefined;
  const attachment = attachmentOf(call, ledger);
  if (attachment === undefined || attachment.ctx.closed) return undefined;
  const { ctx, device, ioas } = attachment;
  if (outcome.errno === "ENOENT") {
    return ioas ? { expected: "anything else: the pt_id is there", actual: "ENOENT" } : HELD;
  }
  if (ioas === undefined) {
    return { expected: "a failure: the pt_id is no IOAS and no HWPT", actual: "success" };
  }
  const out = outcome.out as { readonly pt_id?: number; readonly out_hwpt_id?: number };
  const id = out.pt_id ?? out.out_hwpt_id ?? 0;
  const present = ctx.objects.get(id);
  // The HWPT that a replace leaves may be gone, and its id free, before the new one is made.
  if (id !== 0 && (present === undefined || present === device?.hwpt)) return HELD;
  if (present?.kind === "hwpt" && present.ioas === ioas) return HELD;
  return { expected: `an HWPT of IOAS ${ioas.id}, or a new one`, actual: `id ${id}` };
};

const mockDevice = (call: Call, outcome: Outcome, ledger: Ledger): Finding => {
  const finding = attached(call, outcome, ledger);
  if (outcome.errno !== 0 || finding !== HELD) return finding;
  const out = outcome.out as { readonly out_stdev_id?: number; readonly out_idev_id?: number };
  return fresh(ledger, call.fd, [out.out_stdev_id, out.out_idev_id]);
};

const I_51: Invariant = {
  id: "I-51",
  statement:
    "A new id is not 0 and not in use, a call takes ids of the right kind only, and finds the " +
    "objects that are there.",
  needs: [],
  clauses: ["OBJ-01", "OBJ-02", "OBJ-04"],
  on: {
    IOAS_ALLOC: (call, { errno, out }, ledger) =>
      errno === 0 ? fresh(ledger, call.fd, [out?.out_ioas_id]) : undefined,
    HWPT_ALLOC: (call, { errno, out }, ledger) =>
      errno === 0 ? fresh(ledger, call.fd, [out?.out_hwpt_id]) : undefined,
    FAULT_QUEUE_ALLOC: (call, { errno, out }, ledger) =>
      errno === 0 ? fresh(ledger, call.fd, [out?.out_fault_id]) : undefined,
    VFIO_BIND: (call, { errno, out }, ledger) =>
      errno === 0 ? fresh(ledger, call.in.iommufd, [out?.out_devid]) : undefined,
    VFIO_ATTACH: attached,
    MOCK_DOMAIN: mockDevice,
    MOCK_DOMAIN_FLAGS: mockDevice,
    MOCK_DOMAIN_REPLACE: attached,
    IOAS_IOVA_RANGES: typed,
    IOAS_ALLOW_IOVAS: typed,
    IOAS_MAP: typed,
    IOAS_COPY: typed,
    IOAS_UNMAP: typed,
    ADD_RESERVED: typed,
    CREATE_ACCESS: typed,
    OPTION: typed,
    VFIO_IOAS: typed,
  },
};

/** A probe of a domain finds it exactly as long as a device is attached. */
const domainLives = (fd: number, id: number, { errno }: Outcome, ledger: Ledger): Finding => {
  const ctx = ledger.contexts.get(fd);
  if (ctx === undefined || (errno !== 0 && errno !== "ENOENT")) return undefined;
  const object = ctx.objects.get(id);
  const lives = object?.kind === "hwpt" && object.made?.parent === undefined;
  if (lives === (errno === 0)) return HELD;
  return lives
    ? { expected: `anything else: a device is attached to HWPT ${id}`, actual: "ENOENT" }
    : { expected: `ENOENT: ${id} is no HWPT, or no longer`, actual: "success" };
};

const I_52: Invariant = {
  id: "I-52",
  statement: "An automatic HWPT is there exactly as long as a device is attached to it.",
  needs: [],
  clauses: ["DEV-20"],
  on: {
    TRANSLATE: (call, outcome, ledger) => domainLives(call.fd, call.in.hwpt_id, outcome, ledger),
    MD_CHECK_MAP: (call, outcome, ledger) => domainLives(call.fd, call.in.hwpt_id, outcome, ledger),
  },
};

const I_56: Invariant = {
  id: "I-56",
  statement:
    "Contexts do not influence each other: options and the compat IOAS read back as this " +
    "context set them, or as at its opening.",
  needs: [],
  clauses: ["GEN-22", "OPT-04", "OPT-10", "VFI-02"],
  on: {
    OPTION: (call, { errno, out }, ledger) => {
      const { option_id: option, op, object_id: id } = call.in;
      if (errno !== 0 || op !== OPTION_OP_GET || out?.val64 === undefined) return undefined;
      const value =
        option === OPTION_RLIMIT_MODE
          ? ledger.contexts.get(call.fd)?.rlimitMode
          : ledger.ioas(call.fd, id)?.huge;
      if (value === undefined || value === out.val64) return value === undefined ? value : HELD;
      return { expected: `value ${value}, as set or as ever`, actual: `${out.val64}` };
    },
    VFIO_IOAS: (call, { errno, out }, ledger) => {
      const compat = ledger.contexts.get(call.fd)?.compat;
      if (call.in.op !== VFIO_IOAS_GET || compat === undefined) return undefined;
      if (errno === "ENODEV") {
        return compat === 0 ? HELD : { expected: `IOAS ${compat}, as set`, actual: errno };
      }
      if (errno !== 0) return undefined;
      if (compat !== 0 && out?.ioas_id === compat) return HELD;
      const expected = compat === 0 ? "ENODEV: none was set" : `IOAS ${compat}, as set`;
      return { expected, actual: `IOAS ${out?.ioas_id}` };
    },
  },
};

export const OBJECTS: readonly Invariant[] = [I_50, I_51, I_52, I_54, I_56];
