/** Sections D and H: HW page tables made by hand, nested ones, and fault queues. */
import type { CallOf, OutcomeOf } from "../../spec/calls";
import { INVALIDATE_ALL, MOCK_IOTLB_SLOTS } from "../../spec/uapi/flags";
import { type Finding, HELD } from "./finding";
import type { Check, Invariant } from "./invariant";
import type { LiveObject } from "./ledger/ioas";

/** DESTROY of an object of this kind is EBUSY exactly while something uses it. */
const busyWhile =
  (user: (object: LiveObject) => string | undefined | "not mine"): Check<"DESTROY"> =>
  (call, { errno }, ledger) => {
    const object = ledger.object(call.fd, call.in.id);
    const used = object === undefined ? "not mine" : user(object);
    if (used === "not mine" || (errno !== 0 && errno !== "EBUSY")) return undefined;
    if ((errno === 0) === (used === undefined)) return HELD;
    return used === undefined
      ? { expected: "success: nothing uses it", actual: "EBUSY" }
      : { expected: `EBUSY: ${used}`, actual: "success" };
  };

const I_53: Invariant = {
  id: "I-53",
  statement:
    "A page table made by hand stays until it is destroyed, whether or not devices come and " +
    "go, and keeps its IOAS.",
  needs: ["hwpt"],
  clauses: ["HWP-20"],
  on: {
    DESTROY: busyWhile((object) => {
      if (object.kind === "ioas") {
        const made = [...object.hwpts].filter((hwpt) => hwpt.made !== undefined);
        // Others than these may use it as well.
        return made.length > 0 ? `HWPT ${made[0]?.id} is on it` : "not mine";
      }
      if (object.kind !== "hwpt" || object.made === undefined) return "not mine";
      if (object.made.children > 0) return "not mine";
      return object.devices.size > 0 ? "a device is attached" : undefined;
    }),
  },
};

const I_58: Invariant = {
  id: "I-58",
  statement: "A fault queue is busy while its file is open or an HWPT delivers to it.",
  needs: ["fault-queue"],
  clauses: ["FLT-02"],
  on: {
    DESTROY: busyWhile((object) => {
      if (object.kind !== "queue") return "not mine";
      if (object.ctx.openQueues.has(object)) return "its file is open";
      return object.hwpts > 0 ? "an HWPT delivers to it" : undefined;
    }),
  },
};

const I_117: Invariant = {
  id: "I-117",
  statement: "A nested HWPT keeps its parent.",
  needs: ["hwpt", "nesting"],
  clauses: ["HWP-20"],
  on: {
    DESTROY: busyWhile((object) => {
      if (object.kind !== "hwpt" || object.made === undefined) return "not mine";
      return object.made.children > 0 ? "a nested HWPT is on it" : "not mine";
    }),
  },
};

const ENTRY = 8;

/** The entries before the first that the mock driver cannot take. */
const goodEntries = ({ in: { entry_num, data } }: CallOf<"HWPT_INVALIDATE">): number => {
  const bytes = Buffer.from(data, "hex");
  const there = Math.min(entry_num, Math.floor(bytes.length / ENTRY));
  for (let i = 0; i < there; i++) {
    const [flags, slot] = [bytes.readUInt32LE(i * ENTRY), bytes.readUInt32LE(i * ENTRY + 4)];
    if (flags > INVALIDATE_ALL || slot >= MOCK_IOTLB_SLOTS) return i;
  }
  return there;
};

const invalidated = (
  call: CallOf<"HWPT_INVALIDATE">,
  { errno, out }: OutcomeOf<"HWPT_INVALIDATE">,
): Finding => {
  const { entry_len, entry_num } = call.in;
  // A file that is not open is none of iommufd's, and its struct nobody's to write to.
  if (entry_len !== ENTRY || entry_num === 0 || errno === "EBADF") return undefined;
  const good = goodEntries(call);
  const done = out?.entry_num ?? entry_num;
  if (errno === 0) {
    if (good === entry_num && done === entry_num) return HELD;
    return { expected: `entry_num ${good}, of ${entry_num}`, actual: `success, ${done}` };
  }
  // A call that did nothing at all failed for another reason.
  if (done === 0 || done === good) return done === good ? HELD : undefined;
  return { expected: `entry_num ${good}`, actual: `${done}` };
};

const I_116: Invariant = {
  id: "I-116",
  statement: "An invalidation tells how many entries it took: those before the first bad one.",
  needs: ["mock", "nesting"],
  clauses: ["INV-06"],
  on: { HWPT_INVALIDATE: invalidated },
};

export const TABLES: readonly Invariant[] = [I_53, I_58];
export const NESTED: readonly Invariant[] = [I_116, I_117];
