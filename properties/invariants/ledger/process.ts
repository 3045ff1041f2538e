/** The processes of a machine, as far as answers tell of them: their memory, limits and files. */
import type { Platform } from "../../../spec/platform";
import type { PageBytes } from "./bytes";
import { UserMemory } from "./memory";

/** What had happened to pins when an answer came. */
export interface Moment {
  readonly changes: number;
  readonly copies: number;
  readonly handovers: number;
}

/** Pages that are pinned for a process, and how many MAPs they belong to. */
export interface Pinned {
  readonly pages: number;
  readonly maps: number;
  /** Those of them that count as locked memory of the process; undefined: nobody knows. */
  readonly locked: number | undefined;
}

/** An answer of PROC_STATUS. */
export interface Status extends Moment {
  readonly pin: number;
  readonly lck: number;
  /** What was pinned for the process at that time; undefined: nobody knows. */
  readonly pinned: Pinned | undefined;
}

export class Process {
  readonly memory: UserMemory;
  /** It has CAP_IPC_LOCK: what it maps from now on is not charged. */
  lockFree: boolean;
  /** RLIMIT_MEMLOCK in pages, as it was set; undefined: as at boot. */
  limit: bigint | undefined;
  /** Mappings were made while it had another limit or other rights (ACT-01). */
  limitIsVague = false;
  /** Holders of pages that it mapped, or that may hold some. */
  holding = 0;
  /** What is pinned for it, and `Pins.changes` when that was counted. */
  counted: { readonly changes: number; readonly pinned: Pinned | undefined } | undefined;
  /** Answers of PROC_STATUS: the first ever, the first with nothing pinned, and the last. */
  first: Status | undefined;
  idle: Status | undefined;
  last: Status | undefined;
  /** Answers by the number of pages pinned, the last for each number. */
  readonly byPages = new Map<number, Status>();

  constructor(memory: UserMemory, lockFree: boolean) {
    this.memory = memory;
    this.lockFree = lockFree;
  }

  /** A child has a memory and accounts of its own, and the rights and limits of its parent. */
  fork(): Process {
    const child = new Process(this.memory.fork(), this.lockFree);
    child.limit = this.limit;
    return child;
  }
}

export const bootProcesses = (platform: Platform, bytes: PageBytes): Map<number, Process> =>
  new Map(
    platform.processes.map(({ memory, capabilities }, i) => [
      i,
      new Process(
        UserMemory.atBoot(platform.pageSize, memory, bytes),
        capabilities.includes("IPC_LOCK"),
      ),
    ]),
  );

/** Which processes have a file: the one that opened it, and those that were made of one. */
export class Owners {
  readonly #owners = new Map<object, Set<number>>();

  open(file: object, proc: number): void {
    this.#owners.set(file, new Set([proc]));
  }

  has(file: object, proc: number): boolean {
    return this.#owners.get(file)?.has(proc) ?? false;
  }

  /** @returns true if nobody has it any more */
  letGo(file: object, proc: number): boolean {
    const owners = this.#owners.get(file);
    owners?.delete(proc);
    if (owners !== undefined && owners.size > 0) return false;
    this.#owners.delete(file);
    return true;
  }

  inherit(parent: number, child: number): void {
    for (const owners of this.#owners.values()) if (owners.has(parent)) owners.add(child);
  }
}
