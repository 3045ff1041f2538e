/**
 * Reads histories recorded on a real kernel: one JSON object per line (docs/recordings.md).
 * Everything in them is a number of that run, so there are no handles. The names differ from
 * ours in a few places, which `fromRecorded` puts right and nothing else.
 */
import {
  type Call,
  FD_NOT_AN_IOMMUFD,
  FD_NOT_OPEN,
  isCallName,
  type Outcome,
  shapeOf,
} from "./calls";
import { DataError } from "./data-error";
import { isErrno } from "./errno";
import { ABSENT, type Fields } from "./fields";
import { decodeField, FIELD_HINT } from "./json/field";
import type { Need } from "./needs";
import type { Platform } from "./platform";
import { recordedPlatform } from "./recorded-platform";

/**
 * A recorded step, or one whose call this version does not know yet. If that one may have changed
 * something, nothing after it can be judged.
 */
export type RecordedStep =
  | { readonly call: Call; readonly outcome: Outcome }
  | { readonly unsupported: string; readonly needs: Need; readonly mayHaveEffect: boolean };

export interface Recording {
  /** "core-1". */
  readonly name: string;
  readonly platform: Platform;
  readonly steps: readonly RecordedStep[];
}

/** Recorded calls that the call table does not have yet, and what they would need. */
const NOT_YET: Readonly<Record<string, Need>> = {
  HWPT_ALLOC: "hwpt",
  GET_HW_INFO: "hwpt",
  HWPT_SET_DIRTY_TRACKING: "dirty",
  HWPT_GET_DIRTY_BITMAP: "dirty",
  DIRTY: "dirty",
  HWPT_INVALIDATE: "nesting",
  MD_CHECK_IOTLB: "nesting",
  FAULT_QUEUE_ALLOC: "fault-queue",
  FAULT_READ: "fault-queue",
  FAULT_WRITE: "fault-queue",
  FAULT_POLL: "fault-queue",
  CLOSE_FAULT: "fault-queue",
  TRIGGER_IOPF: "fault-queue",
  CREATE_ACCESS: "access",
  CLOSE_ACCESS: "access",
  ACCESS_PAGES: "access",
  DESTROY_ACCESS_PAGES: "access",
  ACCESS_RW: "access",
  ACCESS_REPLACE_IOAS: "access",
  VFIO_GET_API_VERSION: "compat",
  VFIO_CHECK_EXTENSION: "compat",
  VFIO_SET_IOMMU: "compat",
  VFIO_IOMMU_GET_INFO: "compat",
  VFIO_MAP_DMA: "compat",
  VFIO_UNMAP_DMA: "compat",
  VFIO_GET_INFO: "vfio",
  SETRLIMIT_MEMLOCK: "memlimit",
  SETUID: "privilege",
  RAW: "raw-bytes",
};

type Json = Readonly<Record<string, unknown>>;
const isObject = (json: unknown): json is Json =>
  typeof json === "object" && json !== null && !Array.isArray(json);

/**
 * @param file name for error messages
 * @throws DataError naming file, line and field
 */
export const readRecordings = (text: string, file: string): Recording[] =>
  text.split("\n").flatMap((line, i) => (line.trim() === "" ? [] : [readLine(line, file, i + 1)]));

const readLine = (line: string, file: string, lineNumber: number): Recording => {
  const fail = (where: string, what: string): DataError =>
    new DataError(file, where === "" ? `line ${lineNumber}` : `line ${lineNumber}, ${where}`, what);
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw fail("", "not JSON; expected one recorded trace per line");
  }
  if (!isObject(json) || typeof json["trace"] !== "string" || !Array.isArray(json["steps"])) {
    throw fail("", "not a recorded trace: needs trace, platform, memory and steps");
  }
  const stranger = Object.keys(json).find((key) => !TRACE_KEYS.has(key));
  if (stranger !== undefined) throw fail(stranger, "unknown field");
  const platform = recordedPlatform(json["platform"], json["memory"], fail);
  const steps = json["steps"].map((step: unknown, i) => {
    const at = `step ${i}`;
    if (!isObject(step) || typeof step["op"] !== "string") throw fail(at, "has no op");
    return readStep(step, step["op"], (where, what) => fail(`${at} (${step["op"]})${where}`, what));
  });
  return { name: json["trace"], platform, steps };
};

