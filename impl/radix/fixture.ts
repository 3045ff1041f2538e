/** A machine for tests, and calls on it of which only what matters is said. */
import { type Call, type CallName, type In, type OutcomeOf, shapeOf } from "../../spec/calls";
import { ABSENT } from "../../spec/fields";
import type { Platform } from "../../spec/platform";
import { RadixMachine } from "./machine";

/** The machine has one open iommufd, 0, and in it one IOAS, 1. */
export const boot = (platform: Platform) => {
  const machine = new RadixMachine(platform);
  const call = <K extends CallName>(name: K, given: Partial<In<K>> = {}): OutcomeOf<K> => {
    const args: Record<string, unknown> = { ...given };
    for (const [field, type] of Object.entries(shapeOf(name).in)) args[field] ??= ABSENT[type];
    const made = { call: name, proc: 0, thread: 0, fd: 0, in: args };
    return machine.call(made as unknown as Call) as OutcomeOf<K>;
  };
  call("OPEN");
  call("IOAS_ALLOC");
  return { machine, call };
};
