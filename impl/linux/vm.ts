/**
 * One virtual machine: its QEMU process, the line to its agent, and its log.
 *
 * The agent talks through a socket pair that QEMU inherits, so nothing of a machine lies in the
 * file system. It ends with this process: the agent switches the machine off when its line is
 * cut, QEMU is killed when this process leaves, and by the kernel when it cannot leave properly.
 */
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import type { Duplex } from "node:stream";
import {
  type Done,
  FRAME,
  type Frame,
  FrameReader,
  type Hello,
  parseAnswer,
  parseDone,
  parseHello,
  type RawAnswer,
  STATUS,
} from "./protocol";
import { watchShares } from "./starved";

export type MachineKind = "mock" | "vt-d";

export interface VmOptions {
  readonly kind: MachineKind;
  readonly kernel: string;
  readonly initramfs: string;
  /** True: hardware virtualisation. It may be there and not work, so nobody gets it unasked. */
  readonly kvm: boolean;
  /** Gets the id of its process, for as long as that is there. */
  readonly pids?: Set<number>;
}

/** How a run ended: with the agent's answer, after so many earlier runs, or with a machine that is no more. */
export type Reply =
  | {
      readonly kind: "done";
      readonly done: Done;
      readonly earlier: number;
      /** A call hangs, but the host let the machine wait for so long that this says nothing. */
      readonly starved: boolean;
    }
  | { readonly kind: "gone"; readonly why: Gone; readonly answers: readonly RawAnswer[] };

export interface Gone {
  /**
   * `log`: the kernel said so itself; `silence`: no answer in time; `outside`: QEMU ended;
   * `killed`: somebody ended it.
   */
  readonly by: "log" | "silence" | "outside" | "killed";
  readonly reason: string;
}

/** A boot takes a second of CPU time. How long that is on a busy host says nothing about the kernel. */
const BOOT_MS = 60_000;
const MAX_BOOT_WAITS = 10;
/** A trace takes milliseconds, and what hangs the agent mostly notices itself, in less. */
export const SILENCE_MS = 20_000;
const MAX_LOG = 64 << 10;

/** Memory is cleared when it is freed: who still uses it then, stumbles. */
const COMMON =
  "console=ttyS0 quiet loglevel=4 panic=-1 oops=panic tsc=reliable no_timer_check init_on_free=1";
const EDU = "edu,dma_mask=0xffffffffffffffff";

/** Four devices behind VT-d, the last two of them in one group: see platforms.ts. */
const VT_D = [
  ...["-device", "intel-iommu,intremap=on,caching-mode=off,aw-bits=48"],
  ...["-device", `${EDU},bus=pcie.0,addr=5`, "-device", `${EDU},bus=pcie.0,addr=6`],
  ...["-device", "pcie-root-port,id=rp0,bus=pcie.0,addr=7,chassis=1"],
  ...["-device", "pcie-pci-bridge,id=pb0,bus=rp0"],
  ...["-device", `${EDU},bus=pb0,addr=1`, "-device", `${EDU},bus=pb0,addr=2`],
] as const;

/**
 * The clock of the machine counts instructions and jumps ahead when there is nothing to do. An
 * `edu` device takes a tenth of a second for each DMA: with this, no time at all.
 */
const SKIP_WAITING = ["-icount", "shift=5,sleep=off"] as const;

const skipsWaiting = ({ kind, kvm }: Pick<VmOptions, "kind" | "kvm">): boolean =>
  kind === "vt-d" && !kvm;

/** Emulated byte by byte, the fast string instructions are the slow way to clear a page. */
const EMULATED_CPU = "max,erms=off";

export const QEMU = "qemu-system-x86_64";

