/** Which devices of a platform a motif can use. */
import { fits, type Platform } from "../../spec/platform";
import type { Composer } from "./composer";

/** Indexes of the devices that nobody has open; none if the IUT has no such devices. */
export const closedDevices = (c: Composer): readonly number[] => {
  const { cdevs } = c.scene;
  const all = c.can("DEVICE_OPEN") ? [...c.platform.devices.keys()] : [];
  return all.filter((i) => cdevs.every(({ dev }) => dev !== i));
};

/** Those of them that can be bound and attached. */
export const fitDevices = (c: Composer): readonly number[] => {
  const { devices, iommus, pageSize } = c.platform;
  return closedDevices(c).filter((i) => {
    const device = devices[i];
    return device && fits(device) && (iommus[device.iommu]?.ioPageSize ?? 0) <= pageSize;
  });
};

/** Two devices of one group, if there is such a group. */
export const pairOfAGroup = ({ devices }: Platform): readonly number[] => {
  const second = devices.findIndex(
    ({ group }, i) => group !== null && devices.findIndex((d) => d.group === group) < i,
  );
  if (second < 0) return [];
  return [devices.findIndex(({ group }) => group === devices[second]?.group), second];
};
