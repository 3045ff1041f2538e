import { expect, test } from "@jest/globals";
import { VFIO_PLATFORM } from "../../../spec/platform";
import { type Hwpt, Ioas } from "./ioas";

/** An IOAS with HWPTs that HWPT_ALLOC made for these IOMMUs. */
const ioasWith = (...iommus: number[]): Ioas => {
  const ioas = new Ioas(1, {} as Ioas["ctx"], VFIO_PLATFORM.iommus);
  for (const iommu of iommus) {
    const made = { iommu, parent: undefined, queue: undefined, children: 0, dirty: undefined };
    const hwpt: Hwpt = { kind: "hwpt", id: 2, ioas, devices: new Set(), made };
    ioas.hwpts.add(hwpt);
  }
  return ioas;
};

test("HWPTs of one IOMMU ask for the same, however many; those of two do not", () => {
  expect(ioasWith(0, 0).attached).toBe(ioasWith(0).attached);
  expect(ioasWith(0, 0).attached).not.toBe(ioasWith(1).attached);
  expect(ioasWith(0, 1).attached).not.toBe(ioasWith(1).attached);
});
