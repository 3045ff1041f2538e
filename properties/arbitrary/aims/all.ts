import type { Aim } from "../aim";
import { MOTIFS } from "../motifs/all";
import {
  accessPagesAim,
  accessRwAim,
  closeAccessAim,
  createAccessAim,
  letGoAim,
  replaceIoasAim,
} from "./access";
import { iommuInfoAim, mapDmaAim, setIommuAim, unmapDmaAim, versionAim } from "./compat";
import { copyAim } from "./copy";
import { dirtyAim, dirtyBitmapAim, setTrackingAim } from "./dirty";
import { hwInfoAim, hwptAllocAim } from "./hwpt";
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
import {
  checkMapAim,
  checkRefsAim,
  memoryLimitAim,
  mockDomainAim,
  mockReplaceAim,
  reservedAim,
} from "./mock";
import {
  answerFaultsAim,
  closeFaultAim,
  faultQueueAim,
  invalidateAim,
  pageFaultAim,
  readFaultsAim,
} from "./nested";
import {
  byProcessAim,
  dupAim,
  exitAim,
  forkAim,
  memlockAim,
  setuidAim,
  switchAim,
} from "./process";
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
  memoryLimitAim,
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
  hwptAllocAim,
  hwInfoAim,
  setTrackingAim,
  dirtyAim,
  dirtyBitmapAim,
  invalidateAim,
  faultQueueAim,
  pageFaultAim,
  readFaultsAim,
  answerFaultsAim,
  closeFaultAim,
  createAccessAim,
  closeAccessAim,
  replaceIoasAim,
  accessPagesAim,
  letGoAim,
  accessRwAim,
  memlockAim,
  setuidAim,
  byProcessAim,
  dupAim,
  forkAim,
  exitAim,
  switchAim,
  versionAim,
  setIommuAim,
  iommuInfoAim,
  mapDmaAim,
  unmapDmaAim,
  ...MOTIFS,
];
