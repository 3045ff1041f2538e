/** Everything the ledger has written down. */
import type { Platform } from "../../../spec/platform";
import type { Context, Device, Group, Hwpt, Ioas, LiveObject, Queue } from "./ioas";
import { UserMemory } from "./memory";
import { Pins } from "./pages";
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
  /** COPYs, and calls that moved, added or removed holders of pages. */
  copies = 0;
  handovers = 0;

  constructor(platform: Platform) {
    this.platform = platform;
    this.memory = new UserMemory(platform);
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
