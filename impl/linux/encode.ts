/**
 * A trace as the bytes of one run.
 *
 * What an earlier call will have answered is not known here, so a handle becomes a relocation:
 * the agent keeps outputs in numbered slots and patches them into the arguments of later calls.
 * The resolver of spec/ is asked as if every call had failed; so it fills in regions of memory,
 * and what a lost handle stands for, which the agent leaves alone when a slot is empty.
 */
import { type Call, type CallName, shapeOf } from "../../spec/calls";
import { ABSENT, type FieldType } from "../../spec/fields";
import { Handle } from "../../spec/handle";
import type { Platform } from "../../spec/platform";
import { firstOutput, Resolver } from "../../spec/resolve";
import type { Step, Trace } from "../../spec/trace";
import { VFIO_IOAS_GET } from "../../spec/uapi/flags";
import type { IoctlName } from "../../spec/uapi/ioctls";
import { LAYOUTS, type Layout, PAGE_FAULT, PAGE_RESPONSE, WIDTH } from "../../spec/uapi/layouts";
import { wrap64 } from "../../spec/units";
import { FIXED_BODIES, writeBody } from "./bodies";
import { ByteWriter } from "./byte-writer";
import { BACKING, FRAME, IOCTL_HEADER, PROT, RUN } from "./protocol";

interface Place {
  readonly offset: number;
  readonly width: number;
}

interface Relocation extends Place {
  /** Bytes of the value that are not put there, from the lowest. */
  readonly skip: number;
  readonly slot: number;
  readonly add: bigint;
}

/** What a run asks for, and how much of it; the id comes back with the answer. */
export interface RunRequest {
  readonly id: number;
  /** True: each answer is sent at once. */
  readonly stepwise?: true;
  /** True: no call is made, the only answer says how the memory lies. */
  readonly layout?: true;
}

const flagsOf = ({ platform, steps }: Trace, { stepwise, layout }: RunRequest): number =>
  (stepwise === true ? RUN.stepwise : 0) |
  (layout === true ? RUN.layout : 0) |
  (platform.physical === undefined ? 0 : RUN[platform.physical]) |
  (steps.some(isOfProcesses) ? RUN.processes : 0);

/** A trace without such a step runs without the detour over who is to make its calls. */
const isOfProcesses = ({ call, proc }: Step): boolean =>
  call === "FORK" || call === "EXIT" || (proc ?? 0) !== 0;

/** The agent has room for a few processes; any other index is nobody's, and so is this one. */
const NOBODY = 0xff;

/** @throws RangeError for an argument that the struct of its call cannot hold */
export const encodeRun = (trace: Trace, request: RunRequest): Buffer => {
  const { platform, steps } = trace;
  const [process] = platform.processes;
  const memory = process?.memory ?? [];
  const plan = planSlots(trace);
  const writer = new ByteWriter();
  writer.u32(0).u32(FRAME.run).u32(request.id).u32(flagsOf(trace, request));
  writer.u32(memory.length).u32(steps.length).u32(plan.slots);
  for (const { va, length, offset, memfd, prot, kind } of memory) {
    writer
      .u64(va)
      .u64(length)
      .u64(offset ?? 0n)
      .u32(memfd ?? 0);
    writer.u8(PROT[prot]).u8(BACKING[kind]).u16(0);
  }
  const resolver = new Resolver(platform);
  steps.forEach((step, i) => {
    const call = resolver.resolve(step);
    const stores = isMute(call) ? NO_STORES : (plan.stores[i] ?? NO_STORES);
    const relocations = plan.relocations[i] ?? NO_RELOCATIONS;
    writeCall(writer, call, step.failNth ?? 0, relocations, stores);
  });
  return writer.patch32(0, writer.length - 4).done();
};

interface Plan {
  readonly slots: number;
  readonly relocations: readonly (readonly Relocation[])[];
  /** Per step, the outputs that are used later. */
  readonly stores: readonly (readonly Store[] | undefined)[];
}

