/**
 * RAW and DEVICE_RAW: the judge of a typed call, in a frame of bytes.
 *
 * Once the frame has let the call through, everything that the typed call's judge says holds for
 * the raw one. Its outputs are read from the bytes that come back, in which nothing else may have
 * changed (GEN-13, GEN-14). If they cannot be stored, the call fails with EFAULT, and it depends
 * on the call what it has done (GEN-16).
 */
import type { Call, CallName, Outcome, OutcomeOf } from "../../spec/calls";
import { type ClauseId, clauseIndex } from "../../spec/clauses/registry";
import type { Errno } from "../../spec/errno";
import { ABSENT } from "../../spec/fields";
import type { Profile } from "../../spec/verdict";
import {
  type Fact,
  type Flaw,
  fact,
  firstBroken,
  type Judge,
  judge,
  never,
  type Rule,
  rule,
} from "../judge";
import { detachDevice } from "../lifetime";
import { seenBy } from "../processes";
import type { MachineState } from "../state/machine";
import { countSeen } from "../state/seen";
import {
  answersBehind,
  endsBehindMemory,
  type Frame,
  frameOf,
  isNearTable,
  type RawCall,
  readOutputs,
  strayWrite,
  typedCall,
  withOutputs,
} from "./frame";
import { type Framed, flawOfHalfInfo, infoOf, infoStored, promisesTooMuch, runsOut } from "./info";
import { frameRules, isLong, isNativeCommand, isRefused, isShort, type OnFrame } from "./rules";

interface View extends OnFrame, Framed {
  readonly machine: MachineState;
  /** The typed outcome that the bytes come to. */
  readonly typed: Outcome | undefined;
  /** The first byte that changed and is no output; undefined: there is none. */
  readonly stray: number | undefined;
}

interface RawOut {
  readonly bytes?: string;
}

/**
 * Calls whose object is gone again if its number cannot be stored, and one that only tells: what it
 * would have told, nobody has heard. The others have happened.
 */
const UNDONE: ReadonlySet<CallName> = new Set<CallName>([
  "IOAS_ALLOC",
  "HWPT_ALLOC",
  "FAULT_QUEUE_ALLOC",
  "MOCK_DOMAIN",
  "MOCK_DOMAIN_FLAGS",
  "CREATE_ACCESS",
  "ACCESS_PAGES",
  "VFIO_BIND",
  "VFIO_GET_INFO",
]);

const cannotStore = ({ frame }: View): boolean =>
  frame.call.in.memory === "r" || endsBehindMemory(frame);

/** Success or failure, the call would write its struct. */
const wouldRespond = (inner: Judge, v: View): boolean => {
  if (v.inner === undefined || v.frame.outputs.length === 0) return false;
  const broken = firstBroken(inner.rules, v.inner);
  if (broken !== undefined) return inner.answerOfFailure?.(v.inner, broken.errno) !== undefined;
  const answer = inner.answer?.(v.inner) ?? {};
  return Object.keys(answer).length > 0;
};

/** It would answer, but for what is wrong with it. */
const isWrong = (inner: Judge, v: View): boolean =>
  v.frame.outputs.length > 0 &&
  (v.inner === undefined || firstBroken(inner.rules, v.inner) !== undefined);

/** The device ends up detached, even if it was to be moved only (VFD-12); its group has moved. */
const detach = ({ machine, frame }: View): void => {
  const { call } = frame;
  const cdev = call.call === "DEVICE_RAW" ? machine.cdevs.get(call.in.devfd) : undefined;
  if (cdev?.bound !== undefined) detachDevice(machine, cdev.bound);
};

/** Clauses about an answer that cannot be stored, beside GEN-16. */
const ALSO: { readonly [K in CallName]?: readonly ClauseId[] } = {
  IOAS_ALLOC: ["IAL-03"],
  HWPT_ALLOC: ["HWP-15"],
  HWPT_INVALIDATE: ["INV-06"],
  VFIO_BIND: ["VFD-09"],
  VFIO_ATTACH: ["VFD-12"],
};
const NOTHING_ELSE: readonly ClauseId[] = [];

