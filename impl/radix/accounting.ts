/**
 * Who pays for pinned pages (ACT-01..11).
 *
 * Every iopt_pages belongs to the process that mapped it. Its pins always count in that
 * process's VmPin. Whether they also count against RLIMIT_MEMLOCK is settled when it is mapped,
 * for its whole life: not at all with CAP_IPC_LOCK, else against the user that the process was
 * then, or by process (VmLck) when the iommufd has RLIMIT_MODE 1. The limit is the one that the
 * process has when pages are pinned. Charges follow the pins within the same call, so at rest
 * the charge of an iopt_pages is its number of pinned pages.
 */
import type { Errno } from "../../spec/errno";
import type { Process as ProcessShape } from "../../spec/platform";
import { U64_MAX } from "../../spec/units";
import { assert } from "./assert";
import type { UserMemory } from "./user-memory";

/** What the pins of an iopt_pages are charged to, beside VmPin. */
export type AccountMode = "none" | "user" | "mm";

/** A user, shared by the user's processes. */
export interface User {
  lockedPages: number;
}

/** Who a process is, and what it may do. */
export type Credentials = Pick<ProcessShape, "uid" | "capabilities" | "memlock">;

export class Process {
  readonly memory: UserMemory;
  #uid: number;
  #user: User;
  #hasIpcLock: boolean;
  #hasSysResource: boolean;
  /** RLIMIT_MEMLOCK in bytes, soft and hard; 2^64-1: there is none. */
  #memlock: bigint;
  #memlockMax: bigint;
  /** VmPin. */
  pinnedPages = 0;
  /** VmLck. */
  lockedPages = 0;

  constructor(shape: Credentials, user: User, memory: UserMemory) {
    this.memory = memory;
    this.#uid = shape.uid;
    this.#user = user;
    this.#hasIpcLock = shape.capabilities.includes("IPC_LOCK");
    this.#hasSysResource = shape.capabilities.includes("SYS_RESOURCE");
    this.#memlock = shape.memlock ?? U64_MAX;
    this.#memlockMax = this.#memlock;
  }

  get isRoot(): boolean {
    return this.#uid === 0;
  }

  get user(): User {
    return this.#user;
  }

  get hasIpcLock(): boolean {
    return this.#hasIpcLock;
  }

  get hasSysResource(): boolean {
    return this.#hasSysResource;
  }

  /** RLIMIT_MEMLOCK in whole pages. */
  get memlockPages(): number {
    return Number(this.#memlock / BigInt(this.memory.pageSize));
  }

  /** setrlimit: anybody may lower the hard limit. */
  setMemlock(cur: bigint, max: bigint): 0 | Errno {
    if (cur > max) return "EINVAL";
    if (max > this.#memlockMax && !this.#hasSysResource) return "EPERM";
    this.#memlock = cur;
    this.#memlockMax = max;
    return 0;
  }

  /** setuid: nobody but root can become root, and nobody else has capabilities. */
  setUser(uid: number, user: User): 0 | Errno {
    if (uid === 2 ** 32 - 1) return "EINVAL"; // the uid that means "leave it as it is"
    if (this.#uid !== 0 && uid !== this.#uid) return "EPERM";
    this.#uid = uid;
    this.#user = user;
    if (uid === 0) return 0;
    this.#hasIpcLock = false;
    this.#hasSysResource = false;
    return 0;
  }

  /** A child, with a copy of the memory and nothing pinned for it. */
  fork(): Process {
    const unlimited = { uid: this.#uid, capabilities: [], memlock: null };
    const child = new Process(unlimited, this.#user, this.memory.fork());
    child.#hasIpcLock = this.#hasIpcLock;
    child.#hasSysResource = this.#hasSysResource;
    child.#memlock = this.#memlock;
    child.#memlockMax = this.#memlockMax;
    return child;
  }
}

/** What the pins of one iopt_pages are charged to. */
export class PinAccount {
  readonly #process: Process;
  readonly #mode: AccountMode;
  readonly #user: User;

  constructor(process: Process, mode: AccountMode) {
    this.#process = process;
    this.#mode = mode;
    this.#user = process.user;
  }

  charge(pages: number): 0 | Errno {
    // A limit may be below what is charged already, which does not matter for what costs nothing.
    if (pages === 0) return 0;
    const payer = this.#payer;
    if (payer !== undefined) {
      if (payer.lockedPages + pages > this.#process.memlockPages) return "ENOMEM";
      payer.lockedPages += pages;
    }
    this.#process.pinnedPages += pages;
    return 0;
  }

  uncharge(pages: number): void {
    const payer = this.#payer;
    if (payer !== undefined) payer.lockedPages -= pages;
    this.#process.pinnedPages -= pages;
    assert(this.#process.pinnedPages >= 0, "no more is returned than was charged");
  }

  get #payer(): { lockedPages: number } | undefined {
    if (this.#mode === "none") return undefined;
    return this.#mode === "user" ? this.#user : this.#process;
  }
}
