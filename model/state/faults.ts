/**
 * Page faults on their way to user space (FLT). A fault waits in the queue of the nested HWPT
 * that its device is attached to; reading it gives it a cookie, by which it is answered.
 */
import type { PageFault } from "../../spec/fields";
import type { BoundDevice, Context, Group } from "./objects";

export interface FaultQueue {
  readonly type: "fault";
  readonly id: number;
  readonly context: Context;
  /** The file by which user space reads and answers; a user of the queue, as are HWPTs (FLT-02). */
  fileIsOpen: boolean;
  hwpts: number;
  /** Not read yet, the oldest first. */
  waiting: Fault[];
  /** Read but not answered, by cookie. */
  readonly unanswered: Map<number, Fault>;
  /** Cookies of faults that were answered because their device left (FLT-07). */
  readonly goneCookies: Set<number>;
}

export interface Fault {
  readonly device: BoundDevice;
  readonly record: Omit<PageFault, "cookie">;
}

/** FLT-07: the faults of devices that leave an HWPT are answered for user space. */
export const dropFaults = (queue: FaultQueue, group: Group): void => {
  queue.waiting = queue.waiting.filter(({ device }) => device.group !== group);
  for (const [cookie, { device }] of queue.unanswered) {
    if (device.group !== group) continue;
    queue.unanswered.delete(cookie);
    queue.goneCookies.add(cookie);
  }
};
