/**
 * Numbers that mean one file (DUP, GEN-22): a ledger knows each context by one of them.
 */
import type { Call, Outcome } from "../../spec/calls";

export class Aliases {
  /** The number that stands for a file, by each of its open numbers; only for files with two. */
  readonly #known = new Map<number, number>();

  /** Some file has more than one number, or had. */
  get areThere(): boolean {
    return this.#known.size > 0;
  }

  /**
   * The call as one on the only number of its file; undefined: it does nothing but give or take
   * a number. "unknown": a number has come back that still stands for another file.
   */
  see(call: Call, outcome: Outcome): Call | "unknown" | undefined {
    if (call.call === "DUP") {
      const { fd } = (outcome.out ?? {}) as { readonly fd?: number };
      if (outcome.errno === 0 && fd !== undefined) {
        const known = this.#of(call.fd);
        this.#known.set(call.fd, known);
        this.#known.set(fd, known);
      }
      return undefined;
    }
    if (this.#known.size === 0) return call;
    if (call.call === "OPEN") {
      const { fd } = (outcome.out ?? {}) as { readonly fd?: number };
      return [...this.#known.values()].some((known) => known === fd) ? "unknown" : call;
    }
    if (call.call === "VFIO_BIND") {
      return { ...call, in: { ...call.in, iommufd: this.#of(call.in.iommufd) } };
    }
    const fd = this.#of(call.fd);
    const others = call.call === "CLOSE" && outcome.errno === 0 && this.#closes(call.fd, fd);
    if (others) return undefined;
    return fd === call.fd ? call : { ...call, fd };
  }

  #of(fd: number): number {
    return this.#known.get(fd) ?? fd;
  }

  /** True if the file has a further number. */
  #closes(fd: number, known: number): boolean {
    return this.#known.delete(fd) && [...this.#known.values()].includes(known);
  }
}
