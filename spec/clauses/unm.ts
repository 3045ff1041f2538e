import type { Clause } from "./clause";

/** IOMMU_IOAS_UNMAP. UNM-01 to UNM-09 are its ladder, in order. */
export const UNM = [
  {
    id: "UNM-01",
    statement: "UNMAP on an id that is no IOAS is refused, and this is looked at before the range.",
    errno: "ENOENT",
    basis: { rule: "D", order: "I" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_unmap"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "UNM-02",
    statement:
      "iova 0 with length 2^64-1 means everything: all mappings go. On an empty IOAS this " +
      "succeeds with length 0.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c area"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "UNM-03",
    statement: "Other than that, neither `iova` nor `length` may be 2^64-1.",
    errno: "EOVERFLOW",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_unmap"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "UNM-04",
    statement: "`length` must not be 0.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_unmap_iova"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "UNM-05",
    statement: "The range must end at or before IOVA 2^64-1.",
    errno: "EOVERFLOW",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_unmap_iova"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "UNM-06",
    statement:
      "A mapping in the range that another thread is just making or removing makes the call " +
      "fail.",
    errno: "EBUSY",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_unmap_iova_range"],
    needs: ["concurrency"],
    sides: ["violation"],
  },
  {
    id: "UNM-07",
    statement:
      "A mapping that the range touches must lie in it completely: mappings are never cut.",
    errno: "ENOENT",
    basis: { rule: "D", errno: "T" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_unmap_iova_range", "selftest iommufd.c area"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "UNM-08",
    statement: "A range without any mapping in it is refused.",
    errno: "ENOENT",
    basis: { rule: "T" },
    source: ["ioas.c iommufd_ioas_unmap", "selftest iommufd.c area"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "UNM-09",
    statement:
      "If an in-kernel user does not let go of its pins after being asked about a hundred " +
      "times, the unmap gives up. Those of the mock driver always let go.",
    errno: "EDEADLOCK",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_unmap_iova_range"],
    needs: ["access"],
    sides: [],
  },
  {
    id: "UNM-20",
    statement:
      "On success `length` is the total size of the mappings removed; holes between them do not " +
      "count. (In 64 bits: all 2^64 bytes are 0.)",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c unmap_fully_contained_areas"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "UNM-21",
    statement:
      "The range may reach beyond the mappings it removes, span holes, and remove many mappings " +
      "at once.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c unmap_fully_contained_areas"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "UNM-22",
    statement: "UNMAP asks for no alignment of iova or length.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_unmap_iova"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "UNM-23",
    statement: "The range may contain reserved IOVAs.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_unmap_iova"],
    needs: ["device"],
    sides: ["success"],
  },
  {
    id: "UNM-24",
    statement:
      "6.12 removes mappings from low to high and stops at one that is only partly in the " +
      "range: those before it are gone although the call fails, and `length` is not written. " +
      "Elsewhere none may be gone (UNS-04).",
    errno: "ENOENT",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_unmap_iova_range"],
    needs: [],
    sides: ["violation"],
  },
  {
    id: "UNM-25",
    statement:
      "The pages of a removed mapping lose one owner; pages that lost their last one are " +
      "unpinned and no longer charged when the call returns.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "pages.c iopt_area_unfill_domains"],
    needs: ["page-refs"],
    sides: ["success"],
  },
  {
    id: "UNM-26",
    statement: "When the call returns, no domain translates the removed IOVAs any more.",
    basis: { rule: "D" },
    source: ["iommufd.rst"],
    needs: ["translate"],
    sides: ["success"],
  },
  {
    id: "UNM-27",
    statement:
      "A mapping pinned by in-kernel users is first closed to new pins, then each user is told " +
      "exactly its iova and length, and it goes when all have let go. That it is closed shows " +
      "only to calls that run at the same time.",
    basis: { rule: "I" },
    source: [
      "iommufd.rst",
      "io_pagetable.c iopt_unmap_iova_range",
      "device.c iommufd_access_notify_unmap",
    ],
    needs: ["access"],
    sides: ["success"],
  },
  {
    id: "UNM-28",
    statement:
      "Where the kernel decides that an empty range is an error moved several times since 6.2; " +
      "that changed the VFIO call only. Not judged by itself: the native answer is UNM-08.",
    basis: { rule: "I" },
    source: ["kernel history"],
    needs: [],
    sides: [],
  },
  {
    id: "UNM-29",
    statement:
      "A range that starts at 1 or above may end with IOVA 2^64-1; beside UNM-02 that is how " +
      "the last byte is unmapped.",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_unmap"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "UNM-30",
    statement:
      "Unmapping everything waits for in-kernel users just as unmapping a range does (UNM-06, " +
      "UNM-27).",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_unmap_all"],
    needs: ["access"],
    sides: ["success"],
  },
  {
    id: "UNM-31",
    statement: "After 6.12, mappings that a hardware queue works on cannot be unmapped.",
    errno: "EBUSY",
    basis: { rule: "I" },
    source: ["io_pagetable.c (after 6.12)"],
    needs: ["newer-uapi"],
    sides: ["violation"],
  },
] as const satisfies readonly Clause[];