const TRACE_KEYS = new Set(["trace", "generator", "platform", "memory", "steps"]);
const STEP_KEYS = new Set(["op", "fd", "in", "errno", "rc", "out"]);

type Fail = (where: string, what: string) => DataError;

/** VFIO_UNMAP_DMA cuts before it fails (VCC-16); a response fault undoes nothing (GEN-16). */
const changesOnFailure = (op: string, step: Json): boolean =>
  op === "VFIO_UNMAP_DMA" ||
  (op === "RAW" && isObject(step["in"]) && step["in"]["readonly"] === true);

const readStep = (step: Json, op: string, fail: Fail): RecordedStep => {
  const stranger = Object.keys(step).find((key) => !STEP_KEYS.has(key));
  if (stranger !== undefined) throw fail(`, ${stranger}`, "unknown field");
  const errno = step["errno"];
  if (errno !== 0 && (typeof errno !== "string" || !isErrno(errno))) {
    throw fail(", errno", `unknown errno ${JSON.stringify(errno)}`);
  }
  if (!isCallName(op)) {
    const needs = Object.hasOwn(NOT_YET, op) ? NOT_YET[op] : undefined;
    if (needs === undefined) throw fail("", "unknown call");
    return { unsupported: op, needs, mayHaveEffect: errno === 0 || changesOnFailure(op, step) };
  }
  const { args, out } = fromRecorded(op, step);
  const shape = shapeOf(op);
  const fd = step["fd"] ?? -1;
  if (typeof fd !== "number") throw fail(", fd", "expected a file descriptor");
  const call = {
    call: op,
    proc: 0,
    thread: 0,
    fd: shape.on === "iommufd" ? fd : -1,
    in: readFields(shape.in, args, true, (f, what) => fail(`, in.${f}`, what)),
  } as Call;
  const outputs = readFields(shape.out, out, false, (f, what) => fail(`, out.${f}`, what));
  const outcome = { errno, ...(Object.keys(outputs).length > 0 && { out: outputs }) } as Outcome;
  return { call, outcome };
};

const readFields = (fields: Fields, json: Json, fill: boolean, fail: Fail): Json => {
  for (const key of Object.keys(json)) {
    if (!Object.hasOwn(fields, key)) throw fail(key, "unknown field");
  }
  const values: Record<string, unknown> = {};
  for (const [field, type] of Object.entries(fields)) {
    if (json[field] === undefined) {
      if (fill) values[field] = ABSENT[type];
      continue;
    }
    const value = decodeField(type, json[field]);
    if (value === undefined) throw fail(field, `expected ${FIELD_HINT[type]}`);
    values[field] = value;
  }
  return values;
};

/** Where the recorder's names differ from the call table's. */
const fromRecorded = (op: string, step: Json): { args: Json; out: Json } => {
  const args: Record<string, unknown> = { ...(isObject(step["in"]) ? step["in"] : {}) };
  const out: Record<string, unknown> = { ...(isObject(step["out"]) ? step["out"] : {}) };
  switch (op) {
    case "OPEN":
      out["fd"] = step["fd"];
      break;
    case "DEVICE_OPEN":
      // The recorder has one open file per device, and names it by the device's index.
      if (step["errno"] === 0) out["devfd"] = args["dev"];
      break;
    case "DMA":
      // Advisory: the log of the IOMMU tells nothing reliable.
      delete out["dmar_fault_logged"];
      args["devfd"] = args["dev"];
      delete args["dev"];
      break;
    case "DEVICE_CLOSE":
    case "VFIO_BIND":
    case "VFIO_ATTACH":
    case "VFIO_DETACH":
      args["devfd"] = args["dev"];
      delete args["dev"];
      if (op === "VFIO_BIND") args["iommufd"] = boundFd(args["iommufd"]);
      break;
    case "IOAS_IOVA_RANGES":
      // Absent means that no element was written.
      if (out["num_iovas"] !== undefined && out["array"] === undefined) out["array"] = [];
      break;
  }
  return { args, out };
};

const boundFd = (json: unknown): unknown => {
  if (!isObject(json)) return json;
  if (typeof json["fd"] === "number") return json["fd"];
  if (json["what"] === "negative") return -1;
  return json["what"] === "/dev/null" ? FD_NOT_AN_IOMMUFD : FD_NOT_OPEN;
};
