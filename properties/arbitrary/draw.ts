/** Random choices of one trace, all from fast-check's generator, so that a seed replays. */
import type { Random } from "fast-check";

export class Draw {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** An integer, both ends included. */
  int(min: number, max: number): number {
    return min >= max ? min : this.#random.nextInt(min, max);
  }

  /** True in so many of a hundred cases. */
  chance(percent: number): boolean {
    return this.#random.nextInt(0, 99) < percent;
  }

  pick<T>(list: readonly T[]): T | undefined {
    return list.length === 0 ? undefined : list[this.int(0, list.length - 1)];
  }

  /** One of a non-empty list. */
  of<T>(...list: readonly [T, ...T[]]): T {
    return list[this.int(0, list.length - 1)] as T;
  }

  /** An index, chosen in proportion to whole weights of that total; -1 when all are 0. */
  weighted(weights: readonly number[], total: number): number {
    if (total === 0) return -1;
    let left = this.int(0, total - 1);
    for (let i = 0; i < weights.length; i++) {
      left -= weights[i] ?? 0;
      if (left < 0) return i;
    }
    return -1;
  }

  /** Any 64-bit value. */
  u64(): bigint {
    const high = this.#random.nextInt(0, 0xffff_ffff);
    return (BigInt(high) << 32n) | BigInt(this.#random.nextInt(0, 0xffff_ffff));
  }
}
