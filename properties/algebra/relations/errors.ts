/**
 * Which error a call reports that is wrong in several ways.
 *
 * That framing comes first is documented (UNS-07); for the rest there is no order, but whatever
 * it is: what fails for several reasons fails for one of them. All these calls fail, so that they
 * meet one and the same state.
 */
import type { Arg, Handle } from "../../../spec/handle";
import type { RawEdits } from "../../../spec/raw";
import type { StepOf } from "../../../spec/trace";
import {
  DMA_MAP_READ,
  MAP_FIXED_IOVA,
  MAP_READABLE,
  OPTION_HUGE_PAGES,
  OPTION_OP_SET,
  VFIO_IOAS_SET,
} from "../../../spec/uapi/flags";
import { LAYOUTS } from "../../../spec/uapi/layouts";
import { type Iova, U64_MAX, type UserVa } from "../../../spec/units";
import type { Composer } from "../../arbitrary/composer";
import { PAGE } from "../../arbitrary/values";
import { drawPlan, type Fixed, freeDevices, noMemory, permuted } from "../plan";
import { relation } from "../relation";
import { Side } from "../side";
import type { Tail } from "../tail";

/** What is wrong with one field of a call; two of them do not touch the same field. */
interface Fault {
  readonly field: string;
  readonly value: unknown;
}

/** Calls that would do well, and what can be wrong with each. */
type Faulty = "IOAS_MAP" | "IOAS_COPY" | "IOAS_UNMAP" | "OPTION" | "HWPT_ALLOC" | "VFIO_MAP_DMA";
interface Case {
  readonly step: { [K in Faulty]: StepOf<K> }[Faulty];
  readonly faults: readonly Fault[];
}

const is = (field: string, ...values: readonly unknown[]): readonly Fault[] =>
  values.map((value) => ({ field, value }));

/** The last bytes of the address space: no page fits there. */
const END = U64_MAX - 0x7ffn;
const NO_ID = 0;
const UNKNOWN_FLAG = 0x100;

interface Ground {
  readonly fd: Handle;
  readonly ioas: Handle;
  readonly other: Handle;
  readonly device: Handle | undefined;
  /** Mapped in `ioas`, and what might be mapped besides. */
  readonly there: Fixed;
  readonly free: Iova;
}

const casesOn = ({ fd, ioas, other, device, there, free }: Ground): readonly Case[] => {
  const { va: user_va, bytes: length, at } = there;
  const flags = MAP_FIXED_IOVA | MAP_READABLE;
  const badVa = is("user_va", END as UserVa, noMemory(there));
  const place = { user_va: user_va as Arg<UserVa>, length, iova: free };
  const dma = { argsz: LAYOUTS.VFIO_MAP_DMA.size, vaddr: user_va as Arg<UserVa>, size: length };
  const option = { option_id: OPTION_HUGE_PAGES, op: OPTION_OP_SET, object_id: other, val64: 1n };
  return [
    {
      step: { call: "IOAS_MAP", fd, in: { flags, ioas_id: ioas, ...place } },
      faults: [
        ...is("flags", flags | UNKNOWN_FLAG, MAP_FIXED_IOVA),
        ...is("reserved", 1),
        ...is("ioas_id", NO_ID),
        ...is("length", 0n),
        ...is("iova", at, END, U64_MAX),
        ...badVa,
      ],
    },
    {
      step: {
        call: "IOAS_COPY",
        fd,
        in: { flags, src_ioas_id: ioas, dst_ioas_id: other, length, src_iova: at, dst_iova: free },
      },
      faults: [
        ...is("flags", flags | UNKNOWN_FLAG, MAP_FIXED_IOVA),
        ...is("src_ioas_id", NO_ID),
        ...is("dst_ioas_id", NO_ID),
        ...is("length", 0n, U64_MAX),
        ...is("src_iova", free),
        ...is("dst_iova", END, U64_MAX),
      ],
    },
    {
      step: { call: "IOAS_UNMAP", fd, in: { ioas_id: ioas, iova: at, length } },
      faults: [
        ...is("ioas_id", NO_ID),
        ...is("length", 0n, U64_MAX, length - 1n),
        ...is("iova", END, U64_MAX, free),
      ],
    },
    {
      step: { call: "OPTION", fd, in: option },
      faults: [
        ...is("option_id", 99),
        ...is("op", 7),
        ...is("reserved", 1),
        ...is("object_id", NO_ID),
        ...is("val64", 7n),
      ],
    },
    {
      step: { call: "HWPT_ALLOC", fd, in: { dev_id: device ?? NO_ID, pt_id: ioas } },
      faults: [
        ...is("flags", 0x4000_0000),
        ...is("reserved", 1),
        ...is("dev_id", NO_ID),
        ...is("pt_id", NO_ID),
      ],
    },
    {
      step: { call: "VFIO_MAP_DMA", fd, in: { ...dma, flags: DMA_MAP_READ, iova: free } },
      faults: [
        ...is("argsz", 0, LAYOUTS.VFIO_MAP_DMA.size - 1),
        ...is("flags", 4),
        ...is("size", 0n),
        ...is("vaddr", END, noMemory(there)),
        ...is("iova", at, END),
      ],
    },
  ];
};

