import type { Clause } from "./clause";

/** IOMMU_HWPT_ALLOC. HWP-01 to HWP-15 are its ladder, in order. */
export const HWP = [
  {
    id: "HWP-01",
    statement:
      "A reserved word that is not zero is refused before anything is looked up. (6.12 does " +
      "not look at the last word of the struct, GEN-17.)",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_alloc"],
    needs: ["hwpt"],
    sides: ["success", "violation"],
  },
  {
    id: "HWP-02",
    statement:
      "Data and its type go together: type NONE with a length, and any other type without one, " +
      "are refused.",
    errno: "EINVAL",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_alloc"],
    needs: ["hwpt"],
    sides: ["success", "violation"],
  },
  {
    id: "HWP-03",
    statement: "dev_id must be the id of a bound device.",
    errno: "ENOENT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_alloc"],
    needs: ["hwpt"],
    sides: ["success", "violation"],
  },
  {
    id: "HWP-04",
    statement: "A pt_id that names nothing is an invalid argument here, not a missing object.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["hw_pagetable.c iommufd_hwpt_alloc"],
    needs: ["hwpt"],
    sides: ["success", "violation"],
  },
  {
    id: "HWP-05",
    statement:
      "pt_id must be an IOAS or a paging HWPT. A device, an access, a fault queue or a nested " +
      "HWPT will not do.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["hw_pagetable.c iommufd_hwpt_alloc"],
    needs: ["hwpt"],
    sides: ["success", "violation"],
    evidence: ["framing-7 step 29"],
  },
  {
    id: "HWP-06",
    statement:
      "On an IOAS, flags or data need an IOMMU driver that makes page tables to order; any " +
      "other refuses them.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_paging_alloc"],
    needs: ["hwpt", "vfio"],
    sides: ["violation"],
  },
  {
    id: "HWP-07",
    statement:
      "On an IOAS, NEST_PARENT and DIRTY_TRACKING are the only flags. 6.12 refuses a fault " +
      "queue there, too.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_paging_alloc"],
    needs: ["hwpt"],
    sides: ["success", "violation"],
  },
  {
    id: "HWP-08",
    statement: "DIRTY_TRACKING needs a device whose IOMMU can track.",
    errno: "EOPNOTSUPP",
    basis: { rule: "DT" },
    source: [
      "uapi iommufd.h",
      "hw_pagetable.c iommufd_hwpt_paging_alloc",
      "selftest iommufd.c device_dirty_capability",
    ],
    needs: ["hwpt", "dirty"],
    sides: ["success", "violation"],
  },
  {
    id: "HWP-09",
    statement:
      "On an IOAS, the driver may refuse of its own accord: the mock driver any user data, VT-d " +
      "a NEST_PARENT for hardware that cannot nest.",
    errno: "EOPNOTSUPP",
    basis: { rule: "I" },
    source: ["selftest.c mock_domain_alloc_user", "intel/iommu.c intel_iommu_domain_alloc_user"],
    needs: ["hwpt"],
    sides: ["violation"],
    evidence: ["framing-30 step 25", "vfio-35 step 42"],
  },
  {
    id: "HWP-10",
    statement:
      "Making an HWPT on an IOAS can fail as adding its domain can: EINVAL or EADDRINUSE for " +
      "alignment, EADDRINUSE for the aperture, EFAULT for memory that cannot be pinned, " +
      "ENOMEM. Nothing is left of it then.",
    basis: { rule: "I" },
    source: ["hw_pagetable.c iommufd_hwpt_paging_alloc", "io_pagetable.c iopt_table_add_domain"],
    needs: ["hwpt"],
    sides: ["violation"],
    evidence: ["framing-28 step 41", "vfio-45 step 31"],
  },
  {
    id: "HWP-11",
    statement:
      "On a parent HWPT, only FAULT_ID_VALID may be set, data must be given, and the driver " +
      "must be able to nest.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_nested_alloc"],
    needs: ["hwpt", "nesting"],
    sides: ["success", "violation"],
    evidence: ["vfio-16 step 37"],
  },
  {
    id: "HWP-12",
    statement:
      "A parent must have been allocated by hand, with NEST_PARENT, and for an IOMMU of the " +
      "same driver.",
    errno: "EINVAL",
    basis: { rule: "DT" },
    source: [
      "uapi iommufd.h",
      "hw_pagetable.c iommufd_hwpt_nested_alloc",
      "selftest iommufd.c alloc_hwpt_nested",
    ],
    needs: ["hwpt", "nesting"],
    sides: ["success", "violation"],
  },
  {
    id: "HWP-13",
    statement:
      "Data of a nested HWPT must be of a type that the driver knows (EOPNOTSUPP), of no other " +
      "length than it knows, and readable (EFAULT). 6.12 says EINVAL to more bytes as well, " +
      "even zero ones.",
    errno: "EINVAL",
    basis: { rule: "D", errno: "I" },
    source: [
      "uapi iommufd.h",
      "iommu.h iommu_copy_struct_from_user",
      "selftest.c mock_domain_alloc_user",
    ],
    needs: ["hwpt", "nesting"],
    sides: ["success", "violation"],
    evidence: ["hwpt-2 step 17", "hwpt-8 step 33", "hwpt-6 step 14"],
  },
  {
    id: "HWP-14",
    statement:
      "With FAULT_ID_VALID, fault_id must be a fault queue. That is looked at last, and no " +
      "HWPT is left.",
    errno: "ENOENT",
    basis: { rule: "D", order: "I" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_alloc"],
    needs: ["hwpt", "nesting", "fault-queue"],
    sides: ["success", "violation"],
    evidence: ["hwpt-14 step 17"],
  },
  {
    id: "HWP-15",
    statement: "When the answer cannot be stored, the HWPT is undone.",
    errno: "EFAULT",
    basis: { rule: "I" },
    source: ["hw_pagetable.c iommufd_hwpt_alloc"],
    needs: ["hwpt", "raw-bytes"],
    sides: ["violation"],
  },
  {
    id: "HWP-20",
    statement:
      "A success answers the id of a new HWPT, which is a user of the IOAS or parent it was " +
      "made on: that one cannot be destroyed before.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "hw_pagetable.c", "selftest iommufd.c alloc_hwpt"],
    needs: ["hwpt"],
    sides: ["success"],
  },
  {
    id: "HWP-21",
    statement:
      "When the call returns, a paging HWPT translates everything that is mapped in its IOAS.",
    basis: { rule: "D" },
    source: ["iommufd.rst", "hw_pagetable.c iommufd_hwpt_paging_alloc"],
    needs: ["hwpt"],
    sides: ["success"],
  },
  {
    id: "HWP-22",
    statement: "A device may have any number of HWPTs made for it on the same IOAS.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c alloc_hwpt"],
    needs: ["hwpt"],
    sides: ["success"],
  },
  {
    id: "HWP-23",
    statement:
      "A nested HWPT holds no mappings of the IOAS itself: whoever asks for a paging HWPT does " +
      "not find it.",
    errno: "ENOENT",
    basis: { rule: "T" },
    source: ["hw_pagetable.c iommufd_hwpt_nested_alloc", "selftest iommufd.c alloc_hwpt_nested"],
    needs: ["hwpt", "nesting"],
    sides: ["violation"],
  },
  {
    id: "HWP-24",
    statement: "An HWPT made with DIRTY_TRACKING does not take a device whose IOMMU cannot track.",
    errno: "EINVAL",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c enforce_dirty"],
    needs: ["hwpt", "dirty"],
    sides: ["success", "violation"],
  },
  {
    id: "HWP-25",
    statement: "An HWPT that may be a parent can be attached to like any other.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c alloc_hwpt"],
    needs: ["hwpt", "nesting"],
    sides: ["success"],
  },
  {
    id: "HWP-26",
    statement: "Nesting has two levels: a nested HWPT cannot be a parent.",
    errno: "EINVAL",
    basis: { rule: "T" },
    source: ["selftest iommufd.c alloc_hwpt_nested"],
    needs: ["hwpt", "nesting"],
    sides: ["violation"],
  },
  {
    id: "HWP-27",
    statement: "Whether a device fits an HWPT may show only when it is attached to it.",
    basis: { rule: "I" },
    source: ["device.c iommufd_hw_pagetable_attach"],
    needs: ["hwpt", "mixed-iommus"],
    sides: ["success"],
  },
  {
    id: "HWP-28",
    statement: "After 6.12, a paging HWPT may have a fault queue, but not if it is to be a parent.",
    errno: "EOPNOTSUPP",
    basis: { rule: "I" },
    source: ["hw_pagetable.c (after 6.12)"],
    needs: ["hwpt", "newer-uapi"],
    sides: ["success", "violation"],
  },
  {
    id: "HWP-29",
    statement:
      "A caller that knows only the first 24 bytes of the struct gets an HWPT without data and " +
      "without a fault queue.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: ["hwpt"],
    sides: ["success"],
    evidence: ["framing-6 step 10"],
  },
] as const satisfies readonly Clause[];

