/**
 * iommufd_access: an in-kernel user of an IOAS, such as an emulated device (family ACC).
 *
 * It reads and writes bytes, and if it said so when it was made, it pins pages. What it has pinned
 * goes by numbers that count up and are never used again. It must let go of what is unmapped when
 * it is asked to, and of everything when it moves to another IOAS.
 *
 * It is an object that nobody is told the id of, and whoever has its file is its user; so it
 * cannot be destroyed by id. The file keeps the context.
 */
import type { Errno } from "../../spec/errno";
import { PERM_READ, PERM_WRITE } from "../../spec/uapi/flags";
import { U64_MAX, wraps } from "../../spec/units";
import { rwPages, type Transfer } from "./access-rw";
import { assert } from "./assert";
import type { IommufdCtx } from "./ctx";
import type { AnonFile } from "./file-table";
import type { IommufdIoas } from "./hw-pagetable";
import type { Access } from "./io-pagetable";
import { IommufdObject } from "./iommufd-object";
import type { IoptArea, IoptPagesAccess } from "./iopt-pages";
import type { Span } from "./span-tree";

/** What one call has pinned, area by area. */
interface Pin extends Span {
  readonly pieces: readonly { readonly area: IoptArea; readonly held: IoptPagesAccess }[];
}

export class IommufdAccess extends IommufdObject implements Access {
  readonly pinsPages: boolean;
  readonly #ctx: IommufdCtx;
  #ioas: IommufdIoas | undefined;
  readonly #pins = new Map<number, Pin>();
  #nextPin = 0;

  private constructor(id: number, ctx: IommufdCtx, pinsPages: boolean) {
    super(id);
    this.users = 1;
    this.pinsPages = pinsPages;
    this.#ctx = ctx;
  }

  /** ACC-01 */
  static attachTo(ctx: IommufdCtx, ioasId: number, pinsPages: boolean): IommufdAccess | Errno {
    const access = new IommufdAccess(ctx.takeId(), ctx, pinsPages);
    const errno = access.replace(ioasId);
    if (errno !== 0) {
      ctx.freeId(access.id);
      return errno;
    }
    ctx.hold();
    return ctx.publish(access);
  }

  /** Moves it to an IOAS; if that fails, it stays where it was (ACC-02, ACC-04). */
  replace(ioasId: number): 0 | Errno {
    const ioas = this.#ctx.ioas(ioasId);
    if (ioas === undefined) return "ENOENT";
    if (ioas === this.#ioas) return 0;
    const errno = ioas.iopt.addAccess(this);
    if (errno !== 0) return errno;
    ioas.users += 1;
    this.#leave();
    this.#ioas = ioas;
    return 0;
  }

  /** ACC-10..12. What it returns is kept by a number, or else let go of. */
  pin(iova: bigint, length: bigint, write: boolean): Pin | Errno {
    const perm = write ? PERM_WRITE : PERM_READ;
    const pieces: { area: IoptArea; held: IoptPagesAccess }[] = [];
    const errno = this.#forEachPiece(iova, length, (area, at, bytes) => {
      const { pages } = area;
      const pageSize = BigInt(pages.pageSize);
      const start = area.startByteAt(at);
      const end = start + bytes;
      const goesOn = at + bytes < iova + length;
      if (start % pageSize !== 0n || (goesOn && end % pageSize !== 0n)) return "EINVAL";
      if ((area.perm & perm) === 0) return "EPERM";
      const held = pages.hold(Number(start / pageSize), Number((end - 1n) / pageSize));
      if (typeof held === "string") return held;
      area.accesses += 1;
      pieces.push({ area, held });
      return 0;
    });
    const pin: Pin = { iova, last: iova + length - 1n, pieces };
    if (errno === 0) return pin;
    letGo(pin);
    return errno;
  }

  keep(pin: Pin): number {
    const number = this.#nextPin;
    this.#nextPin += 1;
    this.#pins.set(number, pin);
    return number;
  }

  /** ACC-14 */
  unpin(number: number): 0 | Errno {
    const pin = this.#pins.get(number);
    if (pin === undefined) return "ENOENT";
    this.#pins.delete(number);
    letGo(pin);
    return 0;
  }

  unmap({ iova, last }: Span): void {
    for (const [number, pin] of this.#pins) {
      if (pin.iova <= last && iova <= pin.last) this.unpin(number);
    }
  }

  /** ACC-20: what comes before a hole may have been moved. */
  rw(iova: bigint, transfer: Transfer): 0 | Errno {
    const { bytes, write } = transfer;
    const perm = write ? PERM_WRITE : PERM_READ;
    return this.#forEachPiece(iova, BigInt(bytes.length), (area, at, length) => {
      if ((area.perm & perm) === 0) return "EPERM";
      const from = Number(at - iova);
      const piece = bytes.subarray(from, from + Number(length));
      return rwPages(area.pages, area.startByteAt(at), { ...transfer, bytes: piece });
    });
  }

  /** Its file is closed. */
  release(): void {
    this.#leave();
    this.#ctx.freeId(this.id);
    this.#ctx.put();
  }

  override destroy(): void {
    assert(false, "an access has a user until its file is closed");
  }

  #forEachPiece(
    iova: bigint,
    length: bigint,
    visit: (area: IoptArea, iova: bigint, length: bigint) => 0 | Errno,
  ): 0 | Errno {
    if (length === 0n) return "EINVAL";
    if (wraps(iova, length)) return "EOVERFLOW";
    assert(this.#ioas !== undefined, "an access that can be found is attached");
    return this.#ioas.iopt.forEachPiece(iova, iova + length - 1n, visit);
  }

  #leave(): void {
    if (this.#ioas === undefined) return;
    this.unmap({ iova: 0n, last: U64_MAX });
    this.#ioas.iopt.removeAccess(this);
    this.#ioas.users -= 1;
    this.#ioas = undefined;
  }
}

export const letGo = ({ pieces }: Pin): void => {
  for (const { area, held } of pieces) {
    area.accesses -= 1;
    area.pages.letGo(held);
  }
};

/** The pfns that a pin holds, in order. */
export function* pfnsOf({ pieces }: Pin): Iterable<number> {
  for (const { area, held } of pieces) {
    for (let i = held.firstIndex; i <= held.lastIndex; i += 1) yield area.pages.heldPfn(i);
  }
}

/** The file that an in-kernel user is driven by. */
export class AccessFile implements AnonFile {
  readonly access: IommufdAccess;

  constructor(access: IommufdAccess) {
    this.access = access;
  }

  release(): void {
    this.access.release();
  }
}
