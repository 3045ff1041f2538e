/**
 * VFIO device cdevs: open files of devices, and what each of them is bound to (VFD-01..18).
 *
 * A device can be open many times, but only one of its files can bind it. An open file gets the
 * device's index as its number if that is free, else a fresh number from 1000 up.
 */
import type { Process } from "./accounting";
import { assert } from "./assert";
import type { IommufdCtx } from "./ctx";
import type { IommufdDevice } from "./device";
import { FileTable } from "./file-table";
import type { HostDevice } from "./iommu";

/** What a file that has bound its device holds. */
interface Binding {
  readonly ctx: IommufdCtx;
  readonly device: IommufdDevice;
}

interface VfioDevice {
  readonly host: HostDevice;
  isBound: boolean;
}

export interface VfioFile {
  readonly vfioDevice: VfioDevice;
  binding: Binding | undefined;
}

const FRESH_NUMBERS_FROM = 1000;

export class VfioDevices {
  readonly #devices: readonly VfioDevice[];
  /** Closing a file for good is the only way to unbind (VFD-08); it detaches first. */
  readonly files = new FileTable<VfioFile>((file) => this.unbind(file));
  #nextFresh = FRESH_NUMBERS_FROM;

  constructor(hosts: readonly HostDevice[]) {
    this.#devices = hosts.map((host) => ({ host, isBound: false }));
  }

  /** The number of a new open file of device `index`; undefined when there is no such device. */
  open(index: number, process: Process): number | undefined {
    const vfioDevice = this.#devices[index];
    if (vfioDevice === undefined) return undefined;
    let devfd = index;
    if (this.files.has(devfd)) {
      devfd = this.#nextFresh;
      this.#nextFresh += 1;
    }
    this.files.open(devfd, { vfioDevice, binding: undefined }, process);
    return devfd;
  }

  unbind(file: VfioFile): void {
    const { vfioDevice, binding } = file;
    if (binding === undefined) return;
    if (binding.device.isAttached) binding.device.detach();
    binding.device.unbind();
    vfioDevice.isBound = false;
    file.binding = undefined;
    binding.ctx.put();
  }

  bind(file: VfioFile, binding: Binding): void {
    assert(!file.vfioDevice.isBound, "a device is bound through one file at a time");
    file.binding = binding;
    file.vfioDevice.isBound = true;
    binding.ctx.hold();
  }
}
