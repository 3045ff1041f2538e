import type { Clause } from "./clause";

/** IOMMU_HWPT_INVALIDATE. */
export const INV = [
  {
    id: "INV-01",
    statement: "The reserved word must be zero. entry_num answers 0.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_invalidate"],
    needs: ["mock", "nesting"],
    sides: ["success", "violation"],
    evidence: ["hwpt-18 step 7"],
  },
  {
    id: "INV-02",
    statement:
      "If there are entries, there must be a pointer and an entry_len. 6.12 also bounds both: " +
      "an entry is at most a page long, and there are at most 2^19 of them. entry_num answers " +
      "0.",
    errno: "EINVAL",
    basis: { rule: "DT" },
    source: [
      "uapi iommufd.h",
      "hw_pagetable.c iommufd_hwpt_invalidate",
      "selftest iommufd.c alloc_hwpt_nested",
    ],
    needs: ["mock", "nesting"],
    sides: ["success", "violation"],
    evidence: ["hwpt-17 step 19"],
  },
  {
    id: "INV-03",
    statement: "hwpt_id must be a nested HWPT. entry_num answers 0.",
    errno: "ENOENT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_invalidate"],
    needs: ["mock", "nesting"],
    sides: ["success", "violation"],
    evidence: ["hwpt-2 step 52"],
  },
  {
    id: "INV-04",
    statement:
      "Without entries the call tells whether the driver knows data_type: it succeeds if so. " +
      "The mock driver says EINVAL to a type that it does not know.",
    errno: "EINVAL",
    basis: { rule: "DT" },
    source: [
      "uapi iommufd.h",
      "selftest.c mock_domain_cache_invalidate_user",
      "selftest iommufd.c alloc_hwpt_nested",
    ],
    needs: ["mock", "nesting"],
    sides: ["success", "violation"],
    evidence: ["hwpt-8 step 18", "hwpt-19 step 35"],
  },
  {
    id: "INV-05",
    statement:
      "Entries are carried out in order up to the first bad one, whose errno is the call's. " +
      "The mock driver: EOPNOTSUPP for an unknown flag, EINVAL for a slot above 3 and for any " +
      "entry_len but its own, EFAULT for an entry that cannot be read.",
    basis: { rule: "DT" },
    source: [
      "uapi iommufd.h",
      "selftest.c mock_domain_cache_invalidate_user",
      "selftest iommufd.c alloc_hwpt_nested",
    ],
    needs: ["mock", "nesting"],
    sides: ["success", "violation"],
    evidence: ["hwpt-4 step 16", "hwpt-18 step 24", "hwpt-19 step 45"],
  },
  {
    id: "INV-06",
    statement:
      "The struct is always written back: entry_num says how many entries were carried out, " +
      "also when the call fails. (EFAULT if it cannot be stored.)",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "hw_pagetable.c iommufd_hwpt_invalidate"],
    needs: ["mock", "nesting"],
    sides: ["success", "violation"],
    evidence: ["hwpt-18 step 24"],
  },
  {
    id: "INV-07",
    statement:
      "An entry of the mock driver sets the IOTLB slot of its number to zero, or all four of " +
      "them if its flag 1 is set.",
    basis: { rule: "T" },
    source: [
      "selftest.c mock_domain_cache_invalidate_user",
      "selftest iommufd.c alloc_hwpt_nested",
    ],
    needs: ["mock", "nesting"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];

/** Page faults that user space answers. */
export const FLT = [
  {
    id: "FLT-01",
    statement: "FAULT_QUEUE_ALLOC has no flags.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "fault.c iommufd_fault_alloc"],
    needs: ["fault-queue"],
    sides: ["success", "violation"],
    evidence: ["hwpt-23 step 11"],
  },
  {
    id: "FLT-02",
    statement:
      "A success answers an id and an open file. The queue cannot be destroyed while that file " +
      "is open or an HWPT uses it.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "fault.c iommufd_fault_alloc"],
    needs: ["fault-queue"],
    sides: ["success"],
  },
  {
    id: "FLT-03",
    statement:
      "A read takes whole groups of faults, as many as fit, and leaves the others; 0 bytes if " +
      "there are none. A count that is no multiple of 40 is ESPIPE, one that the first group " +
      "does not fit into EINVAL. (A larger count than 0x7ffff000 counts as that one.)",
    basis: { rule: "I" },
    source: ["fault.c iommufd_fault_fops_read"],
    needs: ["mock", "hwpt", "nesting", "fault-queue"],
    sides: ["success", "violation"],
    evidence: ["hwpt-4 step 36", "hwpt-17 step 26"],
  },
  {
    id: "FLT-04",
    statement:
      "A write answers faults by their cookies. A count that is no multiple of 8 is ESPIPE. An " +
      "unknown code or cookie ends it: what was taken before counts, and if that is nothing it " +
      "is EINVAL. (A larger count than 0x7ffff000 counts as that one.)",
    basis: { rule: "I" },
    source: ["fault.c iommufd_fault_fops_write"],
    needs: ["mock", "hwpt", "nesting", "fault-queue"],
    sides: ["success", "violation"],
    evidence: ["hwpt-6 step 18", "hwpt-46 step 27"],
  },
  {
    id: "FLT-05",
    statement:
      "The file of a queue can always be written to, and read from exactly when a fault waits " +
      "in it.",
    basis: { rule: "I" },
    source: ["fault.c iommufd_fault_fops_poll"],
    needs: ["mock", "hwpt", "nesting", "fault-queue"],
    sides: ["success"],
  },
  {
    id: "FLT-06",
    statement:
      "A fault names its device by id and its address as the device gave it, has a cookie that no " +
      "fault has which waits for its answer, and the last one of its group says so. (6.12 gives " +
      "out 0 as well, once 0 was answered to while another fault waited.)",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: ["mock", "hwpt", "nesting", "fault-queue"],
    sides: ["success"],
  },
  {
    id: "FLT-07",
    statement:
      "When a device leaves an HWPT, by detach or by replace, its open faults are answered " +
      "INVALID for it, and their cookies are gone.",
    basis: { rule: "I" },
    source: ["fault.c iommufd_auto_response_faults"],
    needs: ["mock", "hwpt", "nesting", "fault-queue"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
