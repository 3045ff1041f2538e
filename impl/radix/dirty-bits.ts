/**
 * Which IO pages of a domain a device has written to (DTY-20).
 *
 * 32 IO pages share a word, and only words with a bit in them are stored: a domain of 2^53 IO
 * pages of which few are dirty costs little. Looking at a range costs the smaller of its words
 * and the stored words.
 */
const BITS = 32;

export class DirtyBits {
  /** SET_DIRTY_TRACKING: writes are noticed. */
  isTracking = false;
  readonly #words = new Map<number, number>();

  add(ioPage: number): void {
    const word = Math.floor(ioPage / BITS);
    this.#words.set(word, (this.#words.get(word) ?? 0) | (1 << (ioPage % BITS)));
  }

  /** Visits the dirty IO pages from `first` to `last`, in ascending order. */
  visit(first: number, last: number, visit: (ioPage: number) => void): void {
    this.#visitWords(first, last, (word, mask) => {
      for (let bits = (this.#words.get(word) ?? 0) & mask; bits !== 0; bits &= bits - 1) {
        visit(word * BITS + 31 - Math.clz32(bits & -bits));
      }
    });
  }

  clear(first: number, last: number): void {
    this.#visitWords(first, last, (word, mask) => {
      const left = (this.#words.get(word) ?? 0) & ~mask;
      if (left === 0) this.#words.delete(word);
      else this.#words.set(word, left);
    });
  }

  clearAll(): void {
    this.#words.clear();
  }

  /** The words that [first, last] touches, each with the bits of it that lie inside. */
  #visitWords(first: number, last: number, visit: (word: number, mask: number) => void): void {
    if (this.#words.size === 0) return;
    const firstWord = Math.floor(first / BITS);
    const lastWord = Math.floor(last / BITS);
    for (const word of this.#wordsBetween(firstWord, lastWord)) {
      let mask = -1;
      if (word === firstWord) mask &= -1 << (first % BITS);
      if (word === lastWord) mask &= -1 >>> (BITS - 1 - (last % BITS));
      visit(word, mask);
    }
  }

  #wordsBetween(first: number, last: number): number[] {
    const count = last - first + 1;
    if (count <= this.#words.size) return Array.from({ length: count }, (_, i) => first + i);
    return [...this.#words.keys()]
      .filter((word) => first <= word && word <= last)
      .sort((a, b) => a - b);
  }
}
