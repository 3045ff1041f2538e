/** Everything the ledger has written down. */
import type { Platform } from "../../../spec/platform";
import { PageBytes } from "./bytes";
import type { Access, Context, Device, Group, Hwpt, Ioas, LiveObject, Queue } from "./ioas";
import type { UserMemory } from "./memory";
import { type Holder, isFirm, Pins } from "./pages";
import { bootProcesses, Owners, type Pinned, type Process } from "./process";
import type { RangeSet } from "./ranges";

/** An open file of a VFIO device. */
export interface DeviceFile {
  readonly index: number;
  device: Device | undefined;
}

/** How many pages some holders have between them. */
const spanOf = (holders: readonly Holder[]): number => {
  const [holder] = holders;
  if (holder !== undefined && holders.length === 1) return holder.lastPage - holder.firstPage + 1;
  let [pages, next] = [0, 0];
  for (const { firstPage, lastPage } of [...holders].sort((a, b) => a.firstPage - b.firstPage)) {
    const from = Math.max(next, firstPage);
    if (lastPage >= from) pages += lastPage - from + 1;
    next = Math.max(next, lastPage + 1);
  }
  return pages;
};

export class LedgerState {
  readonly platform: Platform;
  readonly pageSize: number;
  readonly pageBytes: bigint;
  readonly bytes = new PageBytes();
  readonly processes: Map<number, Process>;
  /** The one that makes the call which is being looked at. */
  process: Process;
  readonly owners = new Owners();
  readonly pins = new Pins();
  /** By the numbers of their files; a context may have several (DUP). */
  readonly contexts = new Map<number, Context>();
  /** Each open number of an iommufd, as what a process has. */
  readonly numbers = new Map<number, object>();
  readonly files = new Map<number, DeviceFile>();
  /** By the numbers of their files. */
  readonly queues = new Map<number, Queue>();
  readonly accesses = new Map<number, Access>();
  readonly groups = new Map<number, Group>();
  /** Groups of which a device may be bound, although the BIND had no answer (VFD-09). */
  readonly maybeOwned = new Set<number>();
  /** The 64-byte buffers of devices; undefined: nobody knows the byte. */
  readonly buffers = new Map<number, (number | undefined)[]>();
  /** Complete range answers by attachments, for IOASs without other reservations. */
  readonly rangesByDevices = new Map<number, RangeSet>();
  readonly alignments = new Map<number, bigint>();
  /** Closing an iommufd or a device took away the last mapping there was. */
  emptiedByClose = false;
  /** A process has ended. */
  anyExited = false;
  /** The answers went where the ledger cannot follow. */
  lost = false;
  /** Pins count by process somewhere, or may (OPT-05). */
  byProcess = false;
  /** COPYs, and calls that moved, added or removed holders of pages. */
  copies = 0;
  handovers = 0;

  /** The object that was asked for last: all look for the one that the call names. */
  #fd = Number.NaN;
  #id = 0;
  #object: LiveObject | undefined;

  constructor(platform: Platform) {
    this.platform = platform;
    this.pageSize = platform.pageSize;
    this.pageBytes = BigInt(platform.pageSize);
    this.processes = bootProcesses(platform, this.bytes);
    const [first] = this.processes.values();
    if (first === undefined) throw new Error("a platform without a process");
    this.process = first;
  }

  /** That of the calling process. */
  get memory(): UserMemory {
    return this.process.memory;
  }

  /** What is pinned for a process, once for each MAP; undefined: nobody knows (CPY-26, UNM-24). */
  pinnedBy(process: Process): Pinned | undefined {
    const { changes } = this.pins;
    if (process.counted?.changes !== changes) {
      process.counted = { changes, pinned: this.#count(process) };
    }
    return process.counted.pinned;
  }

  #count(process: Process): Pinned | undefined {
    let [pages, maps, locked]: [number, number, number | undefined] = [0, 0, 0];
    for (const { process: owner, holders, byProcess } of this.pins.live) {
      if (owner !== process || holders.length === 0) continue;
      for (const holder of holders) if (!isFirm(holder)) return undefined;
      maps++;
      const before = pages;
      pages += spanOf(holders);
      if (byProcess === undefined) locked = undefined;
      else if (byProcess && locked !== undefined) locked += pages - before;
    }
    return { pages, maps, locked };
  }

  object(fd: number, id: number): LiveObject | undefined {
    if (fd !== this.#fd || id !== this.#id) {
      this.#object = this.contexts.get(fd)?.objects.get(id);
      this.#fd = fd;
      this.#id = id;
    }
    return this.#object;
  }

  /** To be called between two calls: objects come and go. */
  protected forgetObject(): void {
    this.#fd = Number.NaN;
  }

  hwpt(fd: number, id: number): Hwpt | undefined {
    const object = this.object(fd, id);
    return object?.kind === "hwpt" ? object : undefined;
  }

  ioas(fd: number, id: number): Ioas | undefined {
    const object = this.object(fd, id);
    return object?.kind === "ioas" ? object : undefined;
  }

  /** The compat IOAS of a context, if it is known. */
  compat(fd: number): Ioas | undefined {
    return this.ioas(fd, this.contexts.get(fd)?.compat ?? 0);
  }
}
