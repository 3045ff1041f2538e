import type { Aim } from "../aim";
import { MOTIFS } from "../motifs/all";
import { copyAim } from "./copy";
import {
  allocAim,
  allowAim,
  closeAim,
  destroyAim,
  openAim,
  optionAim,
  rangesAim,
  rlimitAim,
  vfioIoasAim,
} from "./ioas";
import { mapAim } from "./map";
import { memReadAim, memWriteAim, mmapAim, mprotectAim, munmapAim } from "./memory";
import { checkMapAim, checkRefsAim, mockDomainAim, mockReplaceAim, reservedAim } from "./mock";
import { unmapAim } from "./unmap";
import { attachAim, bindAim, detachAim, deviceCloseAim, deviceOpenAim, dmaAim } from "./vfio";

export const AIMS: readonly Aim[] = [
  openAim,
  closeAim,
  allocAim,
  rangesAim,
  allowAim,
  mapAim,
  unmapAim,
  copyAim,
  optionAim,
  rlimitAim,
  vfioIoasAim,
  destroyAim,
  mockDomainAim,
  mockReplaceAim,
  reservedAim,
  checkMapAim,
  checkRefsAim,
  deviceOpenAim,
  deviceCloseAim,
  bindAim,
  attachAim,
  detachAim,
  dmaAim,
  mmapAim,
  munmapAim,
  mprotectAim,
  memWriteAim,
  memReadAim,
  ...MOTIFS,
];
