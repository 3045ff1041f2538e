/**
 * The oracle is tight: whatever is changed in a recorded answer of the real kernel is noticed,
 * unless the clauses leave it open, and then the reason stands in OPEN.
 */
import { describe, expect, test } from "@jest/globals";
import { Model } from "../model/model";
import type { Call, Outcome } from "../spec/calls";
import { Coverage } from "../spec/coverage";
import { malformed } from "../spec/outcome";
import type { Recording } from "../spec/recording";
import { MAP_FIXED_IOVA } from "../spec/uapi/flags";
import { IOCTLS } from "../spec/uapi/ioctls";
import { InvariantTally } from "./invariants/watch";
import { Oracle } from "./oracle";
import { type Alive, corruptions } from "./testdata/corruptions";
import { CHOSEN, recordingsIn } from "./testdata/recorded";

const recordings = recordingsIn(process.env["RECORDINGS"] ?? CHOSEN);

/** Corruptions that the clauses permit. */
interface Open {
  readonly name: string;
  readonly reason: string;
  readonly covers: (call: Call, recorded: Outcome, what: string) => boolean;
}

const isRawAlloc = (call: Call): boolean =>
  call.call === "RAW" && call.in.nr === IOCTLS.IOAS_ALLOC.command;

const OPEN: readonly Open[] = [
  {
    name: "the id of a new object",
    reason: "UNS-01: any unused id will do",
    covers: (call, { errno }, what) =>
      errno === 0 &&
      (/ (out_\w+id|pt_id) plus one$/.test(what) ||
        what === "ACCESS_PAGES out_access_pages_id to zero" ||
        (isRawAlloc(call) && what === "RAW bytes with its last bit changed")),
  },
  {
    name: "what the untold id of an in-kernel user leads to",
    reason: "UNS-01: nobody knows which of the ids that name nothing else it is",
    covers: (_call, _outcome, what) =>
      /^(DESTROY (EBUSY|ENOENT)|MOCK_DOMAIN\w* (ENOENT|EINVAL)) to (ENOENT|EINVAL)$/.test(what),
  },
  {
    name: "the number of a new file",
    reason: "numbers of files are the kernel's own affair",
    covers: (_call, _outcome, what) =>
      / (fd|out_(fault|access)_fd|devfd) (plus one|to zero)$/.test(what),
  },
  {
    name: "the cookie of a fault",
    reason: "any that is not 0 and not in use tells faults apart (FLT-06)",
    covers: (_call, _outcome, what) => what.startsWith("FAULT_READ") && what.includes(" cookie "),
  },
  {
    name: "what a device is",
    reason: "VFIO_GET_INFO tells of the hardware; the clauses only want it told every time",
    covers: ({ call }, _outcome, what) =>
      call === "VFIO_GET_INFO" && / (flags|num_\w+) (plus one|to zero)$/.test(what),
  },
  {
    name: "whether the kernel has NOIOMMU",
    reason: "VCC-02: it may be built with it or without",
    covers: (call, _outcome, what) =>
      call.call === "VFIO_CHECK_EXTENSION" && call.in.arg === 8n && what.endsWith("plus one"),
  },
  {
    name: "an automatic IOVA",
    reason: "UNS-02: any place that meets AUT-01 to AUT-07 will do",
    covers: (call, _, what) =>
      (call.call === "IOAS_MAP" || call.call === "IOAS_COPY") &&
      (call.in.flags & MAP_FIXED_IOVA) === 0 &&
      / (dst_)?iova /.test(what),
  },
];

const aliveFor = (model: Model, call: Call): Alive => {
  const { fds, cdevs, accesses, faultFiles } = model.state;
  const context =
    call.call === "VFIO_BIND"
      ? fds.get(call.in.iommufd)
      : call.call === "VFIO_ATTACH"
        ? cdevs.get(call.in.devfd)?.bound?.context
        : fds.get(call.fd);
  // Which id an in-kernel user has, nobody was told.
  const ids = [...(context?.objects ?? [])].filter(([, { type }]) => type !== "access");
  const files = call.call === "OPEN" ? fds : call.call === "DEVICE_OPEN" ? cdevs : undefined;
  return {
    ids: ids.map(([id]) => id),
    files: [...(files?.keys() ?? [...accesses.keys(), ...faultFiles.keys()])],
  };
};

/** The oracle, once it has seen all steps before that one. */
const oracleAt = ({ platform, steps }: Recording, at: number): Oracle => {
  const oracle = new Oracle(platform, "linux-6.12", new Coverage(), new InvariantTally());
  for (const { call, outcome } of steps.slice(0, at)) oracle.judge(call, outcome);
  return oracle;
};

/** Corruptions that nobody noticed at once. */
const missedIn = (recording: Recording): Set<string> => {
  const missed = new Set<string>();
  const model = new Model(recording.platform, "linux-6.12", new Coverage());
  for (const [at, { call, outcome }] of recording.steps.entries()) {
    // A refused errno changes nothing, so that one copy does for several.
    let copy: Model | undefined;
    for (const { what, outcome: changed } of corruptions(call, outcome, aliveFor(model, call))) {
      if (malformed(call, changed) !== undefined) continue;
      copy ??= model.copy();
      const deviation = copy.judge(call, changed);
      if (deviation?.kind !== "errno") copy = undefined;
      if (deviation !== undefined) continue;
      if (oracleAt(recording, at).judge(call, changed) !== undefined) continue;
      missed.add(OPEN.find(({ covers }) => covers(call, outcome, what))?.name ?? what);
    }
    model.judge(call, outcome);
  }
  return missed;
};

const unnoticed = new Map<Recording, ReadonlySet<string>>();

/** What nobody noticed in a recording; asked for twice. */
const unnoticedIn = (recording: Recording): ReadonlySet<string> => {
  const known = unnoticed.get(recording);
  if (known !== undefined) return known;
  const found = missedIn(recording);
  unnoticed.set(recording, found);
  return found;
};

describe("every changed answer in the recordings is noticed at once", () => {
  const open = OPEN.map(({ name }) => name);

  test.each(recordings.map((recording) => [recording.name, recording] as const))(
    "%s",
    (_, recording) => {
      expect([...unnoticedIn(recording)].filter((what) => !open.includes(what))).toEqual([]);
    },
  );

  test("nothing is listed as open that is noticed anyway", () => {
    const all = new Set(recordings.flatMap((recording) => [...unnoticedIn(recording)]));
    expect([...all].sort()).toEqual([...open].sort());
  });
});
