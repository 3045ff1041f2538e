/**
 * Who pays for pinned pages (ACT-01..11).
 *
 * Every iopt_pages belongs to the process that mapped it. Its pins always count in that
 * process's VmPin. Whether they also count against RLIMIT_MEMLOCK was decided when it was
 * mapped: not at all with CAP_IPC_LOCK, else per user, or per process (VmLck) when the iommufd
 * has RLIMIT_MODE 1. Charges follow the pins within the same call, so at rest the charge of an
 * iopt_pages is its number of pinned pages.
 */
import type { Errno } from "../../spec/errno";
import type { Process as ProcessShape } from "../../spec/platform";
import { assert } from "./assert";
import type { UserMemory } from "./user-memory";

/** What the pins of an iopt_pages are charged to, beside VmPin. */
export type AccountMode = "none" | "user" | "mm";

/** A user, shared by the user's processes. */
export interface User {
  lockedPages: number;
}

export class Process {
  readonly memory: UserMemory;
  readonly hasIpcLock: boolean;
  readonly hasSysResource: boolean;
  readonly #user: User;
  /** RLIMIT_MEMLOCK in pages. */
  readonly #memlockPages: number;
  /** VmPin. */
  pinnedPages = 0;
  /** VmLck. */
  lockedPages = 0;

  constructor(shape: ProcessShape, user: User, memory: UserMemory) {
    this.memory = memory;
    this.hasIpcLock = shape.capabilities.includes("IPC_LOCK");
    this.hasSysResource = shape.capabilities.includes("SYS_RESOURCE");
    this.#user = user;
    this.#memlockPages =
      shape.memlock === null
        ? Number.POSITIVE_INFINITY
        : Number(shape.memlock / BigInt(memory.pageSize));
  }

  charge(mode: AccountMode, pages: number): 0 | Errno {
    if (mode === "user") {
      if (this.#user.lockedPages + pages > this.#memlockPages) return "ENOMEM";
      this.#user.lockedPages += pages;
    } else if (mode === "mm") {
      if (this.lockedPages + pages > this.#memlockPages) return "ENOMEM";
      this.lockedPages += pages;
    }
    this.pinnedPages += pages;
    return 0;
  }

  uncharge(mode: AccountMode, pages: number): void {
    if (mode === "user") this.#user.lockedPages -= pages;
    else if (mode === "mm") this.lockedPages -= pages;
    this.pinnedPages -= pages;
    assert(this.pinnedPages >= 0, "no more is returned than was charged");
  }
}
