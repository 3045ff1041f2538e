/**
 * Every invariant is shown to fail: each story in testdata/ has one answer with a planted bug,
 * which the invariant must name, and the right answer in its place, which nothing may blame.
 */
import { describe, expect, it } from "@jest/globals";
import type { Outcome } from "../../spec/calls";
import { MOCK_PLATFORM } from "../../spec/platform";
import { WATCHED } from "./catalogue";
import { CONTAINER_STORIES, OPEN_CONTAINERS } from "./testdata/containers";
import { FAILURE_STORIES } from "./testdata/failure";
import { GROUP_STORIES } from "./testdata/groups";
import { MIRROR_STORIES } from "./testdata/mirror";
import { OBJECT_STORIES } from "./testdata/objects";
import { OPEN_STORIES } from "./testdata/open";
import { PINNING_STORIES } from "./testdata/pinning";
import { OPEN_PROCESSES, PROCESS_STORIES } from "./testdata/processes";
import type { Life, Story } from "./testdata/stream";
import { STRUCTURE_STORIES } from "./testdata/structure";
import { OPEN_TABLES, TABLE_STORIES } from "./testdata/tables";
import { OPEN_USERS, USER_STORIES } from "./testdata/users";
import { InvariantTally, InvariantWatch } from "./watch";

const STORIES: readonly Story[] = [
  ...STRUCTURE_STORIES,
  ...MIRROR_STORIES,
  ...PINNING_STORIES,
  ...OBJECT_STORIES,
  ...GROUP_STORIES,
  ...FAILURE_STORIES,
  ...TABLE_STORIES,
  ...USER_STORIES,
  ...CONTAINER_STORIES,
  ...PROCESS_STORIES,
];

const OPEN = [
  ...OPEN_STORIES,
  ...OPEN_TABLES,
  ...OPEN_USERS,
  ...OPEN_CONTAINERS,
  ...OPEN_PROCESSES,
];

/** Tells a story with one ending; undefined: nothing was found wrong. */
const tell = ({ platform = MOCK_PLATFORM, before, call }: Life, ending: Outcome) => {
  const tally = new InvariantTally();
  const watch = new InvariantWatch(platform, tally);
  for (const [asked, outcome] of before) {
    const deviation = watch.step(asked, outcome);
    if (deviation) throw new Error(`the story itself is wrong: ${JSON.stringify(deviation)}`);
  }
  return { deviation: watch.step(call, ending), tally };
};

describe.each(STORIES.map((story) => [`${story.id}: ${story.bug}`, story] as const))(
  "%s",
  (_name, story) => {
    it("finds nothing in the right answer", () => {
      expect(tell(story, story.right).deviation).toBeUndefined();
    });
    it("finds the planted bug", () => {
      const { deviation, tally } = tell(story, story.wrong);
      expect(deviation).toMatchObject({ kind: "invariant" });
      expect(deviation?.clauses[0]).toBe(story.id);
      expect(tally.of(story.id)).toBeGreaterThan(0);
    });
  },
);

describe.each(OPEN.map((story) => [story.open, story] as const))(
  "%s: all answers are accepted",
  (_name, story) => {
    it.each(story.answers.map((answer, i) => [i + 1, answer] as const))(
      "answer %i",
      (_i, answer) => {
        expect(tell(story, answer).deviation).toBeUndefined();
      },
    );
  },
);

it("has a story for every invariant", () => {
  const told = new Set(STORIES.map(({ id }) => id));
  // Relations between two runs have their own bugs (algebra/testdata).
  const watched = WATCHED.filter(({ on }) => Object.keys(on).length > 0);
  expect(watched.map(({ id }) => id).filter((id) => !told.has(id))).toEqual([]);
});
