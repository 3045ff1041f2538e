/**
 * What an implementation's own successful answers imply.
 *
 * The ledger is no model: it never predicts an errno and never asks whether a call should have
 * succeeded. It writes down what was answered, and forgets wherever the documents leave open
 * what an answer means. When it cannot follow at all (`lost`), nothing is judged any more.
 */
import type { Call, CallOf, Outcome, OutcomeOf } from "../../../spec/calls";
import type { PinRun } from "../../../spec/fields";
import type { Platform } from "../../../spec/platform";
import {
  OPTION_HUGE_PAGES,
  OPTION_OP_SET,
  VFIO_ATTACH_ARGSZ,
  VFIO_IOAS_CLEAR,
  VFIO_IOAS_SET,
} from "../../../spec/uapi/flags";
import { IOCTLS } from "../../../spec/uapi/ioctls";
import type { Bytes, IovaRange } from "../../../spec/units";
import * as devices from "./devices";
import { doubtDirty, noteDirty } from "./dirty-calls";
import { noteDma } from "./dma";
import { Context, Ioas } from "./ioas";
import * as mappings from "./mappings";
import { PinAnswers } from "./pin-answers";
import { asSet, type RangeSet } from "./ranges";
import { Recent } from "./recent";
import { LedgerState } from "./state";
import * as tables from "./tables";
import { Walk } from "./walk";

/** No platform reserves so much that there are more ranges than this. */
const MOST_ELEMENTS = 1024;

/** A complete answer of IOVA_RANGES as a set. */
export interface Answered {
  readonly ioas: Ioas;
  readonly set: RangeSet;
}

export class Ledger extends LedgerState {
  readonly walk: Walk;
  readonly recent = new Recent();
  readonly pinAnswers = new PinAnswers();
  #asked: unknown;
  #answered: Answered | undefined;

  constructor(platform: Platform) {
    super(platform);
    this.walk = new Walk(this.memory);
  }

  /** A complete range answer about an IOAS whose reservations are known; many ask for it. */
  answered(
    call: CallOf<"IOAS_IOVA_RANGES">,
    outcome: OutcomeOf<"IOAS_IOVA_RANGES">,
  ): Answered | undefined {
    if (this.#asked === outcome) return this.#answered;
    this.#asked = outcome;
    this.#answered = undefined;
    const ioas = this.ioas(call.fd, call.in.ioas_id);
    const array = outcome.out?.array;
    if (outcome.errno === 0 && array !== undefined && ioas !== undefined && !ioas.fog) {
      this.#answered = { ioas, set: asSet(array) };
    }
    return this.#answered;
  }

  /** Takes note of an answer that contradicted nothing. */
  note(call: Call, outcome: Outcome): void {
    this.walk.reset();
    this.#asked = undefined;
    let changed = outcome.errno === 0 ? this.#success(call, outcome) : this.#failure(call);
    if (call.call === "IOAS_IOVA_RANGES") changed = this.#noteElements(call.in);
    if (changed) this.recent.forget();
    else this.recent.remember(call, outcome, this);
  }

  /** @returns true when anything may have changed */
  #failure(call: Call): boolean {
    switch (call.call) {
      case "IOAS_UNMAP":
        // What went before it failed is dirty no more, or still is (UNM-24).
        doubtDirty(this.ioas(call.fd, call.in.ioas_id), call.in);
        return mappings.noteFailedUnmap(this, call);
      case "VFIO_UNMAP_DMA":
        // Mappings may have been cut, and some of them may be gone (VCC-14, VCC-16).
        this.lost = true;
        return true;
      case "RAW":
      case "DEVICE_RAW":
        // The same as bytes; and an answer that cannot be stored undoes little (GEN-16).
        if (call.in.memory !== "r" && call.in.nr !== IOCTLS.VFIO_UNMAP_DMA.command) return false;
        this.lost = true;
        return true;
      case "MEM_WRITE":
        // The bytes before the first one that cannot be written have been.
        this.memory.store(call.in.va, undefined, call.in.bytes.length / 2);
        return true;
      case "MMAP":
      case "MUNMAP":
        this.memory.change(call.in.va, call.in.length, "open");
        return true;
      case "MPROTECT":
        return true;
      case "VFIO_ATTACH":
        if (call.in.argsz < VFIO_ATTACH_ARGSZ || call.in.flags !== 0) return false;
        return devices.noteFailedReplace(this.files.get(call.in.devfd)?.device, call.in.pt_id);
      case "MOCK_DOMAIN_REPLACE": {
        const object = this.object(call.fd, call.in.stdev_id);
        const device = object?.kind === "stdev" ? object.device : undefined;
        return devices.noteFailedReplace(device, call.in.pt_id);
      }
      case "DMA":
        noteDma(this, call, { fault: 1 });
        return true;
      case "HWPT_INVALIDATE":
        // The entries before the bad one have been taken.
        return true;
      case "HWPT_GET_DIRTY_BITMAP":
        noteDirty(this, call, { errno: "EINVAL" });
        return true;
      default:
        return false;
    }
  }

