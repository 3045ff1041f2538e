/**
 * Reads histories recorded on a real kernel: one JSON object per line (docs/recordings.md).
 * Everything in them is a number of that run, so there are no handles. The names differ from
 * ours in a few places, which `fromRecorded` puts right and nothing else.
 */
import {
  CALL_NAMES,
  type Call,
  type CallName,
  FD_NOT_AN_IOMMUFD,
  FD_NOT_OPEN,
  isCallName,
  type Outcome,
  shapeOf,
} from "./calls";
import { DataError } from "./data-error";
import { type Errno, isErrno } from "./errno";
import { ABSENT, type Fields, type FieldType, type PageFault } from "./fields";
import { duplicateKey } from "./json/duplicate-key";
import { decodeField, decodeU64, FIELD_HINT } from "./json/field";
import { type Platform, SCRATCH } from "./platform";
import { recordedPlatform } from "./recorded-platform";
import { PAGE_FAULT } from "./uapi/layouts";

export interface RecordedStep {
  readonly call: Call;
  readonly outcome: Outcome;
}

export interface Recording {
  /** "core-1". */
  readonly name: string;
  readonly platform: Platform;
  readonly steps: readonly RecordedStep[];
}

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
  const twice = duplicateKey(line.trim(), json);
  if (twice !== undefined) throw fail(twice, "is there twice");
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

const readStep = (step: Json, op: string, fail: Fail): RecordedStep => {
  for (const key in step) if (!STEP_KEYS.has(key)) throw fail(`, ${key}`, "unknown field");
  const { errno, rc, in: args = {}, out = {} } = step;
  if (!isOutcome(errno)) throw fail(", errno", `unknown errno ${JSON.stringify(errno)}`);
  if (!isCallName(op)) throw fail("", "unknown call");
  if (!isObject(args)) throw fail(", in", "expected an object");
  if (!isObject(out)) throw fail(", out", "expected an object");
  if (rc !== undefined && typeof rc !== "number") throw fail(", rc", "expected a return value");
  const fd = readFd(op, step["fd"], fail);
  // What was parsed is nobody else's, and is put right where it is.
  fromRecorded(op, { args, out, errno, rc, fd }, fail);
  const fields = FIELDS.get(op) as CallFields;
  const call = {
    call: op,
    proc: 0,
    thread: 0,
    fd: fields.onIommufd ? fd : -1,
    in: readFields(fields.in, args, (f, what) => fail(`, in.${f}`, what)) ?? {},
  } as Call;
  const outputs = readFields(fields.out, out, (f, what) => fail(`, out.${f}`, what));
  const outcome = (outputs === undefined ? { errno } : { errno, out: outputs }) as Outcome;
  const right = returnValue(call, outcome);
  if (rc !== undefined && rc !== right) throw fail(", rc", `expected ${right}, as the outputs say`);
  return { call, outcome };
};

/** The iommufd that a step is on, or the new one; where there is none, its absence says so. */
const readFd = (op: CallName, fd: unknown, fail: Fail): number => {
  const { on, in: args } = shapeOf(op);
  const isNeeded = on === "iommufd" || op === "OPEN";
  if (fd === undefined && !isNeeded) return -1;
  // Files that were made on an iommufd are told together with it.
  if (!isNeeded && !("access_fd" in args || "fault_fd" in args))
    throw fail(", fd", "unknown field");
  if (!Number.isInteger(fd) || Number(fd) < 0 || Number(fd) >= FD_NOT_OPEN) {
    throw fail(", fd", "expected the number of an iommufd, from 0 on");
  }
  return Number(fd);
};

const isOutcome = (errno: unknown): errno is 0 | Errno =>
  errno === 0 || (typeof errno === "string" && isErrno(errno));

/**
 * True if the step may have changed something. For judges that do not know every call yet: after
 * such a step of an unknown call nothing can be judged. VFIO_UNMAP_DMA cuts before it fails
 * (VCC-16); a response that cannot be stored undoes nothing (GEN-16).
 */