/** Which step each handle means, and so which outputs need a slot. */
const planSlots = ({ platform, steps }: Trace): Plan => {
  const regions = regionNames(platform);
  const made = new Map<string, { readonly step: number; readonly call: CallName }>();
  const stores: (Store[] | undefined)[] = steps.map(() => undefined);
  let slots = 0;
  const relocations = steps.map((step, i) => {
    let found: Relocation[] | undefined;
    visitHandles(step, (field, type, handle) => {
      const maker = regions.has(handle.name) ? undefined : made.get(handle.name);
      const place = placeOf(step.call, field);
      if (maker === undefined || place === undefined) return;
      const output = handle.output === "" ? firstOutput(maker.call) : handle.output;
      const outputType = outputTypeOf(maker.call, output);
      if (outputType === undefined || kindOf(outputType) === "other") return;
      if (kindOf(outputType) !== kindOf(type)) return;
      const ofMaker = stores[maker.step] ?? [];
      stores[maker.step] = ofMaker;
      let slot = ofMaker.find((one) => one.output === output)?.slot;
      if (slot === undefined) {
        slot = slots++;
        const { offset, width } = outputAt(maker.call, output);
        ofMaker.push({ offset, width, output, slot });
      }
      // As in the resolver: constants are for 64-bit numbers only.
      const add = kindOf(type) === "wide" ? wrap64(handle.add) : 0n;
      found ??= [];
      putParts(found, step, field, place, slot, add);
    });
    // Also a step that fails unbinds the name: what was made under it before is lost.
    if (step.as !== undefined) made.set(step.as, { step: i, call: step.call });
    return found ?? NO_RELOCATIONS;
  });
  return { slots, relocations, stores };
};

const NO_RELOCATIONS: readonly Relocation[] = [];

const regionNames = (platform: Platform): ReadonlySet<string> =>
  new Set(platform.processes.flatMap(({ memory }) => memory.map(({ name }) => name)));

type Kind = "wide" | "narrow" | "other";
const kindOf = (type: FieldType): Kind => {
  const absent = ABSENT[type];
  if (typeof absent === "bigint") return "wide";
  return typeof absent === "number" ? "narrow" : "other";
};

/** The nth cookie of a FAULT_READ, and where it stands. */
const COOKIE = /^cookie(\d+)$/;

const cookieAt = (call: CallName, output: string): Place | undefined => {
  const index = call === "FAULT_READ" ? COOKIE.exec(output)?.[1] : undefined;
  const cookie = PAGE_FAULT.fields.find(({ name }) => name === "cookie")?.offset ?? 0;
  return index === undefined ? undefined : at(Number(index) * PAGE_FAULT.size + cookie, 4);
};

const outputTypeOf = (call: CallName, output: string): FieldType | undefined =>
  cookieAt(call, output) === undefined ? shapeOf(call).out[output] : "u32";

/** Adds what puts an output where the edits of a raw call leave room for it. */
const putParts = (
  found: Relocation[],
  { call, raw }: Step,
  field: string,
  { offset, width }: Place,
  slot: number,
  add: bigint,
): void => {
  const whole = { offset, width, skip: 0, slot, add };
  if (raw === undefined || offset < IOCTL_HEADER) {
    found.push(whole);
    return;
  }
  const layout = LAYOUTS[call as IoctlName];
  const isPointer = layout.fields.some(({ name, pointer }) => name === field && pointer === true);
  if (raw.memory === "none" || isPointer) return;
  const edits: readonly (readonly [from: number, to: number])[] = [
    [raw.keep ?? layout.size, Number.POSITIVE_INFINITY],
    ...(raw.put ?? []).map(([from, hex]) => [from, from + hex.length / 2] as const),
  ];
  const isLeft = (byte: number): boolean =>
    !edits.some(([from, to]) => byte - IOCTL_HEADER >= from && byte - IOCTL_HEADER < to);
  const parts: Relocation[] = [];
  for (let skip = 0; skip < width; skip++) {
    if (isLeft(offset + skip)) parts.push({ offset: offset + skip, width: 1, skip, slot, add });
  }
  found.push(...(parts.length === width ? [whole] : parts));
};

