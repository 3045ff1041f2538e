import type { Clause } from "./clause";

/**
 * IOMMU_IOAS_MAP. The first nineteen are its ladder: in 6.12 the first one broken decides the
 * errno; the letter a stands for fixed, b for automatic IOVA.
 */
export const MAP = [
  {
    id: "MAP-01",
    statement:
      "MAP knows the flags FIXED_IOVA, WRITEABLE and READABLE, and its reserved field must be " +
      "zero.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_map"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-02",
    statement:
      "Neither `iova` nor `length` may be 2^64-1; `iova` is tested even when its value is not " +
      "used.",
    errno: "EOVERFLOW",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_map"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-03",
    statement:
      "A mapping must be READABLE or WRITEABLE or both. (Kernels before 6.11 accepted neither.)",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_map"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-04",
    statement: "MAP into an id that is no IOAS is refused.",
    errno: "ENOENT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_map"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-05",
    statement: "`length` must be at least 1 and at most 2^64-1 less one page.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["pages.c iopt_alloc_pages"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-06",
    statement:
      "user_va + length must not reach 2^64, so a buffer that ends with the last byte of the " +
      "address space is refused. One that ends in the last page but earlier passes here and " +
      "fails when it is pinned (MAP-14).",
    errno: "EOVERFLOW",
    basis: { rule: "I" },
    source: ["pages.c iopt_alloc_pages"],
    needs: [],
    sides: ["success", "violation"],
    evidence: ["domains-42 step 4"],
  },
  {
    id: "MAP-07",
    statement: "MAP without memory for its own bookkeeping fails and leaves nothing behind.",
    errno: "ENOMEM",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "pages.c iopt_alloc_pages"],
    needs: ["fault-injection"],
    sides: ["violation"],
  },
  {
    id: "MAP-08",
    statement: "`length` must be a multiple of the alignment in force.",
    errno: "EINVAL",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_alloc_area_pages"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-09a",
    statement: "A fixed `iova` must be a multiple of the alignment in force.",
    errno: "EINVAL",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_check_iova"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-10a",
    statement: "A fixed mapping must end at or before IOVA 2^64-1.",
    errno: "EOVERFLOW",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_check_iova"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-11a",
    statement:
      "A fixed mapping must not contain a reserved IOVA, that is, leave the reported ranges.",
    errno: "EINVAL",
    basis: { rule: "D", errno: "I" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_check_iova"],
    needs: ["device"],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-12a",
    statement:
      "A fixed mapping must not overlap an existing one, not even one that is just being " +
      "unmapped.",
    errno: "EEXIST",
    basis: { rule: "D", errno: "T" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_check_iova", "selftest iommufd.c area"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-09b",
    statement: "With automatic IOVA, `length` must be below half of the address space (2^63-1).",
    errno: "EOVERFLOW",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_alloc_iova"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-10b",
    statement:
      "With automatic IOVA, the alignment that follows from user_va and length (AUT-06) must " +
      "not be smaller than the one in force.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_alloc_iova"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-11b",
    statement: "With automatic IOVA, there must be free room in the usable and allowed ranges.",
    errno: "ENOSPC",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_alloc_iova"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-13",
    statement: "The offset of user_va in its page must be a multiple of the alignment in force.",
    errno: "EINVAL",
    basis: { rule: "T" },
    source: ["io_pagetable.c iopt_insert_area", "selftest iommufd.c ioas_align_change"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-14",
    statement:
      "If the IOAS has a domain, every page must be present or be made so, be ordinary memory, " +
      "and be writable when WRITEABLE is asked for. A buffer that ends in the last page of the " +
      "address space gets EOVERFLOW instead.",
    errno: "EFAULT",
    basis: { rule: "ST" },
    source: [
      "document 003 (VFIO adopts iommufd, 2022)",
      "pages.c pfn_reader_user_pin",
      "selftest iommufd.c basic",
    ],
    needs: ["device"],
    sides: ["success", "violation"],
    evidence: ["domains-42 step 4"],
  },
  {
    id: "MAP-15",
    statement:
      "If the pages are pinned now, they must fit into what the locked memory limit leaves.",
    errno: "ENOMEM",
    basis: { rule: "I" },
    source: ["pages.c iopt_pages_update_pinned"],
    needs: ["memlimit", "privilege"],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-16",
    statement:
      "MAP for which the IOMMU driver finds no memory fails with ENOMEM, or with what that " +
      "driver says, and leaves nothing behind.",
    errno: "ENOMEM",
    basis: { rule: "I" },
    source: ["pages.c batch_to_domain"],
    needs: ["fault-injection"],
    sides: ["violation"],
  },
  {
    id: "MAP-20",
    statement:
      "On success `iova` is where the mapping starts; with FIXED_IOVA that is the IOVA asked " +
      "for.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "MAP-21",
    statement:
      "A MAP that fails leaves no mapping, no pin and no charge, and does not write `iova`.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_map_user_pages"],
    needs: [],
    sides: ["violation"],
  },
  {
    id: "MAP-22",
    statement:
      "While an IOAS has no domain, nothing is pinned and user_va is not looked at: an address " +
      "without memory can be mapped.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c area_auto_iova"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "MAP-23",
    statement:
      "If the IOAS has domains, then on return every byte is pinned and each domain translates " +
      "iova + i to the memory at user_va + i.",
    basis: { rule: "D" },
    source: ["iommufd.rst", "selftest iommufd.c basic"],
    needs: ["translate"],
    sides: ["success"],
  },
  {
    id: "MAP-24",
    statement:
      "With alignment 1 a mapping can start at any byte and have any length, down to a single " +
      "byte.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c ioas_iova_alloc"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "MAP-25",
    statement: "A fixed mapping may start at IOVA 0.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c copy_area"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "MAP-26",
    statement:
      "A fixed mapping may end with IOVA 2^64-1, although it may not start there (MAP-02).",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_map", "io_pagetable.c iopt_check_iova"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "MAP-27",
    statement:
      "Two MAPs of the same user memory know nothing of each other: where both need its pages, " +
      "both pin them.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "pages.c iopt_alloc_pages"],
    needs: ["page-refs"],
    sides: ["success"],
  },
  {
    id: "MAP-28",
    statement:
      "A MAP that fails at some page takes back the pins and translations of all pages before " +
      "it.",
    errno: "EFAULT",
    basis: { rule: "T" },
    source: ["selftest iommufd.c basic"],
    needs: ["page-refs"],
    sides: ["violation"],
  },
  {
    id: "MAP-29",
    statement:
      "Mappings that touch stay separate: each can be unmapped alone, within its own bounds.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "MAP-30",
    statement:
      "A device keeps reaching the pages that were pinned, whatever the process unmaps or maps " +
      "at user_va afterwards; memory is looked up anew only where nothing was pinned.",
    basis: { rule: "ST" },
    source: ["document 001 (iommufd patches, 2022)", "selftest iommufd.c basic"],
    needs: ["translate"],
    sides: ["success"],
  },
  {
    id: "MAP-31",
    statement:
      "A mapping that is only READABLE keeps showing the process's own page when private memory " +
      "is written later: the page is unshared when it is pinned.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c ro_unshare"],
    needs: ["dma", "dma-result"],
    sides: ["success"],
  },
  {
    id: "MAP-32",
    statement: "Without FIXED_IOVA the value of `iova` does not matter (but for MAP-02).",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "MAP-33",
    statement:
      "A mapping made by another process that shares the iommufd uses the memory of that " +
      "process. If it exits before its pages were pinned, a later attach fails; pages already " +
      "pinned stay good.",
    errno: "EFAULT",
    basis: { rule: "T" },
    source: ["selftest iommufd.c fork_gone", "selftest iommufd.c fork_present"],
    needs: ["second-process"],
    sides: ["success", "violation"],
  },
  {
    id: "MAP-34",
    statement:
      "Two threads that map disjoint IOVAs do not disturb each other; of two that map " +
      "overlapping ones exactly one succeeds.",
    errno: "EEXIST",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_alloc_area_pages"],
    needs: ["concurrency"],
    sides: ["success", "violation"],
  },
] as const satisfies readonly Clause[];
