/**
 * What an implementation's own successful answers imply.
 *
 * The ledger is no model: it never predicts an errno and never asks whether a call should have
 * succeeded. It writes down what was answered, and forgets wherever the documents leave open
 * what an answer means. When it cannot follow at all (`lost`), nothing is judged any more.
 */
import { type Call, type CallOf, type Outcome, type OutcomeOf, shapeOf } from "../../../spec/calls";
import type { Errno } from "../../../spec/errno";
import type { PinRun } from "../../../spec/fields";
import type { Platform } from "../../../spec/platform";
import { OPTION_OP_SET, VFIO_ATTACH_ARGSZ } from "../../../spec/uapi/flags";
import { noteAccess, noteFailedReplaceOf, noteFailedRw } from "./access";
import { noteFailedUnmapDma, noteMapDma, noteSetIommu, noteUnmapDma, noteVfioIoas } from "./compat";
import * as devices from "./devices";
import { doubtDirty, noteDirty } from "./dirty-calls";
import { noteDma } from "./dma";
import * as files from "./files";
import { mayUse } from "./files";
import { Context, type Ioas } from "./ioas";
import * as answers from "./ioas-answers";
import * as mapCalls from "./map-calls";
import { PinAnswers } from "./pin-answers";
import { asSet, type RangeSet } from "./ranges";
import { Recent } from "./recent";
import { LedgerState } from "./state";
import * as tables from "./tables";
import { noteUnanswered } from "./unanswered";
import { Walk } from "./walk";

/** A complete answer of IOVA_RANGES as a set. */
export interface Answered {
  readonly ioas: Ioas;
  readonly set: RangeSet;
}

export class Ledger extends LedgerState {
  readonly walk: Walk;
  readonly recent = new Recent();
  readonly pinAnswers = new PinAnswers();
  #forked = false;
  #asked: unknown;
  #answered: Answered | undefined;

  constructor(platform: Platform) {
    super(platform);
    this.walk = new Walk(platform.pageSize);
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

  #noteRanges(call: CallOf<"IOAS_IOVA_RANGES">, outcome: OutcomeOf<"IOAS_IOVA_RANGES">): void {
    answers.noteRanges(this, call, outcome, this.answered(call, outcome)?.set ?? []);
  }

  /**
   * Looks from the calling process.
   * @returns false if there is none, or if it has not the file that the call is about: then the
   * call has done nothing
   */
  enter(call: Call, { errno }: Outcome): boolean {
    this.forgetObject();
    const process = this.processes.get(call.proc);
    if (process === undefined) return false;
    this.process = process;
    return !this.#forked || errno === 0 || mayUse(this, call);
  }

  /** Takes note of an answer that contradicted nothing. */
  note(call: Call, outcome: Outcome): void {
    let changed = outcome.errno === 0 ? this.#success(call, outcome) : this.#failure(call, outcome);
    this.walk.reset();
    this.#asked = undefined;
    if (call.call === "IOAS_IOVA_RANGES") changed = answers.noteElements(this, call);
    if (changed) this.recent.forget();
    else this.recent.remember(call, outcome, this);
    this.forgetObject();
  }

  /** Takes note of a call that failed because it could not store its answer. */
  noteUnanswered(call: Call, outcome: Outcome): void {
    if (noteUnanswered(this, call)) this.recent.forget();
    // That an answer could not be stored is no answer to a question.
    else if (!shapeOf(call.call).probe) this.note(call, outcome);
  }

