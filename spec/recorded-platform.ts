/** The `platform` and `memory` of a recorded trace as a Platform of ours. */
import type { DataError } from "./data-error";
import { decodeField } from "./json/field";
import {
  type Device,
  type MemoryRegion,
  MOCK_FEATURES,
  type Platform,
  type Process,
  VTD_FEATURES,
} from "./platform";
import { platformFlaw } from "./platform-flaw";
import type { Bytes, Iova, IovaRange } from "./units";

type Json = Readonly<Record<string, unknown>>;
type Fail = (where: string, what: string) => DataError;

const PLATFORM_KEYS = new Set([
  "kernel",
  "page_size",
  "iommu",
  "mock_io_page_size",
  "mock_aperture",
  "thp_size",
  "user",
  "aperture",
  "reserved",
  "devices",
]);

const REGION_KEYS = new Set(["va", "length", "prot", "kind", "memfd", "offset"]);
const DEVICE_KEYS = new Set(["dev", "bdf", "group", "cdev"]);

/** Who the process ends up as. It starts as root: SETUID steps say when that ends. */
const USER = /^(root|uid \d+)\b/;

/** @throws DataError through `fail` for anything that is missing, of the wrong type or impossible */
export const recordedPlatform = (platform: unknown, memory: unknown, fail: Fail): Platform => {
  const read = readPlatform(platform, memory, fail);
  const flaw = platformFlaw(read);
  if (flaw !== undefined) throw fail(recordedPlace(flaw.where, read.frontEnd), flaw.what);
  return read;
};

/** Where a recording has what is `where` in a platform of ours. */
const recordedPlace = (where: string, frontEnd: Platform["frontEnd"]): string => {
  const [, region, field = ""] = /^processes\[0\]\.memory\[(\d+)\](\..+)?$/.exec(where) ?? [];
  if (region !== undefined) return `memory ${region}${field.replace(".", ", ")}`;
  const names: Readonly<Record<string, string>> = {
    pageSize: "page_size",
    thpSize: "thp_size",
    "iommus[0].ioPageSize": "mock_io_page_size",
    "iommus[0].aperture": frontEnd === "mock" ? "mock_aperture" : "aperture",
  };
  return `platform, ${names[where] ?? "reserved"}`;
};

const readPlatform = (platform: unknown, memory: unknown, fail: Fail): Platform => {
  const p = asObject(platform, "platform", fail);
  const stranger = Object.keys(p).find((key) => !PLATFORM_KEYS.has(key));
  if (stranger !== undefined) throw fail(`platform, ${stranger}`, "unknown field");
  const user = p["user"] ?? "root";
  if (typeof user !== "string" || !USER.test(user)) {
    throw fail("platform, user", 'expected "root", or "uid N" with what follows');
  }
  const thpSize = u64(p, "thp_size", "platform", fail) as Bytes;
  const pageSize = number(p, "page_size", 4096, "platform", fail);
  const process: Process = {
    uid: 0,
    capabilities: ["IPC_LOCK", "SYS_RESOURCE"],
    memlock: null,
    memory: asList(memory, "memory", fail).map((region, i) => recordedRegion(region, i, fail)),
  };
  const common = { pageSize, thpSize, processes: [process] };
  if (p["iommu"] === "mock") {
    const ioPageSize = number(p, "mock_io_page_size", 2048, "platform", fail);
    const aperture = range(p["mock_aperture"], "platform, mock_aperture", fail);
    return {
      ...common,
      name: "mock",
      frontEnd: "mock",
      iommus: [{ ioPageSize, aperture, ...MOCK_FEATURES }],
      devices: [],
    };
  }
  if (p["iommu"] !== "vt-d") throw fail("platform, iommu", 'expected "mock" or "vt-d"');
  const reserved = asList(p["reserved"], "platform, reserved", fail).map((r) =>
    range(r, "platform, reserved", fail),
  );
  return {
    ...common,
    name: "vt-d",
    frontEnd: "vfio",
    iommus: [
      {
        ioPageSize: 4096,
        aperture: range(p["aperture"], "platform, aperture", fail),
        ...VTD_FEATURES,
      },
    ],
    devices: asList(p["devices"], "platform, devices", fail).map((json, i): Device => {
      const device = asObject(json, `platform, devices ${i}`, fail);
      const stranger = Object.keys(device).find((key) => !DEVICE_KEYS.has(key));
      if (stranger !== undefined)
        throw fail(`platform, devices ${i}, ${stranger}`, "unknown field");
      return {
        iommu: 0,
        group: number(device, "group", undefined, `platform, devices ${i}`, fail),
        reserved,
        coherent: true,
        msiIsolated: true,
        kernelDriverInGroup: false,
      };
    }),
  };
};

const recordedRegion = (json: unknown, index: number, fail: Fail): MemoryRegion => {
  const where = `memory ${index}`;
  const region = asObject(json, where, fail);
  const stranger = Object.keys(region).find((key) => !REGION_KEYS.has(key));
  if (stranger !== undefined) throw fail(`${where}, ${stranger}`, "unknown field");
  const prot = decodeField("prot", region["prot"]);
  const kind = decodeField("backing", region["kind"]);
  const va = decodeField("va", region["va"]);
  if (prot === undefined || kind === undefined || va === undefined) {
    throw fail(where, "needs va, length, prot and kind");
  }
  return {
    name: `buf${index}`,
    va,
    length: u64(region, "length", where, fail) as Bytes,
    prot,
    kind,
    ...(kind === "memfd" && {
      memfd: number(region, "memfd", undefined, where, fail),
      offset: u64(region, "offset", where, fail) as Bytes,
    }),
  };
};

const asObject = (json: unknown, where: string, fail: Fail): Json => {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Json;
  throw fail(where, "expected an object");
};

const asList = (json: unknown, where: string, fail: Fail): readonly unknown[] => {
  if (Array.isArray(json)) return json;
  throw fail(where, "expected a list");
};

const u64 = (json: Json, key: string, where: string, fail: Fail): bigint => {
  const value = decodeField("u64", json[key]);
  if (value === undefined) throw fail(`${where}, ${key}`, 'expected a "0x…" string');
  return value;
};

const number = (
  json: Json,
  key: string,
  absent: number | undefined,
  where: string,
  fail: Fail,
): number => {
  const value = json[key] ?? absent;
  const decoded = decodeField("u32", value);
  if (decoded === undefined) throw fail(`${where}, ${key}`, "expected a number 0..2^32-1");
  return decoded;
};

const range = (json: unknown, where: string, fail: Fail): IovaRange => {
  const [decoded] = decodeField("ranges", [json]) ?? [];
  if (decoded === undefined) throw fail(where, 'expected a ["0x…", "0x…"] pair');
  return [decoded[0] as Iova, decoded[1] as Iova];
};
