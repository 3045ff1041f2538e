/**
 * iommufd_ctx: what one open of /dev/iommu owns. Contexts know nothing of each other (GEN-22).
 *
 * Objects of all kinds share one name space of ids. A new object gets the lowest free id from 1
 * up, and an id is free again as soon as its object is gone (OBJ-03). An id can be taken before
 * its object can be found, so that a call which is still making an object cannot be given it
 * (DEV-10 as recorded), and a call that fails leaves no trace.
 *
 * The context lives as long as somebody holds it: its file, and every VFIO device bound to it
 * (OBJ-08, VFD-16). The last one to let go destroys all objects, users before what they use.
 *
 * Taking an id is O(1) as long as ids are freed in the reverse order, else a short scan.
 */
import type { Errno } from "../../spec/errno";
import { assert } from "./assert";
import type { IommufdGroup } from "./group";
import { type IommufdHwpt, IommufdHwptPaging, IommufdIoas } from "./hw-pagetable";
import type { IommuGroup } from "./iommu";
import type { IommufdObject } from "./iommufd-object";

/** An id that is taken, and whose object cannot be found yet. */
const TAKEN = "taken";

export class IommufdCtx {
  /** OPTION RLIMIT_MODE: pins of processes that have a limit are charged per process. */
  accountPerProcess = false;
  /** The IOAS that stands in for a VFIO container (VFI-02..05). */
  vfioIoas: IommufdIoas | undefined;
  /** By IOMMU group; only groups with a bound device. */
  readonly groups = new Map<IommuGroup, IommufdGroup>();
  /** By id; undefined: the id is free. */
  readonly #objects: (IommufdObject | typeof TAKEN | undefined)[] = [TAKEN];
  #objectCount = 0;
  /** No id below this one is free. */
  #lowestFree = 1;
  #holders = 1;

  get isEmpty(): boolean {
    return this.#objectCount === 0;
  }

  /** Takes an id for an object that is being made. */
  takeId(): number {
    let id = this.#lowestFree;
    while (this.#objects[id] !== undefined) id += 1;
    this.#objects[id] = TAKEN;
    this.#lowestFree = id + 1;
    this.#objectCount += 1;
    return id;
  }

  /** The object can be found from now on. */
  publish<T extends IommufdObject>(object: T): T {
    this.#objects[object.id] = object;
    return object;
  }

  /** Gives an id back: its object is gone, or was never finished. */
  freeId(id: number): void {
    this.#objects[id] = undefined;
    if (id < this.#lowestFree) this.#lowestFree = id;
    this.#objectCount -= 1;
  }

  get(id: number): IommufdObject | undefined {
    const object = this.#objects[id];
    return object === TAKEN ? undefined : object;
  }

  ioas(id: number): IommufdIoas | undefined {
    const object = this.#objects[id];
    return object instanceof IommufdIoas ? object : undefined;
  }

  /** A paging one: nested ones are not found by those who ask for it (HWP-23). */
  hwpt(id: number): IommufdHwptPaging | undefined {
    const object = this.#objects[id];
    return object instanceof IommufdHwptPaging ? object : undefined;
  }

  /** DES-01..07 */
  destroyById(id: number): 0 | Errno {
    const object = this.get(id);
    if (object === undefined) return "ENOENT";
    if (object.users > 0) return "EBUSY";
    this.#destroy(object);
    return 0;
  }

  /** A HWPT lost users: an automatic one goes with the last of them (DEV-20, DEV-21). */
  putHwpt(hwpt: IommufdHwpt): void {
    if (hwpt.isAuto && hwpt.users === 0) this.#destroy(hwpt);
  }

  hold(): void {
    this.#holders += 1;
  }

  put(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#destroyAll();
  }

  #destroy(object: IommufdObject): void {
    this.freeId(object.id);
    if (this.vfioIoas === object) this.vfioIoas = undefined;
    object.destroy();
  }

  /** OBJ-07: destroying an object may free others, so this goes round until none is left. */
  #destroyAll(): void {
    while (!this.isEmpty) {
      const before = this.#objectCount;
      for (let id = 1; id < this.#objects.length; id += 1) {
        if ((this.get(id)?.users ?? 1) === 0) this.destroyById(id);
      }
      assert(this.#objectCount < before, "objects do not use each other in circles");
    }
  }
}