  /** @returns true when anything may have changed */
  #failure(call: Call, outcome: Outcome): boolean {
    switch (call.call) {
      case "IOAS_UNMAP":
        // What went before it failed is dirty no more, or still is (UNM-24).
        doubtDirty(this.ioas(call.fd, call.in.ioas_id), call.in);
        return mapCalls.noteFailedUnmap(this, call);
      case "VFIO_UNMAP_DMA":
        return noteFailedUnmapDma(this, call, outcome.errno as Errno);
      case "VFIO_IOAS":
        return noteVfioIoas(this, call, outcome as never);
      case "ACCESS_REPLACE_IOAS":
        return noteFailedReplaceOf(this, call.in.access_fd);
      case "ACCESS_RW":
        return noteFailedRw(this, call);
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
        files.noteOpen(this, out["fd"] as number, new Context(), call.proc);
        return true;
      case "DUP":
        files.noteDup(this, call.fd, out["fd"] as number, call.proc);
        return true;
      case "CLOSE":
        files.noteClose(this, call.fd, call.proc);
        return true;
      case "DEVICE_CLOSE":
        files.noteDeviceClose(this, call.in.devfd, call.proc);
        return true;
      case "CLOSE_FAULT":
        files.noteCloseFault(this, call.in.fault_fd, call.proc);
        return true;
      case "FORK":
        this.#forked = true;
        files.noteFork(this, call.proc, call.in.child);
        return true;
      case "EXIT":
        files.noteExit(this, call.proc);
        return true;
      case "DESTROY":
        devices.destroy(this, call.fd, call.in.id);
        return true;
      case "IOAS_ALLOC": {
        answers.noteIoas(this, call.fd, out["out_ioas_id"] as number);
        return true;
      }
      case "IOAS_IOVA_RANGES":
        this.#noteRanges(call, outcome as OutcomeOf<"IOAS_IOVA_RANGES">);
        return false;
      case "IOAS_ALLOW_IOVAS":
        answers.noteAllowed(this, call);
        return true;
      case "IOAS_MAP":
        mapCalls.noteMap(this, call, out["iova"] as bigint);
        return true;
      case "IOAS_COPY":
        mapCalls.noteCopy(this, call, out["dst_iova"] as bigint);
        return true;
      case "IOAS_UNMAP":
        mapCalls.noteUnmap(this, call);
        doubtDirty(this.ioas(call.fd, call.in.ioas_id), call.in);
        return true;
      case "OPTION":
        if (call.in.op !== OPTION_OP_SET) return false;
        answers.noteOption(this, call);
        return true;
      case "VFIO_IOAS":
        return noteVfioIoas(this, call, outcome as never);
      case "VFIO_SET_IOMMU":
        noteSetIommu(this, call);
        return true;
      case "VFIO_MAP_DMA":
        noteMapDma(this, call);
        return true;
      case "VFIO_UNMAP_DMA":
        noteUnmapDma(this, call);
        return true;
      case "CREATE_ACCESS":
      case "CLOSE_ACCESS":
      case "ACCESS_REPLACE_IOAS":
      case "ACCESS_PAGES":
      case "DESTROY_ACCESS_PAGES":
      case "ACCESS_RW":
        noteAccess(this, call, out);
        return true;
      case "TRANSLATE":
        mapCalls.settleDoubts(this, call, outcome as never);
        return false;
      case "ADD_RESERVED": {
        const ioas = this.ioas(call.fd, call.in.ioas_id);
        if (ioas === undefined || call.in.length === 0n) this.lost = true;
        else mapCalls.noteReserved(ioas, call.in.start, call.in.length);
        return true;
      }
      case "MMAP":
        this.memory.change(call.in.va, call.in.length, call.in.kind);
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
        if (this.process.holding > 0) this.process.limitIsVague = true;
        this.process.limit = call.in.cur / this.pageBytes;
        return true;
      case "SETUID":
        // Whether the pins of a mapping count is settled when it is made (ACT-01).
        if (this.pins.live.size > 0) this.process.limitIsVague = true;
        if (call.in.uid !== 0) this.process.lockFree = false;
        return true;
      case "GET_HW_INFO":
      case "VFIO_GET_INFO":
      case "FAULT_POLL":
      case "MD_CHECK_IOTLB":
      case "SET_TEMP_MEMORY_LIMIT":
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
}
