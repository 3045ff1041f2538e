/**
 * Simpler values of one argument, the simplest first.
 *
 * Each kind of value has an order of preference; only what comes strictly before the present
 * value is proposed, so simplifying always ends.
 */
import { ABSENT, type FieldType } from "../../spec/fields";
import { Handle } from "../../spec/handle";
import { SCRATCH } from "../../spec/platform";
import { LOST } from "../../spec/resolve";
import { type IovaRange, U64_MAX } from "../../spec/units";
import { kindOf } from "./handles";

const PAGE = 0x1000n;
/** Inside every aperture that there is, so that a domain can be added. */
export const IN_APERTURE = 0x100_0000n;

const PREFERRED: { readonly [K in FieldType]?: readonly bigint[] } = {
  iova: [0n, IN_APERTURE, PAGE, IN_APERTURE + PAGE, 1n, IN_APERTURE + 1n, U64_MAX],
  bytes: [PAGE, 0n, 1n, 0x800n, 2n * PAGE, U64_MAX],
  va: [0n, LOST.u64],
  u64: [0n, 1n, U64_MAX],
};

/** What comes before `value` in `order`; all of it, and then `others`, if it is not there. */
export const earlierIn = <T>(order: readonly T[], value: T, others: readonly T[] = []): T[] => {
  const at = order.indexOf(value);
  return at >= 0 ? order.slice(0, at) : [...order, ...others];
};

/**
 * Smaller ones: towards 0 by halves and by whole pages, so that remains stay round, and then bit
 * by bit down to the smallest that will do.
 */
const smaller = (value: bigint): bigint[] => {
  const half = value >> 1n;
  const low = value & -value;
  const wholePages = [half, value].map((v) => v & ~(PAGE - 1n));
  return [...wholePages, half, value - low, value - (low >> 1n)].filter((v) => v < value);
};

export const simplerBigint = (type: FieldType, value: bigint): bigint[] =>
  earlierIn(PREFERRED[type] ?? [0n], value, smaller(value));

/** Named memory is plainer than any address; where arrays lie is not memory in this sense. */
const inMemory = (type: FieldType, value: bigint): Handle[] => {
  const isArray = SCRATCH.va <= value && value < SCRATCH.va + SCRATCH.length;
  return type === "va" && !isArray ? [new Handle("buf0")] : [];
};

const simplerNumber = (type: FieldType, value: number): number[] => {
  if (type === "id" || type === "fd") return value === ABSENT[type] ? [] : [0];
  if (value < 0) return [0];
  // Few enough to try them all: flags, operations, counts of ranges, devices.
  if (value <= 16) return [...Array(value).keys()];
  const less = [0, 1, (value & (value - 1)) >>> 0, Math.floor(value / 2), value - 1];
  return [...new Set(less)].filter((v) => v >= 0 && v < value);
};

const simplerRanges = (ranges: readonly IovaRange[]): (readonly IovaRange[])[] => {
  const dropped = ranges.map((_, i) => ranges.filter((__, j) => j !== i));
  const range = (first: bigint, bytes: bigint): readonly [bigint, bigint] => [
    first,
    first + bytes - 1n,
  ];
  const narrowed = ranges.flatMap(([start, last], i) => {
    const bytes = last - start + 1n;
    return [
      ...simplerBigint("iova", start).map((simple) => range(simple, bytes)),
      ...simplerBigint("bytes", bytes).flatMap((simple) => [
        range(start, simple),
        range(last - simple + 1n, simple),
      ]),
    ]
      .filter(([first, end]) => 0n <= first && first <= end && end <= U64_MAX)
      .map((simple) => ranges.map((old, j) => (j === i ? (simple as IovaRange) : old)));
  });
  return [...dropped, ...narrowed];
};

type Response = { readonly cookie: unknown; readonly code: number };

const simplerResponses = (responses: readonly Response[]): (readonly Response[])[] => [
  ...responses.map((_, i) => responses.filter((__, j) => j !== i)),
  ...responses.flatMap(({ cookie, code }, i) =>
    code === 0 ? [] : [responses.map((old, j) => (j === i ? { cookie, code: 0 } : old))],
  ),
];

