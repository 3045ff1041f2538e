/**
 * iommufd_fault: a queue of page faults that wait for user space.
 *
 * A fault comes from a device that is attached to a HWPT with this queue. It waits until it is
 * read, and then for its answer, under a cookie: the lowest free number from 1 up. When its
 * device leaves the HWPT, it is answered for it, wherever it waits, and nobody hears of it again
 * (FLT-07). Here every fault is a group of its own, as those of the mock driver are.
 *
 * The file of the queue is one of its users, the HWPTs are the others (FLT-02).
 */
import type { Errno } from "../../spec/errno";
import type { PageFault } from "../../spec/fields";
import { IommufdObject } from "./iommufd-object";

/** What a device reports, and for whom it is answered when they leave. */
interface Fault {
  readonly source: object;
  readonly report: Omit<PageFault, "cookie">;
}

export class IommufdFault extends IommufdObject {
  #waiting: Fault[] = [];
  /** Faults that have been read, by cookie. */
  readonly #unanswered = new Map<number, Fault>();

  get isReadable(): boolean {
    return this.#waiting.length > 0;
  }

  report(fault: Fault): void {
    this.#waiting.push(fault);
  }

  /** Takes out up to `most` faults; not one fits: EINVAL (FLT-03). */
  read(most: number): PageFault[] | Errno {
    if (most === 0 && this.isReadable) return "EINVAL";
    return this.#waiting.splice(0, most).map((fault) => {
      let cookie = 1;
      while (this.#unanswered.has(cookie)) cookie += 1;
      this.#unanswered.set(cookie, fault);
      return { ...fault.report, cookie };
    });
  }

  /** The device hears of an answer; false: nothing waits for one under this cookie. */
  answer(cookie: number): boolean {
    return this.#unanswered.delete(cookie);
  }

  answerAllOf(source: object): void {
    this.#waiting = this.#waiting.filter((fault) => fault.source !== source);
    for (const [cookie, fault] of this.#unanswered) {
      if (fault.source === source) this.#unanswered.delete(cookie);
    }
  }

  /** Nobody can answer what is still open. */
  override destroy(): void {
    this.#waiting = [];
    this.#unanswered.clear();
  }
}
