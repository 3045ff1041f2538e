/** The performance-focused implementation, ready for the harness. */
import { type Iut, inProcess } from "../../spec/iut";
import { VERSION } from "../../spec/version";
import { RadixMachine } from "./machine";

export const radix: Iut = inProcess(
  {
    name: "radix",
    version: VERSION,
    capabilities: [
      "mock",
      "vfio",
      "multi-device-group",
      "mixed-iommus",
      "unfit-device",
      "large-iommu-page",
      "dma",
      "dma-result",
      "hwpt",
      "silent-iommu",
      "dirty",
      "nesting",
      "fault-queue",
      "translate",
      "page-refs",
      "proc-status",
      "privilege",
      "memlimit",
      "dup",
      "second-process",
      "compat",
      "raw-bytes",
      "access",
      "small-batches",
      "device-info",
    ],
  },
  (platform) => new RadixMachine(platform),
);