/** Every handle of a step; most steps have one or two, and a list of them would cost more. */
const visitHandles = (
  step: Step,
  visit: (field: string, type: FieldType, handle: Handle) => void,
): void => {
  const { in: types } = shapeOf(step.call);
  const args = step.in as Readonly<Record<string, unknown>>;
  if (step.fd instanceof Handle) visit("", "fd", step.fd);
  for (const field in args) {
    const value = args[field];
    if (!(value instanceof Handle)) continue;
    const type = types[field];
    if (type !== undefined) visit(field, type, value);
  }
  if (step.call === "FAULT_WRITE" && Array.isArray(step.in.responses)) {
    step.in.responses.forEach(({ cookie }, i) => {
      if (cookie instanceof Handle) visit(`responses${i}`, "u32", cookie);
    });
  }
};

const placesOf = (layout: Layout, from: number): ReadonlyMap<string, Place> =>
  new Map(layout.fields.map(({ name, offset, type }) => [name, at(from + offset, WIDTH[type])]));

const at = (offset: number, width: number): Place => ({ offset, width });

/** Where the fields of a struct stand in an answer, and the arguments of an ioctl in its body. */
const FIELDS = new Map<string, ReadonlyMap<string, Place>>();
const ARGUMENTS = new Map<string, ReadonlyMap<string, Place>>();
for (const [call, layout] of Object.entries(LAYOUTS)) {
  FIELDS.set(call, placesOf(layout, 0));
  const file = at(0, 4);
  ARGUMENTS.set(call, new Map([...placesOf(layout, IOCTL_HEADER), ["", file], ["devfd", file]]));
}

/** The cookies of FAULT_WRITE. */
const responseAt = (call: CallName, field: string): Place | undefined => {
  const index = call === "FAULT_WRITE" ? /^responses(\d+)$/.exec(field)?.[1] : undefined;
  return index === undefined ? undefined : at(8 + Number(index) * PAGE_RESPONSE.size, 4);
};

/** Where an argument stands in the body of its call; "" is the file that the call is made on. */
const placeOf = (call: CallName, field: string): Place | undefined =>
  responseAt(call, field) ?? FIXED_BODIES[call]?.[field] ?? ARGUMENTS.get(call)?.get(field);

interface Store extends Place {
  readonly output: string;
  readonly slot: number;
}

const NO_STORES: readonly Store[] = [];

/** Where an output stands in the answer of its call. */
const outputAt = (call: CallName, output: string): Place => {
  const second = call === "PROC_STATUS" && output === "VmLck_pages";
  return FIELDS.get(call)?.get(output) ?? cookieAt(call, output) ?? at(second ? 4 : 0, 4);
};

/** Like decodeOutputs: of VFIO_IOAS, only GET answers anything. */
const isMute = (call: Call): boolean => call.call === "VFIO_IOAS" && call.in.op !== VFIO_IOAS_GET;

const writeCall = (
  writer: ByteWriter,
  call: Call,
  failNth: number,
  relocations: readonly Relocation[],
  stores: readonly Store[],
): void => {
  const start = writer.length;
  writer.u8(0).u8(relocations.length).u8(stores.length).u8(Math.min(call.proc, NOBODY));
  writer.u32(0).u32(failNth);
  const body = writer.length;
  const op = writeBody(writer, call);
  writer.patch8(start, op).patch32(start + 4, writer.length - body);
  for (const { offset, width, skip, slot, add } of relocations) {
    // What stands there now is what the handle is when it is lost.
    writer
      .u16(offset)
      .u8(width)
      .u8(skip)
      .u32(slot)
      .u64(add)
      .again(body + offset, width, 8);
  }
  for (const { offset, width, slot } of stores) writer.u16(offset).u8(width).u8(0).u32(slot);
};
