/** A right answer with one thing changed, in every way that a test can think of. */
import { type Call, type CallOf, type Outcome, shapeOf } from "../../spec/calls";
import type { Errno } from "../../spec/errno";
import { ABSENT, type FieldType } from "../../spec/fields";

export interface Corruption {
  /** "IOAS_MAP iova plus one". */
  readonly what: string;
  readonly outcome: Outcome;
}

/** What is alive where the call is made: an answer that hands it out again is wrong. */
export interface Alive {
  readonly ids: readonly number[];
  readonly files: readonly number[];
}

type Change = readonly [how: string, changed: unknown];
type Out = Readonly<Record<string, unknown>>;

const ERRNOS: readonly Errno[] = ["EINVAL", "ENOENT", "EPERM", "EIO", "ENOMEM"];

export const corruptions = (made: Call, outcome: Outcome, alive: Alive): Corruption[] => {
  const { call } = made;
  const { errno } = outcome;
  const out = (outcome.out ?? {}) as Out;
  const found: Corruption[] = ERRNOS.filter((other) => other !== errno).map((other) => ({
    what: `${call} ${errno} to ${other}`,
    outcome: { errno: other } as Outcome,
  }));
  const change = (what: string, outputs: Out): void => {
    const written = Object.keys(outputs).length > 0 && { out: outputs };
    found.push({ what: `${call} ${what}`, outcome: { errno, ...written } as Outcome });
  };
  if (errno !== 0) {
    found.push({ what: `${call} ${errno} to success`, outcome: successOf(made) });
    for (const [name, value] of Object.entries(written(made))) {
      if (out[name] === undefined) change(`${errno} and yet ${name}`, { ...out, [name]: value });
    }
  }
  for (const [name, value] of Object.entries({ ...(errno === 0 && leftOut(made)), ...out })) {
    const { [name]: _, ...others } = out;
    // An array that is left out is an empty one.
    const isSaid = out[name] !== undefined && !(Array.isArray(value) && value.length === 0);
    if (isSaid) change(`without ${name}`, others);
    for (const [how, changed] of [...changes(value), ...again(call, name, value, alive)]) {
      change(`${name} ${how}`, { ...out, [name]: changed });
    }
  }
  return found;
};

/** What an output would say that an answer may leave out. */
const leftOut = ({ call, in: given }: Call): Out => {
  if (call !== "HWPT_GET_DIRTY_BITMAP" || given.prefill === "") return {};
  return { bitmap: given.prefill.repeat(bytesOfBitmap(given)) };
};

const bytesOfBitmap = ({ length, page_size }: CallOf<"HWPT_GET_DIRTY_BITMAP">["in"]): number =>
  Number((length / page_size + 7n) / 8n);

/** Outputs that a call which failed might have written nevertheless. */
const written = (made: Call): Out => {
  const { call, in: given } = made;
  if (call === "RAW" || call === "DEVICE_RAW") {
    return "bytes" in given && given.bytes !== "" ? { bytes: flipped(given.bytes, 0) } : {};
  }
  const outputs = Object.entries(shapeOf(call).out);
  return Object.fromEntries(outputs.map(([name, type]) => [name, JUNK[type]]));
};

const JUNK: { readonly [K in FieldType]: unknown } = {
  ...ABSENT,
  ...{ u8: 42, u16: 42, u32: 4242, s32: 4242, id: 4242, item: 4242, fd: 4242, hex: "5a" },
  ...{ u64: 4242n, iova: 4242n, bytes: 4242n, va: 4242n, ranges: [[0n, 1n]], pins: [[1, 1]] },
};

