import type { Clause } from "./clause";

/** Dirty tracking. DTY-01 to DTY-05 are about SET, the others about GET_DIRTY_BITMAP. */
export const DTY = [
  {
    id: "DTY-01",
    statement: "SET_DIRTY_TRACKING has one flag, ENABLE; any other bit is refused.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_set_dirty_tracking"],
    needs: ["dirty"],
    sides: ["success", "violation"],
  },
  {
    id: "DTY-02",
    statement: "SET_DIRTY_TRACKING wants a paging HWPT; a nested one is not found.",
    errno: "ENOENT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_set_dirty_tracking"],
    needs: ["dirty"],
    sides: ["success", "violation"],
  },
  {
    id: "DTY-03",
    statement: "Tracking cannot be switched on an HWPT that was made without DIRTY_TRACKING.",
    errno: "EOPNOTSUPP",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_set_dirty_tracking"],
    needs: ["dirty"],
    sides: ["success", "violation"],
    evidence: ["hwpt-4 step 5"],
  },
  {
    id: "DTY-04",
    statement:
      "Switching tracking on forgets what was dirty before. Switching to the state that is " +
      "there already succeeds.",
    basis: { rule: "DT" },
    source: [
      "uapi iommufd.h",
      "io_pagetable.c iopt_set_dirty_tracking",
      "selftest iommufd.c set_dirty_tracking",
    ],
    needs: ["mock", "dirty"],
    sides: ["success"],
  },
  {
    id: "DTY-05",
    statement: "Whether SET_DIRTY_TRACKING looks at its reserved word is open; 6.12 does not.",
    basis: { rule: "U" },
    source: ["hw_pagetable.c iommufd_hwpt_set_dirty_tracking"],
    needs: [],
    sides: [],
  },
  {
    id: "DTY-10",
    statement:
      "GET_DIRTY_BITMAP has one flag, NO_CLEAR; any other bit, and a reserved word that is not " +
      "zero, are refused.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_get_dirty_bitmap"],
    needs: ["dirty"],
    sides: ["success", "violation"],
    evidence: ["hwpt-3 step 41"],
  },
  {
    id: "DTY-11",
    statement: "GET_DIRTY_BITMAP wants a paging HWPT.",
    errno: "ENOENT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_get_dirty_bitmap"],
    needs: ["dirty"],
    sides: ["success", "violation"],
  },
  {
    id: "DTY-12",
    statement: "A range of length 0 is refused.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["io_pagetable.c iommufd_check_iova_range"],
    needs: ["dirty"],
    sides: ["success", "violation"],
    evidence: ["framing-18 step 75"],
  },
  {
    id: "DTY-13",
    statement: "A range that goes past 2^64-1 is refused.",
    errno: "EOVERFLOW",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iommufd_check_iova_range"],
    needs: ["dirty"],
    sides: ["success", "violation"],
    evidence: ["hwpt-1 step 27"],
  },
  {
    id: "DTY-14",
    statement: "Both ends of the range must be multiples of the IOVA alignment.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["io_pagetable.c iommufd_check_iova_range"],
    needs: ["dirty"],
    sides: ["success", "violation"],
    evidence: ["hwpt-6 step 55"],
  },
  {
    id: "DTY-15",
    statement: "A page_size of 0 is refused.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["io_pagetable.c iommufd_check_iova_range"],
    needs: ["dirty"],
    sides: ["success", "violation"],
    evidence: ["hwpt-1 step 41"],
  },
  {
    id: "DTY-16",
    statement:
      "Both ends of the range must be multiples of page_size. What a page_size gets that is no " +
      "power of two is open.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["io_pagetable.c iommufd_check_iova_range"],
    needs: ["dirty"],
    sides: ["success", "violation"],
    evidence: ["hwpt-9 step 29"],
  },
  {
    id: "DTY-17",
    statement: "There is nothing to read from an HWPT that was made without DIRTY_TRACKING.",
    errno: "EOPNOTSUPP",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_read_and_clear_dirty_data"],
    needs: ["dirty"],
    sides: ["success", "violation"],
    evidence: ["hwpt-16 step 23"],
  },
  {
    id: "DTY-18",
    statement:
      "Bit i of the bitmap, counted from the lowest bit of its first byte, stands for the i-th " +
      "page_size bytes from the iova that was passed.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "iova_bitmap.c", "selftest iommufd.c get_dirty_bitmap"],
    needs: ["mock", "dirty"],
    sides: ["success"],
  },
  {
    id: "DTY-19",
    statement: "Reading only sets bits: a bit that the caller had set stays set.",
    basis: { rule: "TI" },
    source: ["iova_bitmap.c", "selftest iommufd.c get_dirty_bitmap"],
    needs: ["mock", "dirty"],
    sides: ["success"],
  },
  {
    id: "DTY-20",
    statement:
      "Every mapped page of the range that was written since it was last cleared is reported. " +
      "Reading clears it, so that the next read shows later writes only; with NO_CLEAR it " +
      "stays.",
    basis: { rule: "DT" },
    source: [
      "uapi iommufd.h",
      "selftest iommufd.c get_dirty_bitmap",
      "selftest iommufd.c get_dirty_bitmap_no_clear",
    ],
    needs: ["mock", "dirty"],
    sides: ["success"],
  },
  {
    id: "DTY-21",
    statement:
      "6.12 walks the range up to the first hole and answers 0: pages behind the hole are " +
      "neither reported nor cleared, against DTY-20, and nobody else has to do so. With tracking " +
      "off it answers 0, too.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iommu_read_and_clear_dirty"],
    needs: ["mock", "dirty"],
    sides: ["success"],
    evidence: ["hwpt-8 step 26"],
  },
  {
    id: "DTY-22",
    statement:
      "A page_size that spans several IOMMU pages is dirty if any of them is. A smaller one is " +
      "dirty if the IOMMU page around it is.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c get_dirty_bitmap"],
    needs: ["mock", "dirty"],
    sides: ["success"],
    evidence: ["hwpt-2 step 30"],
  },
  {
    id: "DTY-23",
    statement:
      "6.12 answers 0 when the bitmap cannot be written to; unless NO_CLEAR is set, what was " +
      "dirty is lost.",
    basis: { rule: "I" },
    source: ["iova_bitmap.c"],
    needs: ["mock", "dirty"],
    sides: ["success"],
    evidence: ["hwpt-24 step 66"],
  },
  {
    id: "DTY-24",
    statement: "Each HWPT tracks for itself, also where two mirror the same IOAS.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: ["mock", "dirty"],
    sides: ["success"],
  },
  {
    id: "DTY-25",
    statement: "What was dirty in a mapping is forgotten when it is unmapped.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_unmap_iova"],
    needs: ["mock", "dirty"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
