/**
 * What a clause or a call may need from the implementation under test and from the platform.
 * A closed list: an IUT declares which of these it has (`Iut.capabilities`), a platform offers
 * those that follow from its shape, and whatever is missing makes a clause `unsupported`.
 */
export const NEEDS = {
  mock: "the kernel's selftest mock driver or an equal (TEST_CMD)",
  vfio: "VFIO device cdevs: bind, attach, detach",
  device: "a device of either kind: follows from mock and from vfio, and is not declared",
  "multi-device-group": "two devices in one IOMMU group",
  "mixed-iommus": "two IOMMUs whose domains cannot serve each other's devices",
  "unfit-device": "a device that must be refused: incoherent, groupless, without MSI isolation",
  dma: "a device that really reads and writes memory through its IOMMU",
  "dma-result": "a device that tells what its reads brought, and when it was blocked",
  translate: "a probe that walks the page table of one domain",
  "page-refs": "a probe that counts the pins of a page",
  "self-report": "a log in which the implementation reports errors of its own (WARN, BUG, KASAN)",
  "proc-status": "a probe that reports pinned and locked memory of a process",
  "raw-bytes": "calls passed as raw bytes",
  "fault-injection": "allocation failures on demand",
  concurrency: "calls that run at the same time",
  dup: "a second number for an open iommufd",
  "second-process": "a second process sharing the iommufd",
  privilege: "a process that lacks capabilities",
  memlimit: "a process with a finite RLIMIT_MEMLOCK",
  "large-iommu-page": "an IOMMU page larger than the system page",
  access: "in-kernel users of an IOAS (iommufd_access)",
  hwpt: "manually allocated HW page tables",
  "reserved-nesting": "a device with reserved regions whose IOMMU has nested HW page tables",
  "silent-iommu": "an IOMMU that tells nothing of itself (GET_HW_INFO)",
  dirty: "dirty tracking",
  nesting: "nested HW page tables",
  "fault-queue": "page faults delivered to user space",
  compat: "the VFIO container ioctls on an iommufd",
  "small-batches": "a limit of the memory that is worked with at a time (SET_TEMP_MEMORY_LIMIT)",
  "device-info": "what a device says of itself (VFIO_GET_INFO)",
  "newer-uapi": "commands and flags that Linux got after 6.12",
} as const;

export type Need = keyof typeof NEEDS;

export const isNeed = (name: string): name is Need => Object.hasOwn(NEEDS, name);
