/** The model in the IUT seat: a machine that does what linux-6.12 is predicted to do. */
import { Coverage } from "../spec/coverage";
import type { Machine } from "../spec/iut";
import type { Platform } from "../spec/platform";
import { Model } from "./model";

export const modelMachine = (platform: Platform): Machine => {
  const model = new Model(platform, "linux-6.12", new Coverage());
  return { call: (call) => model.predict(call) };
};
