import type { Clause } from "./clause";

/** The VFIO container's ioctls on an iommufd. */
export const VCC = [
  {
    id: "VCC-01",
    statement: "VFIO_GET_API_VERSION returns 0, whatever its argument.",
    basis: { rule: "DT" },
    source: ["uapi vfio.h", "vfio_compat.c iommufd_vfio_ioctl", "selftest iommufd.c simple_ioctls"],
    needs: ["compat"],
    sides: ["success"],
  },
  {
    id: "VCC-02",
    statement:
      "VFIO_CHECK_EXTENSION returns 1 for TYPE1, TYPE1v2 and UNMAP_ALL, and 0 for what is not " +
      "known. For DMA_CC it needs a compat IOAS (ENODEV) and returns 1 if all its HWPTs " +
      "enforce coherency, which none at all do. NOIOMMU is 1 if the kernel has it.",
    errno: "ENODEV",
    basis: { rule: "DT" },
    source: [
      "uapi vfio.h",
      "vfio_compat.c iommufd_vfio_check_extension",
      "selftest iommufd.c simple_ioctls",
    ],
    needs: ["compat"],
    sides: ["success", "violation"],
    evidence: ["kitchen-sink-20 step 10", "compat-9 step 26", "compat-12 step 18"],
  },
  {
    id: "VCC-03",
    statement:
      "VFIO_SET_IOMMU takes TYPE1 and TYPE1v2 (else EINVAL), then needs a compat IOAS " +
      "(ENODEV). TYPE1 turns huge pages off, which can fail as in OPT-13 and OPT-14; TYPE1v2 " +
      "does not turn them on again.",
    basis: { rule: "T" },
    source: ["vfio_compat.c iommufd_vfio_set_iommu", "selftest iommufd.c vfio_compat"],
    needs: ["compat"],
    sides: ["success", "violation"],
    evidence: ["compat-2 step 45", "compat-15 step 31", "compat-23 step 32"],
  },
  {
    id: "VCC-10",
    statement:
      "VFIO_IOMMU_MAP_DMA wants an argsz of at least 32 and no flags but READ and WRITE " +
      "(EINVAL), then a compat IOAS (ENODEV), and then maps like MAP with FIXED. Neither READ " +
      "nor WRITE is needed, but the IOMMU of a device may refuse what has neither (EINVAL; VT-d " +
      "does), now or when its domain joins. A larger argsz is ignored.",
    basis: { rule: "DT" },
    source: ["uapi vfio.h", "vfio_compat.c iommufd_vfio_map_dma", "selftest iommufd.c vfio_compat"],
    needs: ["compat"],
    sides: ["success", "violation"],
    evidence: ["compat-1 step 17", "compat-2 step 19"],
  },
  {
    id: "VCC-11",
    statement:
      "VFIO_IOMMU_UNMAP_DMA wants an argsz of at least 24 and no flag but ALL (EINVAL; a dirty " +
      "bitmap is not offered), then a compat IOAS (ENODEV).",
    basis: { rule: "T" },
    source: ["vfio_compat.c iommufd_vfio_unmap_dma"],
    needs: ["compat"],
    sides: ["success", "violation"],
    evidence: ["compat-1 step 36"],
  },
  {
    id: "VCC-12",
    statement:
      "With ALL, iova and size must be 0; everything is unmapped, and size answers how much " +
      "that was.",
    errno: "EINVAL",
    basis: { rule: "DT" },
    source: [
      "uapi vfio.h",
      "vfio_compat.c iommufd_vfio_unmap_dma",
      "selftest iommufd.c vfio_compat",
    ],
    needs: ["compat"],
    sides: ["success", "violation"],
    evidence: ["compat-2 step 39"],
  },
  {
    id: "VCC-13",
    statement:
      "Without ALL, size 0 is EINVAL and a range past 2^64-1 EOVERFLOW. Where nothing is " +
      "mapped the call succeeds with size 0, unlike UNMAP; else size answers how much was " +
      "unmapped.",
    basis: { rule: "T" },
    source: ["vfio_compat.c iommufd_vfio_unmap_dma", "selftest iommufd.c vfio_compat"],
    needs: ["compat"],
    sides: ["success", "violation"],
    evidence: ["compat-1 step 6", "compat-2 step 28"],
  },
  {
    id: "VCC-14",
    statement:
      "With huge pages on (TYPE1v2), a range that cuts a mapping is refused; mappings before " +
      "it may be gone, and size answers how much was.",
    errno: "ENOENT",
    basis: { rule: "T" },
    source: ["vfio_compat.c iommufd_vfio_unmap_dma", "selftest iommufd.c vfio_compat"],
    needs: ["compat"],
    sides: ["success", "violation"],
    evidence: ["compat-3 step 27"],
  },
  {
    id: "VCC-15",
    statement:
      "With huge pages off (TYPE1), mappings are first cut at both ends of the range, so that " +
      "any part of whole pages can go. A cut is refused that is misaligned or in pages that " +
      "in-kernel users hold (EINVAL). 6.12 skips a cut right behind the first byte of a " +
      "mapping.",
    basis: { rule: "T" },
    source: ["io_pagetable.c iopt_area_split"],
    needs: ["compat"],
    sides: ["success", "violation"],
    evidence: ["compat-13 step 25"],
  },
  {
    id: "VCC-16",
    statement: "Cuts stay even if the unmap that asked for them fails.",
    basis: { rule: "I" },
    source: ["vfio_compat.c iommufd_vfio_unmap_dma"],
    needs: ["compat"],
    sides: ["violation"],
  },
  {
    id: "VCC-17",
    statement:
      "Whether mappings are cut follows from the option HUGE_PAGES as it is now, and not from " +
      "the type that was set.",
    basis: { rule: "I" },
    source: ["vfio_compat.c iommufd_vfio_unmap_dma"],
    needs: ["compat"],
    sides: ["success"],
  },
  {
    id: "VCC-18",
    statement: "Once past the cuts, size is written whatever the outcome.",
    basis: { rule: "I" },
    source: ["vfio_compat.c iommufd_vfio_unmap_dma"],
    needs: ["compat"],
    sides: ["success", "violation"],
    evidence: ["compat-2 step 28"],
  },
  {
    id: "VCC-20",
    statement:
      "VFIO_IOMMU_GET_INFO wants an argsz of at least 16 (EINVAL), and a compat IOAS (ENODEV).",
    basis: { rule: "DT" },
    source: [
      "uapi vfio.h",
      "vfio_compat.c iommufd_vfio_iommu_get_info",
      "selftest iommufd.c get_info",
    ],
    needs: ["compat"],
    sides: ["success", "violation"],
    evidence: ["compat-10 step 10"],
  },
  {
    id: "VCC-21",
    statement: "The flags of the answer are PGSIZES and CAPS.",
    basis: { rule: "T" },
    source: ["vfio_compat.c iommufd_vfio_iommu_get_info", "selftest iommufd.c get_info"],
    needs: ["compat"],
    sides: ["success"],
  },
  {
    id: "VCC-22",
    statement:
      "iova_pgsizes has the page sizes that all domains of the IOAS have (all sizes if there " +
      "is none), with those below a CPU page replaced by that page.",
    basis: { rule: "I" },
    source: ["vfio_compat.c iommufd_get_pagesizes"],
    needs: ["compat"],
    sides: ["success"],
    evidence: ["compat-1 step 15", "compat-3 step 22"],
  },
  {
    id: "VCC-23",
    statement:
      "The chain has two capabilities, from offset 24 on: how many mappings are left, 2^32-1, " +
      "and the ranges of usable IOVA. Each starts at a multiple of 8 and names the next by its " +
      "offset, the last by 0.",
    basis: { rule: "T" },
    source: ["vfio_compat.c iommufd_vfio_iommu_get_info", "selftest iommufd.c get_info"],
    needs: ["compat"],
    sides: ["success"],
    evidence: ["compat-1 step 15"],
  },
  {
    id: "VCC-24",
    statement:
      "argsz answers how much the whole chain needs. If the caller's is less, cap_offset is 0, " +
      "and nothing is written past the caller's argsz.",
    basis: { rule: "DT" },
    source: ["uapi vfio.h", "selftest iommufd.c get_info"],
    needs: ["compat"],
    sides: ["success"],
    evidence: ["compat-1 step 21", "compat-2 step 30"],
  },
  {
    id: "VCC-25",
    statement:
      "The ranges of the capability are those that IOVA_RANGES reports of the compat IOAS.",
    basis: { rule: "D" },
    source: ["uapi vfio.h", "vfio_compat.c iommufd_vfio_iommu_get_info"],
    needs: ["compat"],
    sides: ["success"],
  },
  {
    id: "VCC-26",
    statement: "Dirty tracking of the container and its other commands are not there.",
    errno: "ENOTTY",
    basis: { rule: "D" },
    source: ["iommufd.rst", "vfio_compat.c iommufd_vfio_ioctl"],
    needs: ["compat", "raw-bytes"],
    sides: ["violation"],
  },
  {
    id: "VCC-27",
    statement:
      "Attaching a VFIO group to an iommufd as its container makes a compat IOAS, and a group " +
      "without an IOMMU does not mix with others (EINVAL). No trace opens a group.",
    basis: { rule: "D" },
    source: ["iommufd.rst", "vfio_compat.c iommufd_vfio_compat_ioas_create"],
    needs: ["compat"],
    sides: [],
  },
  {
    id: "VCC-28",
    statement:
      "Mappings made the VFIO way and the native way are the same: each can be unmapped by the " +
      "other.",
    basis: { rule: "D" },
    source: ["iommufd.rst"],
    needs: ["compat"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