export const qemuArguments = ({ kind, kernel, initramfs, kvm }: VmOptions): string[] => {
  const isVtd = kind === "vt-d";
  const append = isVtd
    ? `${COMMON} intel_iommu=on iommufd.allow_unsafe_interrupts=1`
    : `${COMMON} intel_iommu=off`;
  return [
    ...["-M", "q35"],
    ...(kvm ? ["-accel", "kvm"] : ["-accel", "tcg,thread=single,tb-size=256"]),
    ...["-cpu", kvm ? "host" : EMULATED_CPU, "-m", "512", "-smp", "1"],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
    ...["-kernel", kernel, "-initrd", initramfs, "-append", append, "-serial", "stdio"],
    // Without ioeventfd the CPU hands a message over by itself, and need not wake a thread for it.
    ...["-device", "virtio-serial-pci,max_ports=2,disable-legacy=on,ioeventfd=off"],
    ...["-chardev", "socket,id=agent,fd=3", "-device", "virtserialport,chardev=agent,nr=1"],
    ...(isVtd ? VT_D : []),
    ...(skipsWaiting({ kind, kvm }) ? SKIP_WAITING : []),
  ];
};

/** A machine does not outlive this process, even if that is killed. */
const SETPRIV = "/usr/bin/setpriv";

const launch = (args: readonly string[]): ChildProcess => {
  const tied = fs.existsSync(SETPRIV);
  const [command, all] = tied
    ? [SETPRIV, ["--pdeathsig", "KILL", QEMU, ...args]]
    : [QEMU, [...args]];
  return spawn(command, all, { stdio: ["ignore", "pipe", "pipe", "pipe"] });
};

export const STARVED = "the host was too busy to tell whether a call hangs";

/** How the kernel's last words begin. */
const LAST_WORDS =
  /^.*?((?:Kernel panic|BUG: |Oops: |KASAN: |kernel BUG at |general protection).*)$/m;

/** Where the CPU was. */
const PLACE = /RIP: \w+:(\w+)\+0x/;

/** What a kernel that died said, and in which function; undefined: nothing. */
export const lastWords = (log: string): string | undefined => {
  const words = LAST_WORDS.exec(log)?.[1];
  const place = PLACE.exec(log)?.[1];
  if (words === undefined) return undefined;
  return `${plain(words)}${place === undefined ? "" : `, in ${place}`}`;
};

export class Vm {
  readonly #child: ChildProcess;
  readonly #line: Duplex;
  readonly #reader = new FrameReader();
  readonly #onExit: () => void;
  /** A clock that jumps ahead never lets QEMU sleep: between runs it is stopped altogether. */
  readonly #pauses: boolean;
  readonly #ended: Promise<void>;
  #runs = 0;
  #log = "";
  #stderr = "";
  #gone: Gone | undefined;
  /** Answers of a stepwise run that has not come to its end. */
  #answers: RawAnswer[] = [];
  #waiting: ((event: Frame | Gone) => void) | undefined;

