/** Everything the ledger has written down. */
import type { Platform } from "../../../spec/platform";
import type { Context, Device, Group, Hwpt, Ioas, LiveObject, Queue } from "./ioas";
import { UserMemory } from "./memory";
import { isFirm, Pins } from "./pages";
import type { RangeSet } from "./ranges";

/** An open file of a VFIO device. */
export interface DeviceFile {
  readonly index: number;
  device: Device | undefined;
}

export class LedgerState {
  readonly platform: Platform;
  readonly memory: UserMemory;
  readonly pins = new Pins();
  readonly contexts = new Map<number, Context>();
  readonly files = new Map<number, DeviceFile>();
  readonly groups = new Map<number, Group>();
  /** By the number of their file. */
  readonly queues = new Map<number, Queue>();
  /** The 64-byte buffers of devices; undefined: nobody knows the byte. */
  readonly buffers = new Map<number, (number | undefined)[]>();
  /** Complete range answers by attachments, for IOASs without other reservations. */
  readonly rangesByDevices = new Map<number, RangeSet>();
  readonly alignments = new Map<number, bigint>();
  /** Closing an iommufd or a device took away the last mapping there was. */
  emptiedByClose = false;
  /** The answers went where the ledger cannot follow. */
  lost = false;
  /** RLIMIT_MEMLOCK in pages, as it was set; undefined: as at boot. */
  limit: bigint | undefined;
  /** The process has lost its capabilities. */
  unprivileged = false;
  /** Mappings were made before that, or count elsewhere, as those by process do (OPT-05). */
  limitIsVague = false;
  /** COPYs, and calls that moved, added or removed holders of pages. */
  copies = 0;
  handovers = 0;

  constructor(platform: Platform) {
    this.platform = platform;
    this.memory = new UserMemory(platform);
  }

  /** Pages that are pinned, once for each MAP; undefined: nobody knows (CPY-26, UNM-24). */
  pinnedPages(): number | undefined {
    let total = 0;
    for (const { areas } of this.pins.live) {
      const held = [...areas].filter((area) => area.held);
      if (!held.every(isFirm)) return undefined;
      let next = 0;
      for (const { firstPage, lastPage } of held.sort((a, b) => a.firstPage - b.firstPage)) {
        const from = Math.max(next, firstPage);
        if (lastPage >= from) total += lastPage - from + 1;
        next = Math.max(next, lastPage + 1);
      }
    }
    return total;
  }

  object(fd: number, id: number): LiveObject | undefined {
    return this.contexts.get(fd)?.objects.get(id);
  }

  hwpt(fd: number, id: number): Hwpt | undefined {
    const object = this.object(fd, id);
    return object?.kind === "hwpt" ? object : undefined;
  }

  ioas(fd: number, id: number): Ioas | undefined {
    const object = this.object(fd, id);
    return object?.kind === "ioas" ? object : undefined;
  }
}
