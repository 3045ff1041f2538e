import type { CallShape } from "./shape";

/** VFIO device cdevs. */
export const VFIO_CALLS = {
  // dev: index into platform.devices. Each DEVICE_OPEN is a further open file of that device.
  DEVICE_OPEN: {
    on: "process",
    in: { dev: "u32" },
    out: { devfd: "fd" },
    needs: ["vfio"],
    handle: "cdev",
  },
  DEVICE_CLOSE: { on: "process", in: { devfd: "fd" }, out: {}, needs: ["vfio"] },
  VFIO_BIND: {
    on: "process",
    in: { devfd: "fd", argsz: "u32", flags: "u32", iommufd: "s32" },
    out: { out_devid: "id" },
    needs: ["vfio"],
    handle: "dev",
  },
  VFIO_ATTACH: {
    on: "process",
    in: { devfd: "fd", argsz: "u32", flags: "u32", pt_id: "id" },
    out: { pt_id: "id" },
    needs: ["vfio"],
    handle: "pt",
  },
  VFIO_DETACH: {
    on: "process",
    in: { devfd: "fd", argsz: "u32", flags: "u32" },
    out: {},
    needs: ["vfio"],
  },
  // How many regions and interrupts there are is the device's own.
  VFIO_GET_INFO: {
    on: "process",
    in: { devfd: "fd", argsz: "u32" },
    out: {
      argsz: "u32",
      flags: "u32",
      num_regions: "u32",
      num_irqs: "u32",
      cap_offset: "u32",
    },
    needs: ["vfio", "device-info"],
    probe: true,
  },
  /**
   * The device moves bytes between its own 64-byte buffer, from device_offset, and memory at
   * iova. EINVAL before BIND: nobody gets at the device then. Fields of the outcome are what the
   * IUT can see; a field it cannot see is left out. fault: 1 when the IOMMU blocked any byte.
   * bytes: what arrived in the device's buffer, after a to_device that was not blocked.
   */
  DMA: {
    on: "process",
    in: { devfd: "fd", dir: "direction", iova: "iova", length: "u32", device_offset: "u32" },
    out: { fault: "u8", bytes: "hex" },
    optional: ["fault", "bytes"],
    needs: ["dma"],
  },
} as const satisfies Record<string, CallShape>;
