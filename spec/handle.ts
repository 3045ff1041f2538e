import type { PageResponse } from "./fields";

/**
 * A handle: an output of an earlier call of the same trace, or a named memory region of the
 * platform, plus a constant. Written `map3`, `mock1.out_hwpt_id`, `map3.iova + 0x1000`,
 * `buf1 + 0x800`. A bare name means the first output of its call.
 */
export class Handle {
  readonly name: string;
  /** Output field; "" for the first output of the call, and for memory regions. */
  readonly output: string;
  /** Added modulo 2^64; 0 for ids and file descriptors. */
  readonly add: bigint;

  constructor(name: string, output = "", add = 0n) {
    this.name = name;
    this.output = output;
    this.add = add;
  }

  toString(): string {
    const base = this.output === "" ? this.name : `${this.name}.${this.output}`;
    if (this.add === 0n) return base;
    return this.add > 0n
      ? `${base} + 0x${this.add.toString(16)}`
      : `${base} - 0x${(-this.add).toString(16)}`;
  }
}

const HANDLE = /^([a-z]+\d+)(?:\.([A-Za-z_]\w*))?(?: ([+-]) (0x[0-9a-f]{1,16}))?$/;

/** Reads what `toString` writes; undefined when it is not a handle. */
export const parseHandle = (text: string): Handle | undefined => {
  const match = HANDLE.exec(text);
  if (match === null) return undefined;
  const [, name = "", output = "", sign, add] = match;
  const constant = add === undefined ? 0n : BigInt(add);
  return new Handle(name, output, sign === "-" ? -constant : constant);
};

/** An argument of a call in a trace; page responses name faults by their cookies. */
export type Arg<T> = T | Handle | (T extends readonly PageResponse[] ? ResponseArgs : never);
type ResponseArgs = readonly (Omit<PageResponse, "cookie"> & {
  readonly cookie: number | Handle;
})[];
