import { describe, expect, test } from "@jest/globals";
import { radix } from "../../impl/radix";
import { RadixMachine } from "../../impl/radix/machine";
import { modelMachine } from "../../model/machine";
import { Coverage } from "../../spec/coverage";
import { type Iut, inProcess, type Machine } from "../../spec/iut";
import { MOCK_PLATFORM, PLATFORMS, type Platform } from "../../spec/platform";
import { Resolver } from "../../spec/resolve";
import type { History, Trace } from "../../spec/trace";
import { type Deviation, PROFILES } from "../../spec/verdict";
import { AS_LINUX_6_12, covers } from "../expectation";
import { InvariantTally } from "../invariants/watch";
import { type Finding, judgeHistory } from "../oracle";
import { runTrace } from "../replay";
import { shrink } from "../shrink/shrink";
import { simplerSteps } from "../shrink/simpler-steps";
import { WHOLE_HUNT } from "../testdata/whole-hunt";
import { relationInfo } from "./catalogue";
import { labelsOf } from "./labels";
import { RELATIONS } from "./relate";
import { another } from "./testdata/another";
import { attempts } from "./testdata/attempts";
import { BUGS } from "./testdata/bugs";
import { spoilt } from "./testdata/spoil";
import { TwinWatch } from "./twin-watch";

/** Traces that end with one relation, per platform. */
const MANY = WHOLE_HUNT ? 25 : 10;

const { capabilities } = radix.info;
const machine = (name: string, boot: (platform: Platform) => Machine): Iut =>
  inProcess({ name, version: "1", capabilities }, boot);
const model = machine("model", modelMachine);
const radixMachine = (platform: Platform): Machine => new RadixMachine(platform);

/** The twins alone: what a model would say first does not count here. */
const judgeTwins = ({ trace, outcomes }: History, tally: InvariantTally): Deviation | undefined => {
  const watch = new TwinWatch(trace, "linux-6.12", tally);
  const resolver = new Resolver(trace.platform);
  for (const [i, outcome] of outcomes.entries()) {
    const step = trace.steps[i];
    if (step === undefined) break;
    const deviation = watch.step(i, resolver.resolve(step), outcome);
    if (deviation !== undefined) return deviation;
    resolver.note(step, outcome);
  }
  return undefined;
};

/** Without a part of what came before the relation, and with the rest of it simplified. */
const thinned = (trace: Trace, by: number): Trace => {
  const [label] = trace.twins ?? [];
  const begin = Math.min(...(label?.given ?? []), ...(label?.same.flat() ?? []));
  const steps = trace.steps.flatMap((step, i) => {
    if (i >= begin) return [step];
    const choice = ((i + 1) * 7919 + by * 104729) % 6;
    if (choice < 2) return [];
    const [simpler] = choice === 2 ? simplerSteps(step, trace.steps.slice(0, i)) : [];
    return [simpler ?? step];
  });
  return { platform: trace.platform, steps, ...labelsOf(trace)(steps) };
};

/** The model does as Linux 6.12 does, also where that is not what is documented. */
const isAsLinux = ({ deviation }: Finding): boolean =>
  AS_LINUX_6_12.some((known) => covers(known, deviation));

describe.each(RELATIONS.map((relation) => [relation.id, relation] as const))(
  "%s",
  (id, relation) => {
    const on = (platform: Platform, count: number, past: number, seed = 1): readonly Trace[] =>
      attempts(relation, { platform, capabilities, past }, count, seed);

    test("has a statement of its own", () => {
      expect(relationInfo(id)).toBeDefined();
      expect(BUGS[id]?.about).toBeDefined();
    });

    test.each(PLATFORMS)(
      "holds on radix and on the model, and is compared: $name",
      async (platform) => {
        for (const iut of [radix, model]) {
          let compared = 0;
          for (const trace of on(platform, MANY, 25)) {
            const history = await runTrace(iut, trace);
            const tally = new InvariantTally();
            for (const profile of PROFILES) {
              const finding = judgeHistory(history, profile, new Coverage(), tally);
              if (iut === model && finding && isAsLinux(finding)) continue;
              expect(finding).toBeUndefined();
            }
            if (tally.of(id) > 0) compared++;
          }
          // Others end before their relation does, because the past does not permit it.
          expect(compared).toBeGreaterThanOrEqual(MANY / 2);
        }
      },
    );

    test("raises no alarm whatever is taken out of the past", async () => {
      for (const platform of PLATFORMS) {
        for (const [i, trace] of on(platform, MANY, 30, 2).entries()) {
          const history = await runTrace(radix, thinned(trace, i));
          expect(judgeTwins(history, new InvariantTally())).toBeUndefined();
        }
      }
    });

    test("raises no alarm on another implementation that is right", async () => {
      const other = machine("another", (platform) => another(new RadixMachine(platform)));
      for (const platform of PLATFORMS) {
        for (const trace of on(platform, MANY, 10, 3)) {
          const history = await runTrace(other, trace);
          expect(judgeTwins(history, new InvariantTally())).toBeUndefined();
        }
      }
    });

    test(`shows a planted bug: ${BUGS[id]?.about}`, async () => {
      const bug = BUGS[id];
      if (bug === undefined) throw new Error(`no bug for ${id}`);
      const buggy = machine("buggy", (platform) => spoilt(radixMachine(platform), bug));
      const fails = async (trace: Trace): Promise<boolean> =>
        judgeTwins(await runTrace(buggy, trace), new InvariantTally())?.clauses[0] === id;
      let found: Trace | undefined;
      for (const trace of on(MOCK_PLATFORM, 40, 6)) {
        if (await fails(trace)) found = trace;
      }
      if (found === undefined) throw new Error("not found");
      // What is left after shrinking still fails on the bug, and only there.
      const small = await shrink(found, fails, 3000);
      expect(await fails(small.trace)).toBe(true);
      expect(judgeTwins(await runTrace(radix, small.trace), new InvariantTally())).toBeUndefined();
    });
  },
);
