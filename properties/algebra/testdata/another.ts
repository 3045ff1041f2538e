/**
 * Another implementation that is right in profile documented: other ids, other physical pages
 * each time a page is pinned anew, translations cut anywhere, and now
 * and then no memory for a call that then changes nothing (UNS-01, UNS-12).
 */
import { nameOf } from "../../../model/raw/frame";
import { type Call, type Outcome, shapeOf } from "../../../spec/calls";
import type { FieldType, Translation } from "../../../spec/fields";
import type { Machine } from "../../../spec/iut";
import type { IoctlName } from "../../../spec/uapi/ioctls";
import { LAYOUTS } from "../../../spec/uapi/layouts";
import type { Iova } from "../../../spec/units";

const CHOSEN = 0x5a5a_0000;

const idsOf = (
  values: object,
  types: Readonly<Record<string, FieldType>>,
  change: (id: number) => number,
): object => {
  const changed: Record<string, unknown> = { ...values };
  for (const [name, type] of Object.entries(types)) {
    const id = changed[name];
    if (type === "id" && typeof id === "number") changed[name] = change(id);
  }
  return changed;
};

type RawCall = Extract<Call, { readonly call: "RAW" | "DEVICE_RAW" }>;

/** The ids in the bytes of a raw call; 0 is none. */
const idsInBytes = (call: RawCall, hex: string): string => {
  const name = nameOf(call);
  if (name === undefined || !Object.hasOwn(LAYOUTS, name)) return hex;
  const bytes = Buffer.from(hex, "hex");
  const types: Readonly<Record<string, FieldType>> = { ...shapeOf(name).in, ...shapeOf(name).out };
  for (const { name: field, offset } of LAYOUTS[name as IoctlName].fields) {
    if (types[field] !== "id" || offset + 4 > bytes.length) continue;
    const id = bytes.readUInt32LE(offset);
    if (id !== 0) bytes.writeUInt32LE((id ^ CHOSEN) >>> 0, offset);
  }
  return bytes.toString("hex");
};

const rawly = (machine: Machine, call: RawCall): Outcome => {
  const real = { ...call, in: { ...call.in, bytes: idsInBytes(call, call.in.bytes) } } as RawCall;
  const outcome = machine.call(real);
  const { bytes } = (outcome.out ?? {}) as { readonly bytes?: string };
  if (bytes === undefined) return outcome;
  return { ...outcome, out: { bytes: idsInBytes(call, bytes) } } as Outcome;
};

const SCARCE = new Set(["IOAS_MAP", "IOAS_COPY", "MOCK_DOMAIN", "VFIO_ATTACH", "IOAS_ALLOC"]);

const PAGE = 4096n;

export const another = (machine: Machine): Machine => {
  let calls = 0;
  return {
    call: (call) => {
      calls++;
      if (SCARCE.has(call.call) && (calls * 2654435761) % 61 === 0) return { errno: "ENOMEM" };
      if (call.call === "RAW" || call.call === "DEVICE_RAW") return rawly(machine, call);
      const { in: types, out: outTypes } = shapeOf(call.call);
      // Id 0 stays what it is: no object has it.
      const real = idsOf(call.in, types, (id) => (id === 0 ? 0 : (id ^ CHOSEN) >>> 0));
      const outcome = machine.call({ ...call, in: real } as Call);
      if (outcome.out === undefined) return outcome;
      const out = idsOf(outcome.out, outTypes, (id) => (id ^ CHOSEN) >>> 0);
      return { ...outcome, out: recut(out as Record<string, unknown>) } as Outcome;
    },
  };
};

const recut = (out: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const { runs } = out as { runs?: readonly Translation[] };
  if (runs === undefined) return out;
  return { ...out, runs: runs.flatMap(cut) };
};

/** In halves of a page, from one end to the other of physical memory. */
const cut = (run: Translation): readonly Translation[] => {
  const half = PAGE / 2n;
  const pieces: Translation[] = [];
  for (let done = 0n; done < run.length; ) {
    const pa = run.pa + done;
    const rest = half - (pa % half);
    const length = (run.length - done < rest ? run.length - done : rest) as Translation["length"];
    const page = (1n << 40n) - pa / PAGE;
    pieces.push({ ...run, iova: (run.iova + done) as Iova, length, pa: page * PAGE + (pa % PAGE) });
    done += length;
  }
  return pieces;
};
