/**
 * io_pagetable: what an IOAS maps where, and the domains that mirror it.
 *
 * Invariants: areas are disjoint (I-01) and touch neither reserved nor, for narrowing, allowed
 * IOVAs the wrong way (I-02, I-03); every area is aligned (I-07); every domain translates exactly
 * the areas (DOM-01). So an area is filled exactly while there is a domain. A call that fails
 * leaves everything as it was; only unmapping several areas can stop half way (UNM-24).
 *
 * Bounds are bytes, as bigint: without a domain the alignment is 1 (MAP-24). Page numbers begin
 * where user memory or a domain is touched. Areas and spans are found in O(log n).
 */
import type { Errno } from "../../spec/errno";
import { PERM_WRITE } from "../../spec/uapi/flags";
import { U64_MAX, wraps } from "../../spec/units";
import { assert } from "./assert";
import type { IommuDomain } from "./iommu-domain";
import { IoptArea, type IoptPages } from "./iopt-pages";
import { allocIova } from "./iova-alloc";
import { IovaSpans, ReservedIovas } from "./iova-spans";
import { larger, type Span, SpanTree, smaller } from "./span-tree";

/** Part of an iopt_pages that is to become one area. */
export interface PagesPiece {
  readonly pages: IoptPages;
  readonly startByte: bigint;
  readonly length: bigint;
}

/** An in-kernel user of an IOAS. */
export interface Access {
  readonly pinsPages: boolean;
  /** Lets go of whatever it holds that touches [iova, last]. */
  unmap(range: Span): void;
}

const NOTHING = new IovaSpans();

export class IoPagetable {
  readonly pageSize: bigint;
  readonly thpSize: bigint;
  readonly areas = new SpanTree<IoptArea>();
  /** In the order they were added; the first one is the storage of new areas. */
  readonly #domains: IommuDomain[] = [];
  readonly #accesses: Access[] = [];
  readonly #reserved = new ReservedIovas();
  /** Restricts automatic IOVAs only (ALW-10). Empty: no restriction. */
  allowed = NOTHING;
  largePages = true;
  /** ALN-01; a power of two, at most the page size. */
  alignment = 1n;

  constructor(pageSize: bigint, thpSize: bigint) {
    this.pageSize = pageSize;
    this.thpSize = thpSize;
  }

  /** Where no area may be (RSV-01). */
  get reserved(): SpanTree<Span> {
    return this.#reserved.pieces;
  }

  /**
   * Makes areas of consecutive pieces, at `iova` or where there is room, and returns where.
   * Serves MAP (one piece) and COPY (MAP-08..16, CPY-09..12).
   */
  map(
    pieces: readonly PagesPiece[],
    length: bigint,
    iova: bigint | undefined,
    perm: number,
  ): bigint | Errno {
    if (length % this.alignment !== 0n) return "EINVAL";
    const at = iova === undefined ? this.#allocIova(pieces, length) : this.#checkIova(iova, length);
    if (typeof at === "string") return at;
    const areas: IoptArea[] = [];
    let next = at;
    for (const { pages, startByte, length: bytes } of pieces) {
      if ((perm & PERM_WRITE) !== 0 && !pages.writable) return "EPERM";
      const area = new IoptArea(pages, next, startByte, bytes, perm);
      if (BigInt(area.pageOffset) % this.alignment !== 0n) return "EINVAL";
      areas.push(area);
      next += bytes;
    }
    const errno = this.#fillAll(areas);
    if (errno !== 0) return errno;
    for (const area of areas) this.areas.insert(area);
    return at;
  }

  /** The pieces that [start, last] consists of; ENOENT when any of it is not mapped (CPY-07). */
  piecesOf(start: bigint, last: bigint): PagesPiece[] | Errno {
    const pieces: PagesPiece[] = [];
    const errno = this.forEachPiece(start, last, (area, at, length) => {
      pieces.push({ pages: area.pages, startByte: area.startByteAt(at), length });
      return 0;
    });
    return errno === 0 ? pieces : errno;
  }