  private constructor(options: VmOptions) {
    this.#child = launch(qemuArguments(options));
    this.#pauses = skipsWaiting(options);
    const { pids } = options;
    const { pid } = this.#child;
    if (pid !== undefined) pids?.add(pid);
    this.#line = this.#child.stdio[3] as Duplex;
    this.#onExit = () => void this.#child.kill("SIGKILL");
    process.once("exit", this.#onExit);
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#log = (this.#log + chunk.toString("latin1")).slice(-MAX_LOG);
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString("latin1")).slice(-MAX_LOG);
    });
    this.#line.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#line.on("error", () => {});
    this.#ended = new Promise<void>((resolve) => {
      this.#child.once("error", (error) =>
        this.#lost("outside", `QEMU: ${error.message}`, resolve),
      );
      // `close` and not `exit`: by then the log is complete.
      this.#child.once("close", (code, signal) => {
        // What it wrote explains why it gave up, but not why somebody ended it.
        const said = this.#stderr.trim().split("\n").at(-1) ?? "";
        const why = said === "" ? "" : `: ${said}`;
        const how = signal === null ? `ended with code ${code}${why}` : `was ended by ${signal}`;
        this.#lost(signal === null ? "outside" : "killed", `QEMU ${how}`, resolve);
      });
    }).then(() => {
      if (pid !== undefined) pids?.delete(pid);
    });
  }

  /** Boots; answers a reason when that fails. */
  static async start(options: VmOptions): Promise<{ vm: Vm; hello: Hello } | Gone> {
    const vm = new Vm(options);
    const silence = `no agent after ${BOOT_MS / 1000} s`;
    let first: Frame | Gone;
    let isStarved: () => boolean;
    let waits = 0;
    do {
      isStarved = watchShares(vm.pid);
      first = await vm.#next(BOOT_MS, silence);
    } while (isSilent(first) && isStarved() && ++waits < MAX_BOOT_WAITS);
    if ("by" in first) {
      await vm.stop();
      return first;
    }
    vm.#pause();
    return { vm, hello: parseHello(first.payload) };
  }

  /** The QEMU process, for those who want to see it die. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** True when it ended while nothing ran: the next trace needs another one. */
  get isGone(): boolean {
    return this.#gone !== undefined;
  }

  async run(request: Buffer): Promise<Reply> {
    this.#answers = [];
    const isStarved = watchShares(this.pid);
    if (this.#gone === undefined) {
      if (this.#pauses) this.#child.kill("SIGCONT");
      this.#line.write(request);
    }
    const silence = `no answer within ${SILENCE_MS / 1000} s`;
    const event = await this.#next(SILENCE_MS, silence);
    if ("by" in event) {
      const isBusy = isSilent(event) && isStarved();
      const why: Gone = isBusy ? { by: "outside", reason: STARVED } : event;
      return { kind: "gone", why, answers: this.#answers };
    }
    this.#pause();
    const done = parseDone(event.payload);
    const starved = done.status === STATUS.hung && isStarved();
    return { kind: "done", done, earlier: this.#runs++, starved };
  }

  #pause(): void {
    if (this.#pauses) this.#child.kill("SIGSTOP");
  }

  async stop(): Promise<void> {
    this.#gone ??= { by: "outside", reason: "the machine was stopped" };
    this.#child.kill("SIGKILL");
    this.#line.destroy();
    await this.#ended;
  }

  #next(milliseconds: number, silence: string): Promise<Frame | Gone> {
    if (this.#gone !== undefined) return Promise.resolve(this.#gone);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting?.({ by: "silence", reason: silence });
      }, milliseconds);
      this.#waiting = (event) => {
        clearTimeout(timer);
        this.#waiting = undefined;
        resolve(event);
      };
    });
  }

  #receive(chunk: Buffer): void {
    let frames: Frame[];
    try {
      frames = this.#reader.push(chunk);
    } catch (error) {
      this.#gone = { by: "outside", reason: `the agent talks nonsense: ${String(error)}` };
      this.#waiting?.(this.#gone);
      return;
    }
    for (const frame of frames) {
      if (frame.type === FRAME.answer) this.#answers.push(parseAnswer(frame.payload, 4));
      else this.#waiting?.(frame);
    }
  }

  #lost(by: Gone["by"], reason: string, ended: () => void): void {
    process.off("exit", this.#onExit);
    const words = lastWords(this.#log);
    this.#gone ??= words === undefined ? { by, reason } : { by: "log", reason: words };
    this.#waiting?.(this.#gone);
    ended();
  }
}

const isSilent = (event: Frame | Gone): boolean => "by" in event && event.by === "silence";

/** Without what differs from boot to boot: times, addresses, numbers of processes. */
export const plain = (line: string): string =>
  line
    .replace(/^\[ *\d+\.\d+\] ?/, "")
    .replace(/\b(?:CPU|PID): \d+ ?/g, "")
    .replace(/\+0x[0-9a-f]+\/0x[0-9a-f]+/g, "")
    .replace(/\b(?:0x)?[0-9a-f]{12,16}\b/g, "…")
    .trim();