/** One byte is plainer than many, and of many those that are all 0. */
const simplerHex = (digits: string): string[] => {
  if (digits === "") return [];
  const half = digits.slice(0, (digits.length >> 2) << 1);
  const zeros = "0".repeat(digits.length);
  const less = [half, digits.slice(2), zeros].filter((other) => other !== "" && other !== digits);
  return earlierIn(["ff", "01"], digits, less);
};

/** Stands for no mapping: all are earlier. */
const NOTHING = new Handle("");

/** An IOVA as a place in mappings, which mostly begin where an automatic one does. */
const inMappings = (iova: bigint, made: ReadonlySet<string>): Handle[] => {
  const places = [iova, IN_APERTURE, PAGE].map((start) => iova - start);
  return mappingsBefore(NOTHING, made).flatMap(({ name }) =>
    places.filter((add) => add >= 0n).map((add) => new Handle(name, "", add)),
  );
};

/** The same place in mappings that were made earlier than the one that the handle means. */
const mappingsBefore = ({ name, add }: Handle, made: ReadonlySet<string>): Handle[] =>
  earlierIn([...made], name)
    .filter((other) => /^(map|copy)\d/.test(other))
    .map((other) => new Handle(other, "", add));

/** What was attached is mostly a page table that has an earlier name. */
const tablesAmong = (earlier: readonly string[], { name, output }: Handle): Handle[] => {
  if (kindOf(name) !== "pt" && output !== "out_hwpt_id") return [];
  return earlier.flatMap((other) => {
    if (kindOf(other) === "mock") return [new Handle(other, "out_hwpt_id")];
    return kindOf(other) === "hwpt" ? [new Handle(other)] : [];
  });
};

const simplerHandle = (
  handle: Handle,
  type: FieldType,
  made: ReadonlySet<string>,
  near: ReadonlySet<string>,
): unknown[] => {
  const { name, output, add } = handle;
  const isRegion = name.startsWith("buf");
  if (!isRegion && !made.has(name)) {
    // What it resolves to anyway, said plainly.
    if (typeof ABSENT[type] === "bigint") return [LOST.u64];
    if (type === "item") return [LOST.item];
    return [type === "fd" || type === "s32" ? LOST.fd : LOST.id];
  }
  const simpler: Handle[] = [];
  if (type === "iova" && !isRegion) simpler.push(...mappingsBefore(handle, near));
  else if (!isRegion) {
    const earlier = earlierIn([...near], name);
    const alike = earlier.filter((other) => kindOf(other) === kindOf(name));
    simpler.push(...tablesAmong(earlier, handle));
    simpler.push(...alike.map((other) => new Handle(other, output, add)));
  }
  if (isRegion && name !== "buf0") simpler.push(new Handle("buf0"), new Handle("buf0", "", add));
  if (add !== 0n) {
    const page = add & ~(PAGE - 1n);
    for (const less of [0n, 1n, PAGE, page]) {
      if (less < add && less >= 0n) simpler.push(new Handle(name, output, less));
    }
    if (add < 0n) simpler.push(new Handle(name, output, 0n));
  }
  return simpler;
};

/**
 * Simpler values for one argument.
 * @param made handles that stand for something, in the order they are made
 * @param near those of them that may stand there instead, and still make sense
 */
export const simplerValues = (
  value: unknown,
  type: FieldType,
  made: ReadonlySet<string>,
  near = made,
): unknown[] => {
  if (value instanceof Handle) return simplerHandle(value, type, made, near);
  if (typeof value === "bigint") {
    const named = type === "iova" ? inMappings(value, near) : inMemory(type, value);
    return [...named, ...simplerBigint(type, value)];
  }
  if (typeof value === "number") return simplerNumber(type, value);
  if (type === "ranges") return simplerRanges(value as readonly IovaRange[]);
  if (type === "responses") return simplerResponses(value as readonly Response[]);
  if (type === "hex" && typeof value === "string") return simplerHex(value);
  if (type === "prot") return value === "none" ? [] : value === "r" ? ["none"] : ["none", "r"];
  return [];
};