export const mayHaveEffect = ({ call, outcome }: RecordedStep): boolean => {
  if (shapeOf(call.call).probe) return false;
  if (outcome.errno === 0 || call.call === "VFIO_UNMAP_DMA") return true;
  return call.call === "RAW" && call.in.memory === "r";
};

/** What the system call returns, given its outcome. */
export const returnValue = (call: Call, { errno, out }: Outcome): number => {
  if (errno !== 0) return -1;
  const outputs = (out ?? {}) as Json;
  switch (call.call) {
    case "MEM_WRITE":
      return call.in.bytes.length / 2;
    case "MEM_READ":
      return call.in.length;
    case "FAULT_READ":
      return PAGE_FAULT.size * (outputs["records"] as readonly PageFault[]).length;
    case "FAULT_POLL":
      return outputs["revents"] === 0 ? 0 : 1;
    default:
      return Number(outputs["rc"] ?? 0);
  }
};

/** The fields of a call, looked up once; `absent` is what stands in for one that is not there. */
interface CallFields {
  readonly onIommufd: boolean;
  readonly in: FieldList;
  readonly out: FieldList;
}

type FieldList = ReadonlyMap<string, { readonly type: FieldType; readonly absent: unknown }>;

const listOf = (fields: Fields, absentOf: (type: FieldType) => unknown): FieldList =>
  new Map(Object.entries(fields).map(([name, type]) => [name, { type, absent: absentOf(type) }]));

const FIELDS: ReadonlyMap<CallName, CallFields> = new Map(
  CALL_NAMES.map((call) => {
    const { on, in: args, out } = shapeOf(call);
    const given = listOf(args, (type) => ABSENT[type]);
    return [call, { onIommufd: on === "iommufd", in: given, out: listOf(out, () => undefined) }];
  }),
);

/** Undefined: there are none. */
const readFields = (fields: FieldList, json: Json, fail: Fail): Json | undefined => {
  for (const key in json) {
    if (json[key] !== undefined && !fields.has(key)) throw fail(key, "unknown field");
  }
  let values: Record<string, unknown> | undefined;
  for (const [name, { type, absent }] of fields) {
    const given = json[name];
    const value = given === undefined ? absent : decodeField(type, given);
    if (value !== undefined) {
      values ??= {};
      values[name] = value;
    } else if (given !== undefined) throw fail(name, `expected ${FIELD_HINT[type]}`);
  }
  return values;
};

/** A field that is undefined is not there: to delete it would make a slow object of the others. */
interface Recorded {
  readonly args: Record<string, unknown>;
  readonly out: Record<string, unknown>;
  readonly errno: 0 | Errno;
  readonly rc: number | undefined;
  readonly fd: number;
}

