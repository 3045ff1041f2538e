/** The model in the IUT seat: a machine that does what linux-6.12 is predicted to do. */
import { Coverage } from "../spec/coverage";
import type { Machine } from "../spec/iut";
import { NEEDS, type Need } from "../spec/needs";
import type { Platform } from "../spec/platform";
import { Model } from "./model";

/** What a model cannot do. */
const LACKING: ReadonlySet<Need> = new Set([
  "self-report",
  "fault-injection",
  "concurrency",
  "newer-uapi",
] as const);

export const MODEL_CAPABILITIES: readonly Need[] = (Object.keys(NEEDS) as Need[]).filter(
  (need) => !LACKING.has(need),
);

export const modelMachine = (platform: Platform): Machine => {
  const model = new Model(platform, "linux-6.12", new Coverage());
  return { call: (call) => model.predict(call) };
};
