import type { Need } from "../spec/needs";
import { callMade } from "../spec/raw";
import type { Trace } from "../spec/trace";
import { availableCalls } from "./arbitrary/composer";

/** An IUT need not have all calls of a trace that was drawn for another one, or shrunk. */
export const canRun = (capabilities: readonly Need[], { platform, steps }: Trace): boolean => {
  if (!capabilities.includes(platform.frontEnd)) return false;
  const available = availableCalls(platform, capabilities);
  return steps.every((step) => available.has(callMade(step)));
};
