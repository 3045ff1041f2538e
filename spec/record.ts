/**
 * Writes histories as recordings (docs/recordings.md): the other direction of recording.ts.
 * Handles become the numbers of that run, and files are named as the recorder names them.
 */
import { type Call, FD_NOT_AN_IOMMUFD, FD_NOT_OPEN, type In, type Outcome, shapeOf } from "./calls";
import { ABSENT, type Fields } from "./fields";
import { encodeField } from "./json/field";
import type { Platform } from "./platform";
import { returnValue } from "./recording";
import { LOST, Resolver } from "./resolve";
import type { History } from "./trace";

type Json = Readonly<Record<string, unknown>>;

export interface Recorded {
  /** One line of a recording, without its end. */
  readonly line: string;
  /** Why the recording stops before the history does: the format cannot say what comes then. */
  readonly cut?: string;
}

/** @returns a reason when the format has no word for the platform */
export const recordHistory = (
  { trace, outcomes }: History,
  name: string,
  generator: { readonly seed: number; readonly mix: string },
): Recorded | string => {
  const platform = platformOf(trace.platform);
  if (typeof platform === "string") return platform;
  const memory = (trace.platform.processes[0]?.memory ?? []).map(
    ({ name: _, ...region }) => region,
  );
  const resolver = new Resolver(trace.platform);
  const files = new Files();
  const steps: Json[] = [];
  let cut: string | undefined;
  for (const [i, outcome] of outcomes.entries()) {
    const step = trace.steps[i];
    if (step === undefined) break;
    const call = resolver.resolve(step);
    cut = step.failNth === undefined ? files.objection(call, outcome) : "a failure on demand";
    if (cut !== undefined) break;
    resolver.note(step, outcome);
    steps.push(stepOf(call, outcome, files));
  }
  const line = JSON.stringify(encodeField({ trace: name, generator, platform, memory, steps }));
  return { line, ...(cut !== undefined && { cut }) };
};

const platformOf = ({ pageSize, thpSize, frontEnd, iommus, devices, processes }: Platform) => {
  const [iommu, ...others] = iommus;
  const [process, ...more] = processes;
  const isRoot = process?.uid === 0 && process.memlock === null && process.capabilities.length > 1;
  if (iommu === undefined || others.length > 0) return "a platform with several IOMMUs";
  if (!isRoot || more.length > 0) return "other processes than one of root";
  const common = { page_size: pageSize, thp_size: thpSize, user: "root" };
  const { ioPageSize, aperture } = iommu;
  if (frontEnd === "mock") {
    return { ...common, iommu: "mock", mock_io_page_size: ioPageSize, mock_aperture: aperture };
  }
  const [{ reserved } = { reserved: [] }] = devices;
  const same = (a: unknown): string => JSON.stringify(encodeField(a));
  const alike = devices.every(
    (device) =>
      device.group !== null &&
      device.coherent &&
      device.msiIsolated &&
      !device.kernelDriverInGroup &&
      same(device.reserved) === same(reserved),
  );
  if (!alike || ioPageSize !== pageSize) return "a platform with devices of different kinds";
  const numbered = devices.map(({ group }, dev) => ({ dev, group }));
  return { ...common, iommu: "vt-d", devices: numbered, aperture, reserved };
};

/** The recorder counts iommufds in the order of their OPENs, and names devices by their index. */
class Files {
  /** By the IUT's number. */
  readonly #iommufds = new Map<number, number>();
  readonly #cdevs = new Map<number, { readonly dev: number; open: boolean }>();
  #opened = 0;

  iommufd(fd: number): number {
    return this.#iommufds.get(fd) ?? LOST.fd;
  }

  device(devfd: number): number {
    return this.#cdevs.get(devfd)?.dev ?? LOST.fd;
  }

  /** Takes note of a call; answers what about it has no word in the format. */
  objection(call: Call, { errno, out }: Outcome): string | undefined {
    if (call.proc !== 0 || call.thread !== 0) return "a second process or thread";
    const made = (out ?? {}) as Json;
    const isOpen = (dev: number): boolean =>
      [...this.#cdevs.values()].some((cdev) => cdev.open && cdev.dev === dev);
    if (call.call === "DUP") return "a further number of an iommufd";
    if (shapeOf(call.call).on === "iommufd" && !this.#iommufds.has(call.fd)) {
      return "a call on what was never an iommufd";
    }
    if (call.call === "OPEN" && errno === 0) {
      this.#iommufds.set(made["fd"] as number, this.#opened++);
    } else if (call.call === "DEVICE_OPEN") {
      if (isOpen(call.in.dev)) return "a device that is open twice";
      if (errno === 0) this.#cdevs.set(made["devfd"] as number, { dev: call.in.dev, open: true });
    } else if ("devfd" in call.in) {
      const cdev = this.#cdevs.get(call.in.devfd);
      if (cdev?.open === false && isOpen(cdev.dev)) return "a closed file of a device that is open";
      if (cdev !== undefined && call.call === "DEVICE_CLOSE" && errno === 0) cdev.open = false;
    }
    return undefined;
  }
}

const stepOf = (call: Call, outcome: Outcome, files: Files): Json => {
  const { on, in: fields } = shapeOf(call.call);
  const args = argumentsOf(call, fields, files);
  const out: Record<string, unknown> = { ...outcome.out };
  // Which number a file got is the recorder's own affair.
  const opened = call.call === "OPEN" ? files.iommufd(out["fd"] as number) : undefined;
  delete out["fd"];
  delete out["devfd"];
  const fd = opened ?? (on === "iommufd" ? files.iommufd(call.fd) : undefined);
  const { errno } = outcome;
  return {
    op: call.call,
    ...(fd !== undefined && { fd }),
    in: args,
    errno,
    rc: returnValue(call, outcome),
    ...(Object.keys(out).length > 0 && { out }),
  };
};

const argumentsOf = (call: Call, fields: Fields, files: Files): Json => {
  const args: Record<string, unknown> = {};
  // What is about a device is printed in full, anything else without zeros.
  const full = "devfd" in call.in || call.call === "DEVICE_OPEN";
  if ("devfd" in call.in) args["dev"] = files.device(call.in.devfd);
  for (const [field, type] of Object.entries(fields)) {
    const value = (call.in as Json)[field];
    if (field !== "devfd" && (full || value !== ABSENT[type])) args[field] = value;
  }
  if (call.call === "VFIO_BIND") args["iommufd"] = boundFile(call.in.iommufd, files);
  if (call.call === "VFIO_IOMMU_GET_INFO") args["poison"] = "a5";
  return call.call === "RAW" ? rawArguments(call.in) : args;
};

const rawArguments = ({ nr, bytes, memory, arg }: In<"RAW">): Json => {
  const command = { nr: `0x${nr.toString(16)}` };
  if (memory === "none") return { ...command, arg };
  const word = Buffer.from(bytes, "hex");
  return {
    ...command,
    bytes,
    ...(word.length >= 4 && { size_field: word.readUInt32LE(0) }),
    ...(memory === "r" && { readonly: true }),
  };
};

const boundFile = (number: number, files: Files): Json => {
  const fd = files.iommufd(number);
  if (fd !== LOST.fd) return { fd };
  if (number < 0) return { raw: number, what: "negative" };
  const what = number === FD_NOT_AN_IOMMUFD ? "/dev/null" : "not open";
  return { raw: what === "not open" ? FD_NOT_OPEN : number, what };
};