/** Whether that makes a difference. */
const canHappen = (inner: Judge, v: View): boolean =>
  !UNDONE.has(v.frame.name ?? "RAW") && (inner.effect ?? inner.failure) !== undefined;

/** Only 6.12 is known to keep what it could not tell, and what of it (GEN-16). */
const isUntold = (v: View, errno: 0 | Errno): boolean =>
  !v.strict && v.inner !== undefined && errno === "EFAULT" && cannotStore(v);

/** What the typed call does although its answer cannot be stored. */
const happenAnyway = (inner: Judge, v: View): void => {
  if (v.inner === undefined || !canHappen(inner, v)) return;
  const broken = firstBroken(inner.rules, v.inner);
  if (broken !== undefined) inner.failure?.(v.inner, broken, undefined);
  else inner.effect?.(v.inner, inner.answer?.(v.inner) ?? {});
  if (broken === undefined && v.frame.name === "VFIO_ATTACH") detach(v);
};

/** Outputs that are not in the struct lead nowhere, so that they are empty. */
const typedOutcome = (frame: Frame, outcome: Outcome, after: Buffer | undefined): Outcome => {
  const { errno } = outcome;
  if (frame.name === undefined || after === undefined) return { errno };
  const out: Record<string, unknown> = { ...readOutputs(frame, after) };
  if (frame.name === "IOAS_IOVA_RANGES") out["array"] = ABSENT.ranges;
  if (frame.name === "GET_HW_INFO") out["data"] = ABSENT.hex;
  return { errno, out } as Outcome;
};

const lift = (each: Rule<object>): Rule<View> => ({
  ...each,
  broken: (v) => v.inner !== undefined && each.broken(v.inner),
  applies: (v) => v.inner !== undefined && (each.applies?.(v.inner) ?? true),
  also: each.also && ((v) => (v.inner === undefined ? [] : (each.also?.(v.inner) ?? []))),
});

const liftFact = (each: Judge["facts"][number]): Fact<View, RawOut> => {
  const typed = (v: View): object => v.typed?.out ?? {};
  return {
    ...each,
    // What a call returns is not in its bytes, and a chain behind the struct is not judged here.
    when: (v) =>
      v.inner !== undefined &&
      v.frame.family !== "number" &&
      !answersBehind(v.frame) &&
      (each.when?.(v.inner, typed(v)) ?? true),
    holds: each.holds && ((v) => v.inner !== undefined && each.holds?.(v.inner, typed(v)) === true),
    right: each.right && ((v) => (v.inner === undefined ? "" : (each.right?.(v.inner) ?? ""))),
  };
};

const writesNothing = (clause: ClauseId, name: CallName): Fact<View, RawOut> =>
  fact(clause, {
    when: (v) => v.frame.name === name,
    holds: (v) => v.after?.equals(v.frame.bytes) === true,
    right: () => "nothing written",
  });

const frameFacts: readonly Fact<View, RawOut>[] = [
  fact("GEN-13", {
    when: (v) => isLong(v) && v.frame.outputs.length > 0,
    holds: (v) => (v.stray ?? 0) < (v.frame.layout?.size ?? 0),
    right: () => "no byte beyond the struct written",
  }),
  fact("GEN-14", {
    holds: (v) => v.stray === undefined,
    right: (v) => `byte ${v.stray} as it was sent`,
  }),
  writesNothing("DES-08", "DESTROY"),
  writesNothing("ALW-09", "IOAS_ALLOW_IOVAS"),
  fact("OPT-18", { when: (v) => v.frame.name === "OPTION" }),
  fact("GEN-01", { when: isNativeCommand }),
  fact("GEN-08", { when: isShort }),
  fact("GEN-09", { when: isLong }),
  fact("GEN-12", { when: (v) => isLong(v) && (v.frame.size ?? 0) > v.machine.pageSize }),
];

/** What a struct of another size than ours gets only for its size. */
const sizeRefused = (v: View, errno: Errno): ClauseId | undefined => {
  if (errno !== "EINVAL" && errno !== "E2BIG") return undefined;
  if (isShort(v)) return "GEN-08";
  if (!isLong(v)) return undefined;
  return (v.frame.size ?? 0) > v.machine.pageSize ? "GEN-12" : "GEN-09";
};

