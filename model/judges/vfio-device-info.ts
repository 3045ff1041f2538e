/**
 * VFIO_GET_INFO of a device. What it tells is the device's own and nothing that iommufd has a
 * say in, so that the model only wants it to be the same every time.
 */
import { VFIO_INFO_ARGSZ } from "../../spec/uapi/flags";
import { fact, judge, never, rule } from "../judge";
import type { DeviceInfo, PhysicalDevice } from "../state/objects";

interface View {
  /** Undefined: the file is not open. */
  readonly device: PhysicalDevice | undefined;
  readonly isBound: boolean;
  readonly argsz: number;
}

/** A PCI device, as those of the recordings. */
const PCI: DeviceInfo = { flags: 2, num_regions: 9, num_irqs: 5 };

const host = { applies: never, hard: true } as const;

const isAsBefore = (v: View, field: keyof DeviceInfo, value: number | undefined): boolean =>
  v.device?.info === undefined || value === v.device.info[field];

export const VFIO_GET_INFO = judge<"VFIO_GET_INFO", View>("VFIO_GET_INFO", {
  promise: "VFD-02",
  view: (machine, call) => {
    const { devfd, argsz } = call.in;
    const cdev = machine.cdevs.get(devfd);
    return { device: cdev?.device, isBound: cdev?.bound !== undefined, argsz };
  },
  rules: [
    rule("VFD-02", "EBADF", (v) => v.device === undefined, { ...host, outranks: true }),
    rule("VFD-02", "EINVAL", (v) => v.device !== undefined && !v.isBound, host),
    rule("VFD-02", "EINVAL", (v) => v.argsz < VFIO_INFO_ARGSZ, host),
  ],
  facts: [
    fact("VFD-02", {
      holds: (v, out) => out.argsz === v.argsz && (out.cap_offset ?? 0) === 0,
      right: (v) => `argsz ${v.argsz} and no capabilities`,
      uncounted: true,
    }),
    fact("VFD-02", {
      holds: (v, out) =>
        isAsBefore(v, "flags", out.flags) &&
        isAsBefore(v, "num_regions", out.num_regions) &&
        isAsBefore(v, "num_irqs", out.num_irqs),
      right: () => "what the device said of itself before",
      uncounted: true,
    }),
  ],
  answer: (v) => ({ argsz: v.argsz, ...(v.device?.info ?? PCI), cap_offset: 0 }),
  effect: (v, { flags = 0, num_regions = 0, num_irqs = 0 }) => {
    if (v.device !== undefined) v.device.info = { flags, num_regions, num_irqs };
  },
});
