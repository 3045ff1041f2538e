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
import { isIoctlCall } from "../../spec/uapi/ioctls";
import { LAYOUTS, WIDTH } from "../../spec/uapi/layouts";
import { wrap64 } from "../../spec/units";
import { bodyOf, FIXED_BODIES } from "./bodies";
import { ByteWriter } from "./byte-writer";
import { BACKING, FRAME, IOCTL_HEADER, PROT, RUN_STEPWISE } from "./protocol";

interface Place {
  readonly offset: number;
  readonly width: number;
}

/** An output that a later call uses, and the slot it is kept in. */
type Uses = ReadonlyMap<string, number>;

interface Relocation extends Place {
  readonly slot: number;
  readonly add: bigint;
}

/** What a run asks for, and how much of it; the id comes back with the answer. */
export interface RunRequest {
  readonly id: number;
  readonly stepwise: boolean;
}

/** @throws RangeError for an argument that the struct of its call cannot hold */
export const encodeRun = (trace: Trace, { id, stepwise }: RunRequest): Buffer => {
  const { platform, steps } = trace;
  const [process] = platform.processes;
  const memory = process?.memory ?? [];
  const plan = planSlots(trace);
  const writer = new ByteWriter();
  writer
    .u32(0)
    .u32(FRAME.run)
    .u32(id)
    .u32(stepwise ? RUN_STEPWISE : 0);
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
    const uses = plan.uses[i];
    writeCall(writer, call, plan.relocations[i] ?? [], storesOf(call, uses));
  });
  const frame = writer.done();
  frame.writeUInt32LE(frame.length - 4, 0);
  return frame;
};

interface Plan {
  readonly slots: number;
  readonly relocations: readonly (readonly Relocation[])[];
  /** Per step, the outputs that are used later. */
  readonly uses: readonly Uses[];
}

/** Which step each handle means, and so which outputs need a slot. */
const planSlots = ({ platform, steps }: Trace): Plan => {
  const regions = regionNames(platform);
  const made = new Map<string, { readonly step: number; readonly call: CallName }>();
  const uses = steps.map(() => new Map<string, number>());
  let slots = 0;
  const relocations = steps.map((step, i) => {
    const found: Relocation[] = [];
    for (const [field, type, handle] of handlesOf(step)) {
      const maker = regions.has(handle.name) ? undefined : made.get(handle.name);
      const place = placeOf(step.call, field);
      if (maker === undefined || place === undefined) continue;
      const output = handle.output === "" ? firstOutput(maker.call) : handle.output;
      const outputType = shapeOf(maker.call).out[output];
      if (outputType === undefined || kindOf(outputType) === "other") continue;
      if (kindOf(outputType) !== kindOf(type)) continue;
      const ofMaker = uses[maker.step];
      const slot = ofMaker?.get(output) ?? slots++;
      ofMaker?.set(output, slot);
      // As in the resolver: constants are for 64-bit numbers only.
      found.push({ ...place, slot, add: kindOf(type) === "wide" ? wrap64(handle.add) : 0n });
    }
    // Also a step that fails unbinds the name: what was made under it before is lost.
    if (step.as !== undefined) made.set(step.as, { step: i, call: step.call });
    return found;
  });
  return { slots, relocations, uses };
};

const regionNames = (platform: Platform): ReadonlySet<string> =>
  new Set(platform.processes.flatMap(({ memory }) => memory.map(({ name }) => name)));

type Kind = "wide" | "narrow" | "other";
const kindOf = (type: FieldType): Kind => {
  const absent = ABSENT[type];
  if (typeof absent === "bigint") return "wide";
  return typeof absent === "number" ? "narrow" : "other";
};

const handlesOf = (step: Step): [field: string, type: FieldType, handle: Handle][] => {
  const { in: types } = shapeOf(step.call);
  const found: [string, FieldType, Handle][] = [];
  if (step.fd instanceof Handle) found.push(["", "fd", step.fd]);
  for (const [field, value] of Object.entries(step.in)) {
    const type = types[field];
    if (type !== undefined && (value as unknown) instanceof Handle) {
      found.push([field, type, value as unknown as Handle]);
    }
  }
  return found;
};

/** Where an argument stands in the body of its call; "" is the file that the call is made on. */
const placeOf = (call: CallName, field: string): Place | undefined => {
  const fixed = FIXED_BODIES[call];
  if (fixed !== undefined) return fixed[field];
  if (!(call in LAYOUTS)) return undefined;
  if (field === "" || field === "devfd") return { offset: 0, width: 4 };
  const layout = LAYOUTS[call as keyof typeof LAYOUTS];
  const found = layout.fields.find(({ name }) => name === field);
  return found && { offset: IOCTL_HEADER + found.offset, width: WIDTH[found.type] };
};

interface Store extends Place {
  readonly slot: number;
}

const storesOf = (call: Call, uses: Uses | undefined): Store[] =>
  [...(uses ?? [])].flatMap(([output, slot]) => {
    // Like decodeOutputs: only GET answers anything.
    if (call.call === "VFIO_IOAS" && call.in.op !== 0) return [];
    if (!isIoctlCall(call)) {
      const offset = call.call === "PROC_STATUS" && output === "VmLck_pages" ? 4 : 0;
      return [{ offset, width: 4, slot }];
    }
    const field = LAYOUTS[call.call].fields.find(({ name }) => name === output);
    return field === undefined ? [] : [{ offset: field.offset, width: WIDTH[field.type], slot }];
  });

const writeCall = (
  writer: ByteWriter,
  call: Call,
  relocations: readonly Relocation[],
  stores: readonly Store[],
): void => {
  const { op, body } = bodyOf(call);
  writer.u8(op).u8(relocations.length).u8(stores.length).u8(0).u32(body.length).put(body);
  for (const { offset, width, slot, add } of relocations) {
    const lost = new Uint8Array(8);
    lost.set(body.subarray(offset, offset + width));
    writer.u16(offset).u8(width).u8(0).u32(slot).u64(add).put(lost);
  }
  for (const { offset, width, slot } of stores) writer.u16(offset).u8(width).u8(0).u32(slot);
};