const GEN_09 = clauseIndex("GEN-09");

const rawBytes = (after: Buffer, frame: Frame): RawOut | undefined =>
  after.equals(frame.bytes) ? undefined : { bytes: after.toString("hex") };

const viewOf = (
  inner: Judge,
  machine: MachineState,
  call: RawCall,
  claimed: Outcome | undefined,
  profile: Profile,
): View => {
  const frame = frameOf(call, machine.platform.frontEnd === "mock");
  const cdev = call.call === "DEVICE_RAW" ? machine.cdevs.get(call.in.devfd) : undefined;
  const isOpen = cdev !== undefined || machine.fds.has(call.fd);
  const isBound = cdev?.bound !== undefined;
  const refusal = firstBroken(frameRules, { frame, isOpen, isBound });
  const typed = refusal === undefined ? typedCall(frame) : undefined;
  const after = bytesAfter(claimed);
  const outcome = claimed && typedOutcome(frame, claimed, after);
  return {
    frame,
    isOpen,
    isBound,
    machine,
    strict: profile === "linux-6.12",
    inner: typed && inner.view(machine, seenBy(machine, typed), outcome, profile),
    typed: outcome,
    after,
    stray: after && strayWrite(frame, after),
  };
};

const bytesAfter = (outcome: Outcome | undefined): Buffer | undefined => {
  const hex = (outcome as OutcomeOf<"RAW"> | undefined)?.out?.bytes;
  return hex === undefined ? undefined : Buffer.from(hex, "hex");
};

const NOTHING_WRITTEN: Flaw = { clause: "GEN-15", right: "nothing written" };

/** What is wrong with the bytes of a failing call. */
const flawOf = (inner: Judge, v: View, errno: Errno): Flaw | undefined => {
  if (v.stray !== undefined) return { clause: "GEN-15", right: `byte ${v.stray} as it was sent` };
  if (errno === "EFAULT" && endsBehindMemory(v.frame)) return undefined;
  const changed = v.after !== undefined && !v.after.equals(v.frame.bytes);
  if (promisesTooMuch(v) && errno === "EFAULT" && !cannotStore(v)) {
    return flawOfHalfInfo(inner, v, isMock(v));
  }
  if (v.inner === undefined || cannotStore(v) || inner.checkFailure === undefined) {
    return changed ? NOTHING_WRITTEN : undefined;
  }
  return inner.checkFailure(v.inner, errno, changed ? (v.typed?.out ?? {}) : {});
};

const isMock = ({ machine }: View): boolean => machine.platform.frontEnd === "mock";

const answerOf = (inner: Judge, v: View): Buffer => {
  const info = infoOf(inner, v);
  if (info !== undefined) return infoStored(v, info);
  return withOutputs(v.frame, (v.inner && inner.answer?.(v.inner)) ?? {});
};