/** IOMMU_GET_HW_INFO. */
export const HWI = [
  {
    id: "HWI-01",
    statement: "Flags, and each of the three reserved bytes, must be zero.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "device.c iommufd_get_hw_info"],
    needs: ["hwpt"],
    sides: ["success", "violation"],
  },
  {
    id: "HWI-02",
    statement: "dev_id must be the id of a bound device.",
    errno: "ENOENT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "device.c iommufd_get_hw_info"],
    needs: ["hwpt"],
    sides: ["success", "violation"],
  },
  {
    id: "HWI-03",
    statement:
      "As much of the data as fits is stored, the rest of the caller's buffer is zeroed, and " +
      "data_len says how much the kernel has, which may be more than there was room for.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c get_hw_info"],
    needs: ["hwpt"],
    sides: ["success"],
  },
  {
    id: "HWI-04",
    statement: "A data_len of 0 asks for the rest alone; the pointer is not looked at.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c get_hw_info"],
    needs: ["hwpt"],
    sides: ["success"],
    evidence: ["framing-30 step 16"],
  },
  {
    id: "HWI-05",
    statement: "A buffer that cannot be written to is an error.",
    errno: "EFAULT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "device.c iommufd_get_hw_info"],
    needs: ["hwpt"],
    sides: ["success", "violation"],
    evidence: ["framing-28 step 12"],
  },
  {
    id: "HWI-06",
    statement:
      "For an IOMMU that has nothing to tell, the type is NONE (0), data_len is 0 and the " +
      "buffer is all zeros.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "device.c iommufd_get_hw_info"],
    needs: ["hwpt", "silent-iommu"],
    sides: ["success"],
  },
  {
    id: "HWI-07",
    statement:
      "The lowest bit of out_capabilities is set exactly when the device's IOMMU can track " +
      "dirty pages.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c device_dirty_capability"],
    needs: ["hwpt"],
    sides: ["success"],
  },
  {
    id: "HWI-08",
    statement:
      "The mock driver has type 0xfeedbeef and eight bytes of data: flags 0 and the register " +
      "value 0xdeadbeef.",
    basis: { rule: "T" },
    source: ["selftest.c mock_domain_hw_info", "selftest iommufd.c get_hw_info"],
    needs: ["mock", "hwpt"],
    sides: ["success"],
  },
  {
    id: "HWI-09",
    statement:
      "A caller that knows only the first 32 bytes of the struct is served, without " +
      "out_capabilities.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: ["hwpt"],
    sides: ["success"],
    evidence: ["framing-10 step 45"],
  },
  {
    id: "HWI-10",
    statement: "Asking changes nothing, and asking again gives the same answer.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: ["hwpt"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
