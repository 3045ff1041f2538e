/**
 * The iommufd of a real Linux kernel as an implementation under test.
 *
 * A machine is booted for the first trace that needs it and serves until it dies. A trace is one
 * message to its agent and one back. When a machine dies or falls silent in a trace, that trace
 * is run again on a fresh one, call by call, which tells the call that did it.
 */
import type { Iut, IutInfo, Run } from "../../spec/iut";
import type { Platform } from "../../spec/platform";
import type { Trace } from "../../spec/trace";
import { conclude, ended, inconclusive } from "./conclude";
import { encodeRun, type RunRequest } from "./encode";
import { disappoints, kindOf, LINUX_PLATFORMS, unfit } from "./platforms";
import { Pool } from "./pool";
import { type Done, STATUS } from "./protocol";
import { type Gone, type MachineKind, type Reply, STARVED, Vm, type VmOptions } from "./vm";

export interface LinuxImage {
  /** What reports call it: the release, or what the image is. */
  readonly version: string;
  readonly kernel: string;
  readonly initramfs: string;
  readonly kvm: boolean;
}

export interface LinuxIut extends Iut {
  readonly platforms: readonly Platform[];
  /** Process ids of all machines, also of spare ones and of those that still boot. */
  readonly machines: () => readonly number[];
  /** How the memory of a trace lies on `platform`; a reason when that cannot be told. */
  readonly layout: (platform: Platform) => Promise<Layout | string>;
}

/** Pairs of pages one after the other in a region, and those that are so physically too. */
export interface Layout {
  readonly neighbours: number;
  readonly pairs: number;
}

/** A kernel is asked nothing about the translations of a domain: there is no call for it. */
const CAPABILITIES: IutInfo["capabilities"] = [
  "mock",
  "vfio",
  "multi-device-group",
  "dma",
  "page-refs",
  "proc-status",
  "self-report",
  "fault-injection",
  "hwpt",
  "dirty",
  "nesting",
  "access",
  "small-batches",
  "device-info",
  "fault-queue",
  "memlimit",
  "privilege",
  "second-process",
  "compat",
  "raw-bytes",
  "dup",
];

export const makeLinux = (image: LinuxImage): LinuxIut => {
  const machines = new Machines(image);
  return {
    info: { name: "linux", version: image.version, capabilities: CAPABILITIES },
    platforms: LINUX_PLATFORMS,
    run: (trace) => machines.run(trace),
    machines: () => machines.pids(),
    layout: (platform) => machines.layout(platform),
    // A kernel that has misbehaved may go on doing so, and does not recover with a new process.
    fresh: () => machines.renew(),
    close: () => machines.close(),
  };
};

/** Traces in one run that could not even begin, for a reason that a new machine cures. */
const MAX_RENEWALS = 2;

class Machines {
  readonly #image: LinuxImage;
  readonly #pool = new Pool<Vm>((kind) => this.#boot(kind));
  /** Why machines of a kind cannot be had at all. */
  readonly #unavailable = new Map<MachineKind, string>();
  readonly #cameUp = new Set<MachineKind>();
  /** A machine came up, or would have, had nobody ended it. */
  #viable = false;
  /** A machine has been found that was out of order before its trace. */
  #damaged = false;
  #nextId = 1;
  readonly #pids = new Set<number>();

  constructor(image: LinuxImage) {
    this.#image = image;
  }