/** The judge of raw calls that come to the typed one which `inner` judges. */
export const framed = (inner: Judge): Judge => ({
  ...judge<"RAW", View>("RAW", {
    promise: inner.promise,
    promises: (v, errno) => {
      if (v.inner === undefined) return undefined;
      return sizeRefused(v, errno) ?? inner.promises?.(v.inner, errno);
    },
    view: (machine, call, claimed, profile) => viewOf(inner, machine, call, claimed, profile),
    rules: [
      ...frameRules,
      rule<View>("GEN-16", "EFAULT", (v) => cannotStore(v) && wouldRespond(inner, v), {
        hard: true,
        applies: never,
        also: ({ frame }) => ALSO[frame.name ?? "RAW"] ?? NOTHING_ELSE,
      }),
      // Elsewhere it may be looked at before anything else is (UNS-07).
      rule<View>("GEN-16", "EFAULT", (v) => !v.strict && cannotStore(v) && isWrong(inner, v), {
        applies: never,
      }),
      ...inner.rules.map(lift),
      rule<View>("VCC-20", "EFAULT", (v) => v.strict && runsOut(inner, v), { applies: never }),
    ],
    facts: [
      ...frameFacts,
      // Which larger pages an IOMMU has is for the mock driver alone to say here (VCC-22).
      fact<View, RawOut>("VCC-23", {
        when: (v) => v.strict && answersBehind(v.frame) && isMock(v),
        holds: (v) => v.after?.equals(infoStored(v, infoOf(inner, v) ?? v.frame.bytes)) === true,
        right: (v) => infoStored(v, infoOf(inner, v) ?? v.frame.bytes).toString("hex"),
        uncounted: true,
      }),
      ...inner.facts.map(liftFact),
    ],
    answer: (v) => ({ bytes: answerOf(inner, v).toString("hex") }),
    shown: (v, _out, coverage) => {
      if (v.inner !== undefined) inner.shown?.(v.inner, v.typed?.out ?? {}, coverage);
    },
    effect: (v, out) => {
      if (v.inner === undefined) return;
      const after = Buffer.from(out.bytes ?? "", "hex");
      inner.effect?.(v.inner, v.typed?.out ?? readOutputs(v.frame, after));
    },
    failure: (v, broken, coverage) => {
      if (v.inner === undefined) return;
      if (coverage !== undefined && isLong(v)) countSeen(coverage, GEN_09);
      if (broken.clause !== "GEN-16") inner.failure?.(v.inner, broken, coverage);
      else if (v.strict) happenAnyway(inner, v);
    },
    answerOfFailure: (v, errno) => {
      if (v.inner === undefined || cannotStore(v)) return undefined;
      const info = infoOf(inner, v);
      if (info !== undefined && info.length <= (v.frame.layout?.size ?? 0)) {
        return rawBytes(infoStored(v, info), v.frame);
      }
      const out = inner.answerOfFailure?.(v.inner, errno);
      return out && rawBytes(withOutputs(v.frame, out), v.frame);
    },
    checkFailure: (v, errno) => flawOf(inner, v, errno),
    leeway: (v, errno) => {
      if (!v.strict && errno === "EFAULT" && promisesTooMuch(v)) return "VCC-20";
      const hasNoSize = v.isOpen && v.frame.size === undefined;
      if (errno === "EFAULT" && hasNoSize && isNearTable(v.frame)) return "GEN-05";
      return v.inner && inner.leeway?.(v.inner, errno);
    },
    otherwise: (v, errno) => {
      if (v.inner === undefined) return [];
      if (isUntold(v, errno)) return canHappen(inner, v) ? [(at) => happenAnyway(inner, at)] : [];
      return (inner.otherwise?.(v.inner, errno) ?? []).map((effect) => (at: View) => {
        if (at.inner !== undefined) effect(at.inner);
      });
    },
    // It may have chosen another id or IOVA, or have undone another part of it.
    endless: (v, errno) => isUntold(v, errno) && inner.effect !== undefined,
    perhaps: (v, errno) => {
      if (v.inner !== undefined && !cannotStore(v)) inner.perhaps?.(v.inner, errno);
    },
  }),
  mayRunOut: inner.mayRunOut,
  writesBack: inner.writesBack,
});

/** For bytes that come to no call: the frame is all there is to judge. */
export const FRAME_ONLY: Judge = judge<"RAW", object>("RAW", {
  promise: "GEN-06",
  view: () => ({}),
  rules: [],
  facts: [],
});

/**
 * The typed step that a raw one comes to, for who follows a history without a model. None if the
 * frame refused the call; "unknown" if an answer was not stored, and so nobody knows what it was.
 */
export const typedStep = (
  call: RawCall,
  outcome: Outcome,
  hasMock: boolean,
): { readonly call: Call; readonly outcome: Outcome } | "unknown" | undefined => {
  const frame = frameOf(call, hasMock);
  if (outcome.errno !== 0 && isRefused(frame)) return undefined;
  const typed = typedCall(frame);
  if (typed === undefined) return undefined;
  if (outcome.errno === "EFAULT" && call.in.memory === "r") return "unknown";
  return { call: typed, outcome: typedOutcome(frame, outcome, bytesAfter(outcome)) };
};

/** The typed call that a raw one comes to, if the frame lets it through. */
export const callInside = (call: RawCall, hasMock: boolean): Call | undefined =>
  typedCall(frameOf(call, hasMock));