/** Bytes that are wrong whatever they say. */
const frames = (c: Composer, { call }: Case["step"]): readonly Fault[] => {
  const { min, size } = LAYOUTS[call];
  if (!c.can("RAW") || call === "VFIO_MAP_DMA") return [];
  const edits: readonly RawEdits[] = [
    { size: min - 1 },
    { size: size + 8, tail: "0100000000000000" },
  ];
  return is("", ...edits);
};

const withFaults = ({ step }: Case, faults: readonly Fault[]): Case["step"] => {
  const args: Record<string, unknown> = { ...step.in };
  let raw: RawEdits | undefined;
  for (const { field, value } of faults) {
    if (field === "") raw = value as RawEdits;
    else args[field] = value;
  }
  return { ...step, in: args, ...(raw !== undefined && { raw }) } as Case["step"];
};

/** Two or three, each of another field. */
const drawFaults = (c: Composer, all: readonly Fault[]): readonly Fault[] => {
  const drawn: Fault[] = [];
  const count = c.draw.int(2, 3);
  for (const fault of permuted(c, all)) {
    if (drawn.length < count && drawn.every(({ field }) => field !== fault.field))
      drawn.push(fault);
  }
  return drawn;
};

/** Once for each of the faults, and once with all of them. */
const failInWays = (tail: Tail, one: Case): void => {
  const { c } = tail;
  const faults = drawFaults(c, [...one.faults, ...frames(c, one.step)]);
  const alone = faults.map((fault) => tail.try(withFaults(one, [fault])).step);
  const all = tail.try(withFaults(one, faults)).step;
  // Bytes that are refused are refused before anybody looks at what they say.
  const frame = alone[faults.findIndex(({ field }) => field === "")];
  tail.same(...(frame === undefined ? alone : [frame]), all);
};

/** They cost little: nothing happens. */
const CALLS = 4;

export const ERRORS = [
  relation("I-101", (tail) => {
    const { c } = tail;
    const { draw } = c;
    const plan = drawPlan(c, 1);
    const [there] = plan.maps;
    if (there === undefined) return;
    const side = new Side(tail, freeDevices(c));
    const [ioas, other] = [side.ioas(), side.ioas()];
    const to = draw.chance(75) ? side.attach(ioas) : undefined;
    side.map(ioas, there);
    const free = (plan.window[1] + 1n + 16n * PAGE) as Iova;
    const cases = casesOn({ fd: side.fd(), ioas, other, device: to?.device, there, free });
    const possible = cases.filter(
      ({ step: { call } }) => c.can(call) && (call !== "HWPT_ALLOC" || to !== undefined),
    );
    if (c.can("VFIO_MAP_DMA")) {
      side.make({ call: "VFIO_IOAS", fd: side.fd(), in: { op: VFIO_IOAS_SET, ioas_id: ioas } });
    }
    for (let i = 0; i < CALLS; i++) {
      const one = draw.pick(possible);
      if (one !== undefined) failInWays(tail, one);
    }
    side.close();
  }),
];
