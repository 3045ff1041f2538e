/** The VFIO container's own way to unmap. */
import {
  ACCESS_PAGES_WRITE,
  ACCESS_RW_WRITE,
  DMA_UNMAP_ALL,
  MAP_READABLE,
  MAP_WRITEABLE,
  MOCK_HUGE_IOVA,
  VFIO_DMA_CC_IOMMU,
  VFIO_IOAS_SET,
  VFIO_TYPE1_IOMMU,
} from "../../../spec/uapi/flags";
import { LAYOUTS } from "../../../spec/uapi/layouts";
import type { Bytes, Iova } from "../../../spec/units";
import type { Aim } from "../aim";
import type { Composer } from "../composer";
import { PAGE } from "../values";
import type { IoasView } from "../view";
import { allow, attach, freshMotif, look, map, PLACE, RW, reserve, start, unmap } from "./steps";
import { letGo, newAccess, pin, rw } from "./users";

const unmapDma = (c: Composer, { fd }: IoasView, iova: bigint, size: bigint, flags = 0): void => {
  const args = {
    argsz: LAYOUTS.VFIO_UNMAP_DMA.size,
    flags,
    iova: iova as Iova,
    size: size as Bytes,
  };
  c.make({ call: "VFIO_UNMAP_DMA", fd: c.iommufd(fd), in: args });
};

export const CONTAINERS: readonly Aim[] = [
  // VCC-15 … VCC-18, I-91: with TYPE1 an unmap cuts mappings at its ends; the cuts stay if it fails.
  freshMotif("cut-mappings", 5, ["VFIO_SET_IOMMU", "VFIO_UNMAP_DMA"], (c, ioas) => {
    const { draw } = c;
    const fd = c.iommufd(ioas.fd);
    const compat = { op: VFIO_IOAS_SET, ioas_id: c.object(ioas.fd, ioas.id) };
    c.make({ call: "VFIO_IOAS", fd, in: compat });
    if (draw.chance(85)) {
      c.make({ call: "VFIO_SET_IOMMU", fd, in: { arg: BigInt(VFIO_TYPE1_IOMMU) } });
    }
    const flags = draw.of(RW, RW, MAP_READABLE, MAP_WRITEABLE);
    map(c, ioas, { va: start("buf0"), bytes: 4n * PAGE, at: PLACE, flags });
    map(c, ioas, { va: start("buf4"), bytes: 4n * PAGE, at: PLACE + 4n * PAGE });
    if (draw.chance(50)) attach(c, ioas);
    // VCC-15: what an in-kernel user has pinned is not cut.
    const user = c.can("ACCESS_PAGES") && draw.chance(30) ? newAccess(c, ioas) : undefined;
    const item =
      user && pin(c, user, PLACE, 4n * PAGE, flags & MAP_WRITEABLE ? ACCESS_PAGES_WRITE : 0);
    switch (draw.int(0, 3)) {
      case 0:
        unmapDma(c, ioas, PLACE + PAGE, 2n * PAGE);
        break;
      case 1:
        // Not behind the first byte.
        unmapDma(c, ioas, PLACE + 1n, 2n * PAGE - 1n);
        break;
      case 2:
        unmapDma(c, ioas, PLACE + 2n * PAGE, 4n * PAGE);
        break;
      default:
        unmapDma(c, ioas, PLACE + PAGE, 3n * PAGE - 1n);
    }
    look(c, ioas);
    // What is left behind a cut is as it was, for whoever may write there.
    const writer = c.can("ACCESS_RW") && draw.chance(30) ? newAccess(c, ioas) : undefined;
    if (writer !== undefined) {
      rw(c, writer, PLACE + draw.of(0n, 3n, 6n) * PAGE, 8, draw.of(0, ACCESS_RW_WRITE));
    }
    // Where it was cut, and whether at all, any unmap shows.
    if (draw.chance(40)) unmap(c, ioas, PLACE, PAGE);
    if (user !== undefined && item !== undefined && draw.chance(70)) letGo(c, user, item);
    unmapDma(c, ioas, PLACE, 2n * PAGE);
    if (draw.chance(50)) attach(c, ioas);
    if (draw.chance(50)) unmapDma(c, ioas, 0n, 0n, DMA_UNMAP_ALL);
    look(c, ioas);
  }),
  // VCC-02, VCC-22: what a container can do all of its domains can.
  freshMotif("many-in-a-container", 2, ["VFIO_CHECK_EXTENSION"], (c, ioas) => {
    const { draw } = c;
    const fd = c.iommufd(ioas.fd);
    const compat = { op: VFIO_IOAS_SET, ioas_id: c.object(ioas.fd, ioas.id) };
    c.make({ call: "VFIO_IOAS", fd, in: compat });
    for (let n = draw.int(1, 3); n > 0; n--) {
      if (c.can("MOCK_DOMAIN_FLAGS") && draw.chance(50)) {
        const large = { pt_id: c.object(ioas.fd, ioas.id), dev_flags: MOCK_HUGE_IOVA };
        c.make({ call: "MOCK_DOMAIN_FLAGS", fd, in: large });
      } else attach(c, ioas);
      // Devices share an automatic domain: one made by hand is another, with page sizes of its own.
      const mock = c.scene.mocks.at(-1);
      if (mock !== undefined && c.can("HWPT_ALLOC") && draw.chance(50)) {
        const args = { dev_id: c.object(mock.fd, mock.idev), pt_id: c.object(ioas.fd, ioas.id) };
        c.make({ call: "HWPT_ALLOC", fd, in: args });
      }
      c.make({ call: "VFIO_CHECK_EXTENSION", fd, in: { arg: BigInt(VFIO_DMA_CC_IOMMU) } });
      c.make({ call: "VFIO_IOMMU_GET_INFO", fd, in: { argsz: draw.of(24, 320) } });
    }
    // VCC-25: an allowed list is none of its business.
    if (draw.chance(30)) {
      allow(c, ioas, [[PLACE + PAGE, PLACE + 2n * PAGE - 1n]]);
      c.make({ call: "VFIO_IOMMU_GET_INFO", fd, in: { argsz: 320 } });
    }
  }),
  // VCC-24: a container in which nothing can be mapped tells of no range.
  freshMotif("no-ranges", 1, ["VFIO_IOMMU_GET_INFO", "ADD_RESERVED"], (c, ioas) => {
    const fd = c.iommufd(ioas.fd);
    const compat = { op: VFIO_IOAS_SET, ioas_id: c.object(ioas.fd, ioas.id) };
    c.make({ call: "VFIO_IOAS", fd, in: compat });
    const half = 1n << 63n;
    reserve(c, ioas, 0n, half);
    reserve(c, ioas, half, half);
    for (const argsz of [56, 24, 320]) c.make({ call: "VFIO_IOMMU_GET_INFO", fd, in: { argsz } });
  }),
].map((aim): Aim => ({ ...aim, family: "compat" }));
