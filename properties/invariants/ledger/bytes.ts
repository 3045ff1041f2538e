/**
 * Bytes of the pages of user memory, as far as they are known. A page has a number of its own for
 * life, which no other page gets, whoever maps it.
 */

/** Bytes that nobody knows. */
const OPEN = -1;

interface Contents {
  /** What all bytes are that are not in `bytes`. */
  readonly rest: 0 | typeof OPEN;
  readonly bytes: Map<number, number>;
}

export class PageBytes {
  readonly #pages = new Map<number, Contents>();
  #next = 0;
  /** The page that was asked for last: questions come byte by byte. */
  #page = Number.NaN;
  #contents: Contents | undefined;

  /** Numbers for pages that are new and zero: the first of them. */
  allocate(count: number): number {
    const first = this.#next;
    this.#next += count;
    return first;
  }

  /** The byte at `offset` of a page; undefined: nobody knows. */
  at(page: number, offset: number): number | undefined {
    const contents = this.#of(page);
    if (contents === undefined) return 0;
    const byte = contents.bytes.get(offset) ?? contents.rest;
    return byte === OPEN ? undefined : byte;
  }

  /** @param value undefined: from now on nobody knows */
  set(page: number, offset: number, value: number | undefined): void {
    const contents = this.#of(page) ?? this.#become(page, { rest: 0, bytes: new Map() });
    contents.bytes.set(offset, value ?? OPEN);
  }

  /** Nobody knows anything of the page any more. */
  forget(page: number): void {
    this.#become(page, { rest: OPEN, bytes: new Map() });
  }

  /** `count` pages from `to` on are made as copies of those from `from` on. */
  copy(from: number, to: number, count: number): void {
    for (const [page, { rest, bytes }] of this.#pages) {
      if (page < from || page >= from + count) continue;
      this.#become(page - from + to, { rest, bytes: new Map(bytes) });
    }
  }

  #of(page: number): Contents | undefined {
    if (page !== this.#page) {
      this.#page = page;
      this.#contents = this.#pages.get(page);
    }
    return this.#contents;
  }

  #become(page: number, contents: Contents): Contents {
    this.#pages.set(page, contents);
    this.#page = page;
    this.#contents = contents;
    return contents;
  }
}
