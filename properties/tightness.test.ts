/**
 * The oracle is tight: whatever is changed in a recorded answer of the real kernel is noticed,
 * unless the clauses leave it open, and then the reason stands in OPEN.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import type { Call, Outcome } from "../spec/calls";
import { Coverage } from "../spec/coverage";
import type { Errno } from "../spec/errno";
import { type Recording, readRecordings } from "../spec/recording";
import { MAP_FIXED_IOVA } from "../spec/uapi/flags";
import type { Iova, IovaRange } from "../spec/units";
import { InvariantTally } from "./invariants/watch";
import { Oracle } from "./oracle";

const DIR = process.env["RECORDINGS"] ?? join(__dirname, "corpus", "recordings");
const recordings = readdirSync(DIR)
  .filter((file) => file.endsWith(".jsonl"))
  .flatMap((file) => readRecordings(readFileSync(join(DIR, file), "utf8"), file));

interface Corruption {
  readonly what: string;
  readonly outcome: Outcome;
}

/** Corruptions that the clauses permit. */
interface Open {
  readonly name: string;
  readonly reason: string;
  readonly covers: (call: Call, recorded: Outcome, what: string) => boolean;
}

const OPEN: readonly Open[] = [
  {
    name: "the id of a new object",
    reason: "UNS-01: any unused id will do",
    covers: (_call, { errno }, what) =>
      errno === 0 && / (out_\w+id|pt_id) plus one$/.test(what) && !what.startsWith("VFIO_IOAS"),
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
    covers: (_call, _outcome, what) => / (fd|out_(fault|access)_fd|devfd) plus one$/.test(what),
  },
  {
    name: "the cookie of a fault",
    reason: "any that is not 0 and not in use tells faults apart (FLT-06)",
    covers: (_call, _outcome, what) => what.startsWith("FAULT_READ") && what.includes(" cookie "),
  },
  {
    name: "what a device is",
    reason: "VFIO_GET_INFO tells of the hardware; the clauses only want it told every time",
    covers: ({ call }, _outcome, what) => call === "VFIO_GET_INFO" && what.endsWith("plus one"),
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

const ERRNOS: readonly Errno[] = ["EINVAL", "ENOENT", "EPERM", "EIO", "ENOMEM"];

/** Answers with one thing changed. */
const corruptions = (made: Call, outcome: Outcome): Corruption[] => {
  const { call } = made;
  const { errno, out = {} } = outcome;
  const answers: Corruption[] = ERRNOS.filter((other) => other !== errno).map((other) => ({
    what: `${call} ${errno} to ${other}`,
    outcome: { errno: other } as Outcome,
  }));
  if (errno !== 0) {
    answers.push({ what: `${call} ${errno} to success`, outcome: successOf(made) });
  }
  for (const [name, value] of Object.entries({ ...(errno === 0 && leftOut(made)), ...out })) {
    for (const [how, changed] of changes(value)) {
      const what = `${call} ${name} ${how}`;
      answers.push({ what, outcome: { errno, out: { ...out, [name]: changed } } as Outcome });
    }
  }
  return answers;
};

/** What an output would say that an answer may leave out. */
const leftOut = ({ call, in: given }: Call): object => {
  if (call !== "HWPT_GET_DIRTY_BITMAP" || given.prefill === "") return {};
  const bytes = Number((given.length / given.page_size + 7n) / 8n);
  return { bitmap: given.prefill.repeat(bytes) };
};

/** A success with outputs that are as harmless as can be. */
const successOf = ({ call, in: given }: Call): Outcome => {
  const outs: Readonly<Record<string, unknown>> = {
    IOAS_ALLOC: { out_ioas_id: 4242 },
    IOAS_MAP: { iova: 0x7777_0000n },
    IOAS_COPY: { dst_iova: 0x7777_0000n },
    IOAS_UNMAP: { length: 0x1000n },
    IOAS_IOVA_RANGES: { num_iovas: 0, out_iova_alignment: 1n, array: [] },
    OPTION: { val64: 1n },
    VFIO_IOAS: { ioas_id: 1 },
    MOCK_DOMAIN: { out_stdev_id: 4242, out_hwpt_id: 4243, out_idev_id: 4244 },
    MOCK_DOMAIN_FLAGS: { out_stdev_id: 4242, out_hwpt_id: 4243, out_idev_id: 4244 },
    MOCK_DOMAIN_REPLACE: { pt_id: 4242 },
    HWPT_ALLOC: { out_hwpt_id: 4242 },
    GET_HW_INFO: { data_len: 0, out_data_type: 0, out_max_pasid_log2: 0, data: "" },
    HWPT_INVALIDATE: { entry_num: 0 },
    FAULT_QUEUE_ALLOC: { out_fault_id: 4242, out_fault_fd: 4242 },
    FAULT_READ: { records: [] },
    FAULT_WRITE: { rc: 0 },
    DIRTY: { out_nr_dirty: 0n },
    MEM_READ: { bytes: "" },
    CREATE_ACCESS: { out_access_fd: 4242 },
    ACCESS_PAGES: { out_access_pages_id: 4242 },
    VFIO_SET_IOMMU: { rc: 0 },
    VFIO_UNMAP_DMA: { size: 0n },
    RAW: { bytes: "bytes" in given ? given.bytes : "" },
  };
  return { errno: 0, ...(outs[call] !== undefined && { out: outs[call] }) } as Outcome;
};

const changes = (value: unknown): [how: string, changed: unknown][] => {
  if (typeof value === "bigint") {
    return [
      ["plus one", value + 1n],
      ["to another place", value ^ (1n << 63n)],
    ];
  }
  if (typeof value === "number") return [["plus one", value + 1]];
  if (typeof value === "string") {
    return [
      ["to ff", "ff".repeat(Math.max(value.length / 2, 1))],
      ["to 00", "00".repeat(Math.max(value.length / 2, 1))],
    ].filter(([, bytes]) => bytes !== value) as [string, string][];
  }
  if (!Array.isArray(value)) return [];
  if (value.length === 0) return [["with an element", [[0n as Iova, 1n as Iova]]]];
  if (isRecord(value[0])) return recordChanges(value[0], value.slice(1));
  const [first] = value as readonly (IovaRange | readonly [number, number])[];
  const bumped =
    typeof first?.[0] === "bigint"
      ? [first[0] + 1n, first[1]]
      : [Number(first?.[0] ?? 0) + 1, first?.[1]];
  return [
    ["without an element", value.slice(1)],
    ["with its first element changed", [bumped, ...value.slice(1)]],
  ];
};

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const recordChanges = (
  first: Readonly<Record<string, unknown>>,
  rest: readonly unknown[],
): [how: string, changed: unknown][] => [
  ["without an element", rest],
  ...Object.entries(first).flatMap(([name, value]) =>
    changes(value).map(([how, changed]): [string, unknown] => [
      `with ${name} ${how} in its first element`,
      [{ ...first, [name]: changed }, ...rest],
    ]),
  ),
];

/** Corruptions of one step that nobody noticed, neither in it nor later in the trace. */
const missed = (recording: Recording, at: number): string[] => {
  const step = recording.steps[at];
  if (step === undefined) return [];
  return corruptions(step.call, step.outcome).flatMap((corruption) => {
    const oracle = new Oracle(
      recording.platform,
      "linux-6.12",
      new Coverage(),
      new InvariantTally(),
    );
    for (const before of recording.steps.slice(0, at)) {
      oracle.judge(before.call, before.outcome);
    }
    if (oracle.judge(step.call, corruption.outcome) !== undefined) return [];
    const open = OPEN.find(({ covers }) => covers(step.call, step.outcome, corruption.what));
    return [open?.name ?? corruption.what];
  });
};

const unnoticed = new Map<Recording, ReadonlySet<string>>();

/** What nobody noticed in a recording; asked for twice. */
const unnoticedIn = (recording: Recording): ReadonlySet<string> => {
  const known = unnoticed.get(recording);
  if (known !== undefined) return known;
  const found = new Set(recording.steps.flatMap((_, i) => missed(recording, i)));
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