  /** @returns false for calls that only observe */
  #success(call: Call, outcome: Outcome): boolean {
    const out = (outcome.out ?? {}) as Readonly<Record<string, unknown>>;
    switch (call.call) {
      case "OPEN":
        this.contexts.set(out["fd"] as number, new Context());
        return true;
      case "CLOSE":
        devices.close(this, call.fd);
        return true;
      case "DESTROY":
        devices.destroy(this, call.fd, call.in.id);
        return true;
      case "IOAS_ALLOC": {
        const ctx = this.#context(call.fd);
        const id = out["out_ioas_id"] as number;
        ctx?.objects.set(id, new Ioas(id, ctx, this.platform.iommus));
        return true;
      }
      case "IOAS_IOVA_RANGES":
        this.#noteRanges(call.fd, call.in.ioas_id, outcome as never);
        return false;
      case "IOAS_ALLOW_IOVAS":
        this.#noteAllowed(call.fd, call.in.ioas_id, call.in.num_iovas, call.in.array);
        return true;
      case "IOAS_MAP":
        mappings.noteMap(this, call, out["iova"] as bigint);
        return true;
      case "IOAS_COPY":
        mappings.noteCopy(this, call, out["dst_iova"] as bigint);
        return true;
      case "IOAS_UNMAP":
        mappings.noteUnmap(this, call);
        doubtDirty(this.ioas(call.fd, call.in.ioas_id), call.in);
        return true;
      case "OPTION":
        if (call.in.op !== OPTION_OP_SET) return false;
        this.#noteOption(call.fd, call.in.option_id, call.in.object_id, call.in.val64);
        return true;
      case "VFIO_IOAS": {
        const ctx = this.#context(call.fd);
        if (ctx && call.in.op === VFIO_IOAS_SET) ctx.compat = call.in.ioas_id;
        else if (ctx && call.in.op === VFIO_IOAS_CLEAR) ctx.compat = 0;
        else return false;
        return true;
      }
      case "TRANSLATE":
        mappings.settleDoubts(this, call, outcome as never);
        return false;
      case "ADD_RESERVED": {
        const ioas = this.ioas(call.fd, call.in.ioas_id);
        if (ioas === undefined || call.in.length === 0n) this.lost = true;
        else mappings.noteReserved(ioas, call.in.start, call.in.length);
        return true;
      }
      case "MMAP":
        this.memory.change(call.in.va, call.in.length, "fresh");
        return true;
      case "MUNMAP":
        this.memory.change(call.in.va, call.in.length, "open");
        return true;
      case "MEM_WRITE":
        this.memory.store(call.in.va, call.in.bytes, call.in.bytes.length / 2);
        return true;
      case "PAGE_REFS":
        this.pinAnswers.notePins(this, call.in, out["refs"] as readonly PinRun[]);
        return false;
      case "PROC_STATUS":
        this.pinAnswers.noteStatus(this, outcome as never);
        return false;
      case "MEM_READ":
      case "MD_CHECK_MAP":
      case "MD_CHECK_REFS":
        return false;
      case "DMA":
        noteDma(this, call, out);
        return true;
      case "MPROTECT":
        return true;
      case "SETRLIMIT_MEMLOCK":
        // What is pinned already may be more than that.
        if (this.pins.holding > 0) this.limitIsVague = true;
        this.limit = call.in.cur / BigInt(this.platform.pageSize);
        return true;
      case "SETUID":
        // Whether the pins of a mapping count is settled when it is made (ACT-01).
        if (this.pins.live.size > 0) this.limitIsVague = true;
        this.unprivileged ||= call.in.uid !== 0;
        return true;
      case "GET_HW_INFO":
      case "FAULT_POLL":
      case "MD_CHECK_IOTLB":
      case "VFIO_GET_API_VERSION":
      case "VFIO_CHECK_EXTENSION":
      case "VFIO_IOMMU_GET_INFO":
        return false;
      case "FAULT_READ":
      case "FAULT_WRITE":
      case "TRIGGER_IOPF":
      case "HWPT_INVALIDATE":
        return true;
      case "HWPT_ALLOC":
      case "FAULT_QUEUE_ALLOC":
      case "CLOSE_FAULT":
        tables.noteTable(this, call, out);
        return true;
      case "HWPT_SET_DIRTY_TRACKING":
      case "DIRTY":
      case "HWPT_GET_DIRTY_BITMAP":
        noteDirty(this, call, outcome);
        return true;
      default:
        devices.noteDeviceCall(this, call, out);
        return true;
    }
  }

  /** The context of a call that succeeded. */
  #context(fd: number): Context | undefined {
    const ctx = this.contexts.get(fd);
    if (ctx === undefined) this.lost = true;
    return ctx;
  }

  #noteRanges(
    fd: number,
    id: number,
    { out }: { readonly out: { array: RangeSet; out_iova_alignment: Bytes } },
  ): void {
    const ioas = this.ioas(fd, id);
    if (ioas === undefined || ioas.fog) return;
    const answer = {
      set: asSet(out.array),
      alignment: out.out_iova_alignment,
      detaches: ioas.detaches,
    };
    ioas.answer = answer;
    ioas.narrowed = false;
    ioas.widened = false;
    ioas.reshaped = false;
    const key = ioas.attached;
    const shape = key * 2 + Number(ioas.huge);
    if (!this.alignments.has(shape)) this.alignments.set(shape, answer.alignment);
    if (ioas.allowed?.length !== 0) return;
    ioas.answers ??= new Map();
    ioas.answers.set(key, answer);
    if (ioas.added.length === 0 && !this.rangesByDevices.has(key)) {
      this.rangesByDevices.set(key, answer.set);
    }
  }

  /** The array may have been stored in memory that is not scratch, even by a call that failed. */
  #noteElements(args: CallOf<"IOAS_IOVA_RANGES">["in"]): boolean {
    const count = Math.min(args.num_iovas, args.writable_elems, MOST_ELEMENTS);
    if (count === 0 || this.memory.isScratch(args.allowed_iovas)) return false;
    this.memory.store(args.allowed_iovas, undefined, count * 16);
    return true;
  }

  #noteAllowed(fd: number, id: number, count: number, array: readonly IovaRange[]): void {
    const ioas = this.ioas(fd, id);
    if (ioas === undefined) {
      this.lost = true;
      return;
    }
    const list = array.slice(0, count).filter(([start, last]) => start <= last);
    ioas.allowed = array.length < count ? undefined : asSet(list);
    ioas.reshaped = true;
  }

  #noteOption(fd: number, option: number, id: number, value: bigint): void {
    const ctx = this.#context(fd);
    if (ctx === undefined) return;
    if (option !== OPTION_HUGE_PAGES) {
      ctx.rlimitMode = value;
      this.limitIsVague ||= value !== 0n;
      return;
    }
    const ioas = this.ioas(fd, id);
    if (ioas === undefined) this.lost = true;
    else {
      ioas.huge = value;
      ioas.reshaped = true;
    }
  }
}
