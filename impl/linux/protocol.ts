/**
 * The words that host and agent (agent/agent.h) exchange: frames of a u32 length, a u32 type and
 * a payload, everything little-endian. A run carries a whole trace and is answered by one DONE;
 * a stepwise run sends each answer on its own before that, so that a crash leaves them behind.
 */

export const FRAME = { run: 0x01, hello: 0x81, done: 0x82, answer: 0x83 } as const;
export const RUN = { stepwise: 1, contiguous: 2, scattered: 4, layout: 8, processes: 16 } as const;

/** Why a run did not go to its end; see `enum run_status`. */
export const STATUS = { ok: 0, workerDied: 1, cannot: 2, exhausted: 3, hung: 4 } as const;

export const OP = {
  open: 1,
  close: 2,
  ioctl: 3,
  mmap: 4,
  munmap: 5,
  mprotect: 6,
  memWrite: 7,
  memRead: 8,
  pageRefs: 9,
  procStatus: 10,
  deviceOpen: 11,
  deviceClose: 12,
  dma: 13,
  numberIoctl: 14,
  fileRead: 15,
  fileWrite: 16,
  filePoll: 17,
  fileClose: 18,
  setMemlock: 19,
  setUid: 20,
  dup: 21,
  fork: 22,
  exit: 23,
} as const;

/** What a file is of. */
export const FILE = { iommufd: 0, access: 1, faults: 2, device: 3 } as const;
export const ARRAY = { none: 0, in: 1, out: 2, inOut: 3 } as const;
/** Where a struct is: anywhere, or up to the end of memory that allows just this. */
export const MEMORY = { any: 0, rw: 1, r: 2, none: 3 } as const;
export const PROT = { none: 0, r: 1, rw: 2 } as const;
export const BACKING = { "anon-shared": 0, "anon-private": 1, memfd: 2 } as const;

/** Bytes before the struct in the body of an ioctl. */
export const IOCTL_HEADER = 20;

export interface Frame {
  readonly type: number;
  readonly payload: Buffer;
}

/** More than any trace needs: a length beyond it means that the other side talks nonsense. */
const MAX_FRAME = 64 << 20;

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #length = 0;

  /** @throws RangeError for a length that no frame has */
  push(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    const frames: Frame[] = [];
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) frames.push(frame);
    return frames;
  }

  #take(): Frame | undefined {
    if (this.#length < 8) return undefined;
    const length = this.#head(4).readUInt32LE(0);
    if (length < 4 || length > MAX_FRAME) throw new RangeError(`a frame of ${length} bytes`);
    if (this.#length < 4 + length) return undefined;
    const all = this.#head(this.#length);
    const frame = { type: all.readUInt32LE(4), payload: all.subarray(8, 4 + length) };
    this.#chunks = [all.subarray(4 + length)];
    this.#length -= 4 + length;
    return frame;
  }

  /** The first bytes in one piece. */
  #head(length: number): Buffer {
    const [first] = this.#chunks;
    if (first !== undefined && first.length >= length) return first;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }
}

/** One call's answer as it came. */
export interface RawAnswer {
  /** Number of the errno; 0: success. */
  readonly error: number;
  readonly bytes: Buffer;
}

export interface Done {
  readonly id: number;
  readonly status: number;
  readonly detail: number;
  /** Failures of allocations that were asked for and came to pass. */
  readonly faults: number;
  readonly answers: readonly RawAnswer[];
  /** What the kernel complained about, and during which call; absent: nothing. */
  readonly complaint?: { readonly call: number; readonly log: string };
}

const NO_CALL = 0xffff_ffff;
const DONE_HEADER = 28;

/** @throws RangeError when it is cut short */
export const parseDone = (payload: Buffer): Done => {
  const word = (n: number): number => payload.readUInt32LE(4 * n);
  const [id, status, detail, answered] = [word(0), word(1), word(2), word(3)];
  const [call, logLength, faults] = [word(4), word(5), word(6)];
  const log = payload.toString("latin1", DONE_HEADER, DONE_HEADER + logLength);
  const answers: RawAnswer[] = [];
  for (let at = DONE_HEADER + logLength; answers.length < answered; ) {
    const answer = parseAnswer(payload, at);
    answers.push(answer);
    at += 8 + answer.bytes.length;
  }
  return {
    id,
    status,
    detail,
    faults,
    answers,
    ...(call !== NO_CALL && { complaint: { call, log } }),
  };
};

/** @throws RangeError when it is cut short */
export const parseAnswer = (payload: Buffer, at: number): RawAnswer => {
  const error = payload.readInt32LE(at);
  const length = payload.readUInt32LE(at + 4);
  if (at + 8 + length > payload.length) throw new RangeError("an answer that is cut short");
  return { error, bytes: payload.subarray(at + 8, at + 8 + length) };
};

/** The agent's first words: what there is in its machine. */
export interface Hello {
  readonly kernel: string;
  readonly iommufd: boolean;
  readonly mock: boolean;
  /** The IOMMU group of each device, in the order of the devices. */
  readonly groups: readonly number[];
}

export const parseHello = (payload: Buffer): Hello => {
  const lines = payload.toString("latin1").split("\n");
  const textOf = (name: string): string =>
    lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? "";
  return {
    kernel: textOf("kernel"),
    iommufd: textOf("iommufd") === "1",
    mock: textOf("mock") === "1",
    groups: lines.flatMap((line) => {
      const group = /^device \S+ group (-?\d+)$/.exec(line)?.[1];
      return group === undefined ? [] : [Number(group)];
    }),
  };
};