  pids(): number[] {
    return [...this.#pids];
  }

  renew(): Promise<void> {
    return this.#pool.renew();
  }

  close(): Promise<void> {
    return this.#pool.close();
  }

  async run(trace: Trace): Promise<Run> {
    const reason = unfit(trace.platform);
    if (reason !== undefined) return inconclusive(reason);
    const kind = kindOf(trace.platform);
    let lack = "";
    for (let tries = 0; tries < MAX_RENEWALS; tries++) {
      const reply = await this.#ask(trace, kind);
      if (typeof reply === "string") return this.#noMachine(reply);
      if (reply.kind === "gone") return this.#investigate(trace, kind, reply.why);
      const { status } = reply.done;
      if (status === STATUS.exhausted || reply.starved) {
        lack = reply.starved ? STARVED : "more DMA than a fresh machine has room for";
        await this.#pool.retire(kind);
      } else if (status === STATUS.hung && reply.earlier > 0) return this.#afresh(trace, kind);
      else return this.#conclude(trace, kind, reply.done);
    }
    return inconclusive(lack);
  }

  /** A call hangs, but it may be an earlier trace that did it. On a fresh machine it shows. */
  async #afresh(trace: Trace, kind: MachineKind): Promise<Run> {
    await this.#pool.retire(kind);
    const run = await this.run(trace);
    if (run.ending?.kind === "crash" || this.#damaged) return run;
    // Nobody knows which trace it was. So this is said once, and no run with it passes.
    this.#damaged = true;
    return inconclusive("a call hangs after earlier traces, and does not on a fresh machine");
  }

  async layout(platform: Platform): Promise<Layout | string> {
    const reply = await this.#ask({ platform, steps: [] }, kindOf(platform), { layout: true });
    if (typeof reply === "string") return reply;
    const bytes = reply.kind === "done" ? reply.done.answers[0]?.bytes : undefined;
    if (bytes?.length !== 8) return "the agent does not tell";
    return { neighbours: bytes.readUInt32LE(0), pairs: bytes.readUInt32LE(4) };
  }

  /** A machine that never came up is as good as none; later it is bad luck. */
  #noMachine(reason: string): Run {
    return this.#viable
      ? inconclusive(reason)
      : { outcomes: [], ending: { kind: "crash", reason } };
  }

  async #ask(
    trace: Trace,
    kind: MachineKind,
    how: Omit<RunRequest, "id"> = {},
  ): Promise<Reply | string> {
    let request: Buffer;
    try {
      request = encodeRun(trace, { id: this.#nextId++, ...how });
    } catch (error) {
      return `a trace that cannot be sent: ${String(error)}`;
    }
    const vm = await this.#pool.get(kind);
    if (typeof vm === "string") return vm;
    const reply = await vm.run(request);
    if (reply.kind === "gone") await this.#pool.retire(kind);
    return reply;
  }

  async #boot(kind: MachineKind): Promise<Vm | string> {
    const known = this.#unavailable.get(kind);
    if (known !== undefined) return known;
    const { kernel, initramfs, kvm } = this.#image;
    const options: VmOptions = { kind, kernel, initramfs, kvm, pids: this.#pids };
    const started = await Vm.start(options);
    if ("by" in started) {
      if (started.by !== "killed")
        return this.#cannotBoot(kind, `it did not boot: ${started.reason}`);
      this.#viable = true;
      return started.reason;
    }
    const lack = disappoints(started.hello, kind);
    if (lack !== undefined) {
      await started.vm.stop();
      return this.#cannotBoot(kind, lack);
    }
    this.#viable = true;
    this.#cameUp.add(kind);
    return started.vm;
  }

  #cannotBoot(kind: MachineKind, why: string): string {
    const reason = `machine ${kind}: ${why}`;
    // Where one came up, another will: the host may have been short of memory for a spare one.
    if (!this.#cameUp.has(kind)) this.#unavailable.set(kind, reason);
    return reason;
  }

  async #conclude(trace: Trace, kind: MachineKind, done: Done): Promise<Run> {
    const { run, isSpent } = conclude(trace, done);
    if (isSpent) await this.#pool.retire(kind);
    return run;
  }

  /** Again, call by call: does it end there again, and in which call? */
  async #investigate(trace: Trace, kind: MachineKind, first: Gone): Promise<Run> {
    if (isFromOutside(first)) return inconclusive(first.reason);
    const reply = await this.#ask(trace, kind, { stepwise: true });
    if (typeof reply === "string") return inconclusive(`${first.reason}; then ${reply}`);
    if (reply.kind === "done") {
      return inconclusive(`${first.reason}, but not when the trace was run again`);
    }
    const { why, answers } = reply;
    if (isFromOutside(why)) return inconclusive(why.reason);
    return ended(trace, answers, { kind: "crash", reason: why.reason });
  }
}

/** Not the kernel's doing, as far as anybody can tell. */
const isFromOutside = ({ by }: Gone): boolean => by === "outside" || by === "killed";