  /** Visits the areas that [start, last] consists of, up to an error or a hole (ENOENT). */
  forEachPiece(
    start: bigint,
    last: bigint,
    visit: (area: IoptArea, iova: bigint, length: bigint) => 0 | Errno,
  ): 0 | Errno {
    for (let at = start; ; ) {
      const area = this.areas.first(at, last);
      if (area === undefined || area.iova > at) return "ENOENT";
      const pieceLast = smaller(area.last, last);
      const errno = visit(area, at, pieceLast - at + 1n);
      if (errno !== 0 || pieceLast === last) return errno;
      at = pieceLast + 1n;
    }
  }

  /**
   * Removes the areas inside [start, last] in ascending order, up to the first one that sticks
   * out; what came before it stays removed (UNM-24). In-kernel users are asked to let go of an
   * area that one of them holds (UNM-27, ACC-30).
   */
  unmap(start: bigint, last: bigint): { readonly errno: 0 | Errno; readonly unmapped: bigint } {
    let unmapped = 0n;
    for (let area = this.areas.first(start, last); area; area = this.areas.first(start, last)) {
      if (area.iova < start || area.last > last) return { errno: "ENOENT", unmapped };
      if (area.accesses > 0) for (const access of this.#accesses) access.unmap(area);
      assert(area.accesses === 0, "in-kernel users let go of what they are asked for");
      area.pages.unfill(area, this.#domains);
      this.areas.remove(area);
      unmapped += area.length;
    }
    return { errno: 0, unmapped: BigInt.asUintN(64, unmapped) };
  }

  /** Keeps mappings out of [start, last] (RSV-01, RSV-02). The owner is a domain or a device. */
  reserve(start: bigint, last: bigint, owner: object | undefined): 0 | Errno {
    if (this.areas.first(start, last) !== undefined || this.allowed.intersects(start, last)) {
      return "EADDRINUSE";
    }
    this.#reserved.add(start, last, owner);
    return 0;
  }

  unreserve(owner: object): void {
    this.#reserved.removeAllOf(owner);
  }

  /** ALW-06, ALW-08 */
  setAllowed(allowed: IovaSpans): 0 | Errno {
    for (const { iova, last } of allowed) {
      if (this.reserved.intersects(iova, last)) return "EADDRINUSE";
    }
    this.allowed = allowed;
    return 0;
  }

  /** OPT-12..15 */
  setLargePages(on: boolean): 0 | Errno {
    if (!on && this.largePages) {
      if (this.areas.count > 0 && this.#domains.length > 0) return "EINVAL";
      if (!this.#canAlignTo(this.pageSize)) return "EADDRINUSE";
    }
    this.largePages = on;
    for (const domain of this.#domains) domain.largePages = on;
    this.#calculateAlignment();
    return 0;
  }

  /**
   * Cuts the area that goes on behind `iova` in two there (VCC-15). An area of one byte, or one
   * that ends at `iova`, needs no cut; nor gets one an area that begins there, by 6.12's mistake.
   */
  cutBehind(iova: bigint): 0 | Errno {
    const area = this.areas.first(iova, iova);
    if (area === undefined || area.iova === iova || area.last === iova) return 0;
    if (area.accesses > 0) return "EINVAL";
    const next = iova + 1n;
    if (((next | area.startByteAt(next)) & (this.alignment - 1n)) !== 0n) return "EINVAL";
    this.areas.remove(area);
    for (const part of area.pages.cut(area, next)) this.areas.insert(part);
    return 0;
  }

  /** The page sizes that every domain has, as a mask; all, if there is no domain (VCC-22). */
  get pageSizes(): bigint {
    const common = this.#domains.reduce((mask, domain) => mask & domain.ioPageSizes, U64_MAX);
    const below = common & (this.pageSize - 1n);
    const sizes = below === 0n ? common : (common - below) | this.pageSize;
    return larger(sizes, this.alignment);
  }

  /** Makes `domain` a mirror of all areas (DOM-02). */
  addDomain(domain: IommuDomain): 0 | Errno {
    const ioPageSize = BigInt(domain.ioPageSize);
    if (ioPageSize > this.pageSize) return "EINVAL";
    if (!this.#canAlignTo(ioPageSize)) return "EADDRINUSE";
    domain.largePages = this.largePages;
    const errno = this.#reserveOutside(domain) || this.#fillDomain(domain);
    if (errno !== 0) {
      this.unreserve(domain);
      return errno;
    }
    this.#domains.push(domain);
    this.#calculateAlignment();
    return 0;
  }

  /** DOM-03, DOM-06, DOM-07 */
  removeDomain(domain: IommuDomain): void {
    this.#domains.splice(this.#domains.indexOf(domain), 1);
    this.#unfillDomain(domain, this.areas);
    domain.assertEmpty();
    this.unreserve(domain);
    this.#calculateAlignment();
  }

  /** One that pins needs whole pages (ACC-01). */
  addAccess(access: Access): 0 | Errno {
    if (access.pinsPages && !this.#canAlignTo(this.pageSize)) return "EADDRINUSE";
    this.#accesses.push(access);
    this.#calculateAlignment();
    return 0;
  }

  /** The access holds nothing here any more. */
  removeAccess(access: Access): void {
    this.#accesses.splice(this.#accesses.indexOf(access), 1);
    this.#calculateAlignment();
  }

  #allocIova(pieces: readonly PagesPiece[], length: bigint): bigint | Errno {
    const piece = pieces[0];
    if (piece === undefined) return "EINVAL";
    const { pages, startByte } = piece;
    // AUT-13: a COPY is placed by the address of the memory, not of the source area.
    return allocIova(this, BigInt(pages.firstPage) * this.pageSize + startByte, length);
  }

  #checkIova(iova: bigint, length: bigint): bigint | Errno {
    if (iova % this.alignment !== 0n) return "EINVAL";
    if (wraps(iova, length)) return "EOVERFLOW";
    const last = iova + length - 1n;
    if (this.reserved.intersects(iova, last)) return "EINVAL";
    return this.areas.first(iova, last) === undefined ? iova : "EEXIST";
  }

  #fillAll(areas: readonly IoptArea[]): 0 | Errno {
    if (this.#domains.length === 0) return 0;
    const unit = this.#unitOf(this.#domains);
    for (let i = 0; i < areas.length; i += 1) {
      const area = areas[i]!;
      const errno = area.pages.fill(area, this.#domains, unit);
      if (errno === 0) continue;
      for (const filled of areas.slice(0, i)) filled.pages.unfill(filled, this.#domains);
      return errno;
    }
    return 0;
  }

  #fillDomain(domain: IommuDomain): 0 | Errno {
    const filled: IoptArea[] = [];
    const unit = this.#unitOf([domain]);
    for (const area of this.areas) {
      if (area.storageDomain !== undefined) {
        area.pages.fillAnother(area, domain);
      } else {
        const errno = area.pages.fill(area, [domain], unit);
        if (errno !== 0) {
          this.#unfillDomain(domain, filled);
          return errno;
        }
      }
      filled.push(area);
    }
    return 0;
  }

  #unfillDomain(domain: IommuDomain, areas: Iterable<IoptArea>): void {
    const successor = this.#domains[0];
    for (const area of areas) {
      if (successor === undefined) area.pages.unfill(area, [domain]);
      else area.pages.unfillOne(area, domain, successor);
    }
  }

  /** The domain cannot translate what lies outside its aperture. */
  #reserveOutside(domain: IommuDomain): 0 | Errno {
    const [first, last] = domain.iommu.aperture;
    return (
      (first === 0n ? 0 : this.reserve(0n, first - 1n, domain)) ||
      (last === U64_MAX ? 0 : this.reserve(last + 1n, U64_MAX, domain))
    );
  }

  /** What these domains map as a whole; an in-kernel user that pins pages asks nothing of them. */
  #unitOf(domains: readonly IommuDomain[]): number {
    const largest = Math.max(...domains.map(({ ioPageSize }) => ioPageSize));
    return this.largePages ? largest : Math.max(largest, Number(this.pageSize));
  }

  /** Whether all areas are aligned well enough, which counts when it would be more (ALN-03). */
  #canAlignTo(alignment: bigint): boolean {
    if (alignment <= this.alignment) return true;
    const mask = alignment - 1n;
    for (const area of this.areas) {
      if (((area.iova | area.length | BigInt(area.pageOffset)) & mask) !== 0n) return false;
    }
    return true;
  }

  #calculateAlignment(): void {
    const wholePages = !this.largePages || this.#accesses.some(({ pinsPages }) => pinsPages);
    let alignment = wholePages ? Number(this.pageSize) : 1;
    for (const { ioPageSize } of this.#domains) alignment = Math.max(alignment, ioPageSize);
    this.alignment = BigInt(alignment);
  }
}
