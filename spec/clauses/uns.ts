import type { Clause } from "./clause";

/** What is open on purpose: never an obligation, and never counted. */
export const UNS = [
  {
    id: "UNS-01",
    statement:
      "The values of object ids, their order and their reuse: any unused non-zero u32 is right.",
    basis: { rule: "U" },
    source: ["uapi iommufd.h", "main.c _iommufd_object_alloc"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-02",
    statement:
      "Which automatic IOVA is chosen: any that keeps AUT-01, AUT-02, AUT-03 and AUT-07 is " +
      "right.",
    basis: { rule: "U" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_alloc_iova"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-03",
    statement:
      "Nearly full address spaces: success where any legal place is left is right, and so is " +
      "ENOSPC where all that is left breaks an alignment that 6.12 asks for.",
    basis: { rule: "U" },
    source: ["io_pagetable.c __alloc_iova_check_range"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-04",
    statement:
      "What is left after a failed unmap of several mappings: some of the lowest covered ones " +
      "may be gone, or none. The harness looks and goes on from there.",
    basis: { rule: "U" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_unmap_iova_range"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-05",
    statement:
      "Copies of a part of a mapping, or of several at once: success, ENOENT and EINVAL are all " +
      "right.",
    basis: { rule: "U" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_get_pages"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-06",
    statement: "Which HWPT an attach to an IOAS picks: any of that IOAS which can serve the group.",
    basis: { rule: "U" },
    source: ["uapi iommufd.h", "device.c iommufd_device_auto_get_domain"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-07",
    statement:
      "Which errno a call gets that breaks several independent rules: any of theirs, except " +
      "that framing errors (EFAULT, ENOTTY, EINVAL for size, E2BIG) come first.",
    basis: { rule: "U" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-08",
    statement: "The order of the capabilities in the VFIO info chain.",
    basis: { rule: "U" },
    source: ["uapi vfio.h", "vfio_compat.c iommufd_vfio_iommu_get_info"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-09",
    statement:
      "What reading dirty bits answers over holes or without tracking: 0 or EINVAL. The bits " +
      "must still be among the truly dirty ones.",
    basis: { rule: "U" },
    source: ["uapi iommufd.h", "io_pagetable.c iommu_read_and_clear_dirty"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-10",
    statement:
      "Dirty bits may be reported for more than was written where a large page was; never for " +
      "less.",
    basis: { rule: "U" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-11",
    statement: "In what order the pages of one call are pinned and unpinned.",
    basis: { rule: "U" },
    source: ["pages.c"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-12",
    statement: "Where memory can run out: any call may fail with ENOMEM if it changed nothing.",
    basis: { rule: "U" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-13",
    statement: "In-kernel users may be told about an unmap that does not concern them.",
    basis: { rule: "U" },
    source: ["iommufd.h (kernel API)", "device.c iommufd_access_notify_unmap"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-14",
    statement: "Allowed IOVA ranges of a single byte: 0 and EINVAL are both right.",
    basis: { rule: "U" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_load_iovas"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-15",
    statement:
      "What in-out fields hold after a failure. Best is what was passed in; nobody promises it.",
    basis: { rule: "U" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-16",
    statement:
      "Whether IOVA 0 is ever chosen automatically. 6.12 never does; the documents do not say " +
      "so.",
    basis: { rule: "U" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_alloc_iova"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-17",
    statement:
      "How often in-kernel users are asked to let go before an unmap gives up: any bound is " +
      "right.",
    basis: { rule: "U" },
    source: ["io_pagetable.c iopt_unmap_iova_range"],
    needs: [],
    sides: [],
  },
  {
    id: "UNS-18",
    statement:
      "Whether usable ranges that touch are reported as one: they must cover the same IOVAs.",
    basis: { rule: "U" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_iova_ranges"],
    needs: [],
    sides: [],
  },
] as const satisfies readonly Clause[];