/** A success with outputs that are as harmless as can be. */
const successOf = ({ call, in: given }: Call): Outcome => {
  const outs: Readonly<Record<string, unknown>> = {
    IOAS_ALLOC: { out_ioas_id: 4242 },
    IOAS_MAP: { iova: 0x7777_0000n },
    IOAS_COPY: { dst_iova: 0x7777_0000n },
    IOAS_UNMAP: { length: 0x1000n },
    IOAS_IOVA_RANGES: { num_iovas: 0, out_iova_alignment: 1n, array: [] },
    OPTION: { val64: 1n },
    VFIO_IOAS: { ioas_id: 1 },
    MOCK_DOMAIN: { out_stdev_id: 4242, out_hwpt_id: 4243, out_idev_id: 4244 },
    MOCK_DOMAIN_FLAGS: { out_stdev_id: 4242, out_hwpt_id: 4243, out_idev_id: 4244 },
    MOCK_DOMAIN_REPLACE: { pt_id: 4242 },
    HWPT_ALLOC: { out_hwpt_id: 4242 },
    GET_HW_INFO: { data_len: 0, out_data_type: 0, out_max_pasid_log2: 0, data: "" },
    HWPT_INVALIDATE: { entry_num: 0 },
    FAULT_QUEUE_ALLOC: { out_fault_id: 4242, out_fault_fd: 4242 },
    FAULT_READ: { records: [] },
    FAULT_WRITE: { rc: 0 },
    DIRTY: { out_nr_dirty: 0n },
    MEM_READ: { bytes: "" },
    CREATE_ACCESS: { out_access_fd: 4242 },
    ACCESS_PAGES: { out_access_pages_id: 4242 },
    VFIO_BIND: { out_devid: 4242 },
    VFIO_ATTACH: { pt_id: 4242 },
    VFIO_SET_IOMMU: { rc: 0 },
    VFIO_UNMAP_DMA: { size: 0n },
    RAW: { bytes: "bytes" in given ? given.bytes : "" },
  };
  return { errno: 0, ...(outs[call] !== undefined && { out: outs[call] }) } as Outcome;
};

const changes = (value: unknown): readonly Change[] => {
  if (typeof value === "bigint") {
    return [
      ["plus one", value + 1n],
      ["to another place", value ^ (1n << 63n)],
      ...(value > 0n ? ([["to zero", 0n]] as const) : []),
    ];
  }
  if (typeof value === "number") {
    return [["plus one", value + 1], ...(value > 0 ? ([["to zero", 0]] as const) : [])];
  }
  if (typeof value === "string") return changesOfBytes(value);
  return Array.isArray(value) ? changesOfList(value) : [];
};

const flipped = (hex: string, at: number): string => {
  const byte = Number.parseInt(hex.slice(2 * at, 2 * at + 2), 16) ^ 0x80;
  return hex.slice(0, 2 * at) + byte.toString(16).padStart(2, "0") + hex.slice(2 * at + 2);
};

const changesOfBytes = (hex: string): readonly Change[] => {
  const bytes = hex.length / 2;
  const made: readonly Change[] = [
    ["to ff", "ff".repeat(Math.max(bytes, 1))],
    ["to 00", "00".repeat(Math.max(bytes, 1))],
    // In a bitmap that may be a bit beyond the range.
    ["with its last bit changed", bytes === 0 ? hex : flipped(hex, bytes - 1)],
    ["with its first byte changed", bytes === 0 ? hex : flipped(hex, 0)],
    ["a byte shorter", hex.slice(0, -2)],
    ["a byte longer", `${hex}5a`],
  ];
  return made.filter(([, changed]) => changed !== hex);
};

const changesOfList = (list: readonly unknown[]): readonly Change[] => {
  const [first, ...rest] = list;
  if (first === undefined) return [["with an element", [[0n, 1n]]]];
  const reversed = [...list].reverse();
  const isSymmetric = list.every((element, i) => same(element, reversed[i]));
  return [
    ["without an element", rest],
    ["without its last element", list.slice(0, -1)],
    ["with an element twice", [first, ...list]],
    ...(isSymmetric ? [] : ([["reversed", reversed]] as const)),
    ...changesOfElement(first).map(
      ([how, changed]): Change => [`with ${how} in its first element`, [changed, ...rest]],
    ),
  ];
};

const isRecord = (value: unknown): value is Out =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const changesOfElement = (element: unknown): readonly Change[] => {
  if (isRecord(element)) {
    return Object.entries(element).flatMap(([name, value]) =>
      changes(value).map(
        ([how, changed]): Change => [`${name} ${how}`, { ...element, [name]: changed }],
      ),
    );
  }
  const [a, b] = element as readonly [unknown, unknown];
  const more = (value: unknown): unknown =>
    typeof value === "bigint" ? value + 1n : Number(value === "EFAULT" ? 0 : value) + 1;
  return [
    ["its start", [more(a), b]],
    ["its end", [a, more(b)]],
  ];
};

const same = (a: unknown, b: unknown): boolean =>
  Array.isArray(a) && Array.isArray(b) ? a.every((each, i) => each === b[i]) : a === b;

/** Ids of objects and numbers of files that name something already. */
const again = (call: Call["call"], name: string, right: unknown, alive: Alive): Change[] => {
  const type = shapeOf(call).out[name];
  const taken = type === "id" ? alive.ids : type === "fd" ? alive.files : [];
  return taken.filter((one) => one !== right).map((one) => ["that is another's", one]);
};
