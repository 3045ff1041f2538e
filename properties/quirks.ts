/**
 * What a released kernel is known to report of itself although every answer is right. A quirk has
 * a name, its trace under docs/kernel-quirks, the report and the situation that causes it: the
 * same report in any other situation is a failure of LIV-03 like every other.
 */
import { hasDomain } from "../model/pinning";
import type { MachineState } from "../model/state/machine";
import type { Context, Ioas, Pages } from "../model/state/objects";
import type { CallName } from "../spec/calls";
import type { Ending } from "../spec/trace";

export interface Quirk {
  readonly name: string;
  readonly what: string;
  readonly report: RegExp;
  /** Calls in which it may come; at the end of the trace everything is put away. */
  readonly calls: ReadonlySet<CallName>;
  /** True if it may come in the state before the call. */
  readonly mayCome: (machine: MachineState) => boolean;
}

/** Pages of a Pages object that somebody holds, by index. */
interface Use {
  readonly pages: Pages;
  readonly first: bigint;
  readonly last: bigint;
  /** A domain translates to them; otherwise an in-kernel user has them pinned. */
  readonly inDomain: boolean;
}

const contextsOf = (machine: MachineState): ReadonlySet<Context> =>
  new Set([
    ...machine.fds.values(),
    ...[...machine.accesses.values()].map(({ context }) => context),
    ...[...machine.faultFiles.values()].map(({ context }) => context),
    ...[...machine.cdevs.values()].flatMap(({ bound }) =>
      bound === undefined ? [] : bound.context,
    ),
  ]);

const ioasesIn = (machine: MachineState): Ioas[] =>
  [...contextsOf(machine)].flatMap(({ objects }) =>
    [...objects.values()].filter((object): object is Ioas => object.type === "ioas"),
  );

const usesIn = (machine: MachineState): Use[] => {
  const uses: Use[] = [];
  const { page } = machine;
  const add = (pages: Pages, startByte: bigint, length: bigint, inDomain: boolean): void => {
    const [first, last] = [startByte / page, (startByte + length - 1n) / page];
    uses.push({ pages, first, last, inDomain });
  };
  for (const ioas of ioasesIn(machine)) {
    for (const { pages, startByte, first, last } of hasDomain(ioas) ? ioas.areas : []) {
      add(pages, startByte, last - first + 1n, true);
    }
    for (const { ranges } of ioas.accesses) {
      for (const { pieces } of ranges.values()) {
        for (const { pages, startByte, first, last } of pieces) {
          add(pages, startByte, last - first + 1n, false);
        }
      }
    }
  }
  return uses;
};

/** Memory that was charged to a process which is gone by now. */
const hasDeadDebtor = (machine: MachineState): boolean =>
  ioasesIn(machine).some(({ areas }) =>
    areas.some(({ pages: { account, proc } }) => account === "process" && machine.ended.has(proc)),
  );

/** An area in a domain, and two more uses of its memory with a page before and between them. */
const hasTwoUsesInOneArea = (machine: MachineState): boolean => {
  const uses = usesIn(machine);
  return uses.some(
    (area) =>
      area.inDomain &&
      uses.some(
        (one) =>
          one.pages === area.pages &&
          area.first < one.first &&
          uses.some(
            (two) =>
              two.pages === area.pages && one.last + 1n < two.first && two.first <= area.last,
          ),
      ),
  );
};

/** Calls that may take an area out of its last domain. */
const TAKE_OUT: ReadonlySet<CallName> = new Set<CallName>([
  ...(["IOAS_UNMAP", "VFIO_UNMAP_DMA", "DESTROY", "CLOSE", "EXIT"] as const),
  ...(["VFIO_ATTACH", "VFIO_DETACH", "DEVICE_CLOSE", "MOCK_DOMAIN_REPLACE"] as const),
  ...(["CLOSE_ACCESS", "CLOSE_FAULT"] as const),
]);

/** Calls that read where the memory of an area is, for a domain or an in-kernel user. */
const LOOK_UP: ReadonlySet<CallName> = new Set<CallName>([
  ...(["VFIO_ATTACH", "MOCK_DOMAIN", "MOCK_DOMAIN_FLAGS", "MOCK_DOMAIN_REPLACE"] as const),
  ...(["HWPT_ALLOC", "IOAS_COPY", "ACCESS_RW"] as const),
]);

export const QUIRKS: readonly Quirk[] = [
  {
    name: "reads-what-it-unmapped",
    // pages.c, iopt_area_unpin_domain: where an area leaves its domain, memory in one piece is
    // unmapped ahead of what can be unpinned, around what others still hold. Behind the second gap
    // the domain is asked again where it translates nothing any more. No answer depends on it.
    what: "Linux 6.12 reads translations that it has just removed",
    report: /^WARNING: at drivers\/iommu\/iommufd\/selftest\.c:\d+ mock_domain_iova_to_phys$/,
    calls: TAKE_OUT,
    // Memory of which no two pages are neighbours is unmapped page by page.
    mayCome: (machine) => machine.platform.physical !== "scattered" && hasTwoUsesInOneArea(machine),
  },
  {
    name: "loses-count-of-the-dead",
    // pages.c, do_update_pinned: with RLIMIT_MODE 1 what is unpinned is to be given back to the
    // process that mapped it. If that is gone, nobody notes that it is no longer pinned, and who
    // fills a domain next finds two counts that differ. The answer is right: EFAULT (MAP-33).
    what: "Linux 6.12 does not note what is unpinned after its process has ended",
    report: /^WARNING: at drivers\/iommu\/iommufd\/pages\.c:\d+ pfn_reader_destroy$/,
    calls: LOOK_UP,
    mayCome: hasDeadDebtor,
  },
];

/**
 * The quirk that explains why a history ended so; undefined: none does.
 * @param during the call in which it ended; undefined: behind the last one
 */
export const quirkOf = (
  ending: Ending,
  during: CallName | undefined,
  machine: MachineState,
): Quirk | undefined => {
  if (ending.kind !== "complaint") return undefined;
  return QUIRKS.find(
    ({ report, calls, mayCome }) =>
      report.test(ending.reason) && (during === undefined || calls.has(during)) && mayCome(machine),
  );
};