/** Puts right where the recorder's names and habits differ from the call table. */
const fromRecorded = (op: CallName, recorded: Recorded, fail: Fail): void => {
  const { args, out, errno, rc, fd } = recorded;
  const rename = (from: string, to: string): void => {
    if (args[from] !== undefined) args[to] = args[from];
    args[from] = undefined;
  };
  // A recorded output that is absent holds nothing, or was not changed.
  const otherwise = (name: string, value: unknown): void => {
    if (errno === 0 && value !== undefined) out[name] ??= value;
  };
  switch (op) {
    case "OPEN":
      out["fd"] = fd;
      return;
    case "DEVICE_OPEN":
      // The recorder has one open file per device, and names it by the device's index.
      if (errno === 0) out["devfd"] = args["dev"];
      return;
    case "DMA":
      // Advisory: the log of the IOMMU tells nothing reliable.
      out["dmar_fault_logged"] = undefined;
      rename("dev", "devfd");
      return;
    case "VFIO_BIND":
      args["iommufd"] = boundFd(args["iommufd"]);
      rename("dev", "devfd");
      return;
    case "DEVICE_CLOSE":
    case "VFIO_ATTACH":
    case "VFIO_DETACH":
    case "VFIO_GET_INFO":
      rename("dev", "devfd");
      return;
    case "IOAS_IOVA_RANGES":
      // Absent means that no element was written.
      if (out["num_iovas"] !== undefined) out["array"] ??= [];
      return;
    case "GET_HW_INFO":
      args["writable_bytes"] ??= scratchFrom(args["data_uptr"]);
      otherwise("data", "");
      return;
    case "HWPT_INVALIDATE":
      args["data"] =
        scratchFrom(args["data_uptr"]) === 0
          ? ""
          : extended(args["data"], Number(args["data_total"] ?? 0));
      args["data_total"] = undefined;
      return;
    case "DIRTY":
      args["bitmap"] = readableBitmap(args);
      return;
    case "ACCESS_RW":
      args["accessible_bytes"] ??= scratchFrom(args["uptr"]);
      args["access_fd"] = signed(args["access_fd"]);
      return;
    case "ACCESS_PAGES":
    case "DESTROY_ACCESS_PAGES":
    case "ACCESS_REPLACE_IOAS":
      args["access_fd"] = signed(args["access_fd"]);
      return;
    case "CLOSE_FAULT":
      // A remark of the recorder's.
      args["fault_id"] = undefined;
      return;
    case "FAULT_READ":
      otherwise("records", []);
      return;
    case "FAULT_POLL":
      otherwise("revents", 0);
      return;
    case "VFIO_GET_API_VERSION":
    case "VFIO_CHECK_EXTENSION":
    case "VFIO_SET_IOMMU":
      args["arg"] = hexOf(args["arg"]);
      otherwise("rc", rc);
      return;
    case "FAULT_WRITE":
      otherwise("rc", rc);
      return;
    case "VFIO_IOMMU_GET_INFO":
      if (args["poison"] !== "a5") throw fail(", in.poison", 'expected "a5"');
      args["poison"] = undefined;
      return;
    case "RAW":
      rawFromRecorded(recorded, fail);
      return;
  }
};

/** Two bytes of a page that is followed by nothing start here. */
const TWO_BYTES_LEFT = "0x100100ffe";

const rawFromRecorded = ({ args, out, errno }: Recorded, fail: Fail): void => {
  args["nr"] = Number(args["nr"]);
  const { bytes, size_field, readonly, arg } = args;
  if (typeof bytes === "string") {
    const word = Buffer.from(bytes, "hex");
    if (word.length >= 4 && word.readUInt32LE(0) !== (size_field ?? 0)) {
      throw fail(", in.size_field", "expected what the leading bytes say");
    }
    args["memory"] = readonly === true ? "r" : "rw";
  } else if (arg === TWO_BYTES_LEFT) {
    args["memory"] = "rw";
    args["bytes"] = "0000";
    args["arg"] = undefined;
  }
  args["size_field"] = undefined;
  args["readonly"] = undefined;
  if (errno === 0) out["bytes"] ??= args["bytes"];
};

/** The recorder writes -1 as an unsigned number. */
const signed = (json: unknown): unknown => (typeof json === "number" ? json | 0 : json);

const hexOf = (json: unknown): unknown =>
  typeof json === "number" ? `0x${json.toString(16)}` : json;

/** How much of the scratch memory lies at and behind a recorded address. */
const scratchFrom = (json: unknown): number => {
  const room = SCRATCH.va + SCRATCH.length - (decodeU64(json) ?? 0n);
  return room > 0n && room <= SCRATCH.length ? Number(room) : 0;
};

const extended = (json: unknown, bytes: number): unknown =>
  typeof json === "string" ? json.padEnd(2 * bytes, "0") : json;

/** The recorder leaves out zeros at the end of the bitmap that it put at uptr. */
const readableBitmap = ({ uptr, bitmap, length, page_size }: Recorded["args"]): unknown => {
  const [bytes, page] = [decodeU64(length) ?? 0n, decodeU64(page_size) ?? 0n];
  const room = scratchFrom(uptr);
  if (room === 0) return "";
  const needed = page === 0n ? 0n : (bytes / page + 7n) / 8n;
  return extended(bitmap, Math.min(room, Number(needed)));
};

const boundFd = (json: unknown): unknown => {
  if (!isObject(json)) return json;
  if (typeof json["fd"] === "number") return json["fd"];
  if (json["what"] === "negative") return -1;
  return json["what"] === "/dev/null" ? FD_NOT_AN_IOMMUFD : FD_NOT_OPEN;
};
