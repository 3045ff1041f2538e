import type { Clause } from "./clause";

/** IOMMU_IOAS_COPY. CPY-01 to CPY-12 are its ladder, in order. */
export const CPY = [
  {
    id: "CPY-01",
    statement: "COPY knows the flags FIXED_IOVA, WRITEABLE and READABLE.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_copy"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "CPY-02",
    statement:
      "None of length, src_iova and dst_iova may be 2^64-1; dst_iova is tested even when its " +
      "value is not used.",
    errno: "EOVERFLOW",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_copy"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "CPY-03",
    statement: "A copy must be READABLE or WRITEABLE or both.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_copy"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "CPY-04",
    statement: "COPY from an id that is no IOAS is refused.",
    errno: "ENOENT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_copy"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "CPY-05",
    statement: "`length` must not be 0.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_get_pages"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "CPY-06",
    statement: "The source range must end at or before IOVA 2^64-1.",
    errno: "EOVERFLOW",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_get_pages"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "CPY-07",
    statement:
      "The whole source range must be mapped, without a hole and without a mapping that is " +
      "being removed.",
    errno: "ENOENT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_get_pages"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "CPY-08",
    statement: "COPY into an id that is no IOAS is refused, after the source was found good.",
    errno: "ENOENT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_copy"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "CPY-09",
    statement:
      "The destination is then judged as by MAP-08 to MAP-12: alignment EINVAL; fixed: EINVAL, " +
      "EOVERFLOW, EINVAL for reserved, EEXIST; automatic: EOVERFLOW, EINVAL, ENOSPC.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_alloc_area_pages"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "CPY-10",
    statement: "A copy can be WRITEABLE only if the MAP that the memory comes from was.",
    errno: "EPERM",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_insert_area", "iommu.c iommu_map"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "CPY-11",
    statement:
      "The page offset of every piece of the copy must be a multiple of the destination's " +
      "alignment, and no piece may end inside a page of an IOMMU that has to map it. (Without " +
      "huge pages a page of the CPU counts as one.) Whether its memory can be pinned shows " +
      "first, a limit that it would exceed does not.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_insert_area"],
    needs: ["device"],
    sides: ["success", "violation"],
  },
  {
    id: "CPY-12",
    statement:
      "If the destination has domains and the pages are not pinned yet, they are pinned now and " +
      "can fail as in MAP: EFAULT, ENOMEM, or EOVERFLOW for memory in the last page of the " +
      "address space.",
    errno: "EFAULT",
    basis: { rule: "I" },
    source: ["pages.c iopt_area_fill_domains"],
    needs: ["device"],
    sides: ["success", "violation"],
    evidence: ["domains-42 step 4"],
  },
  {
    id: "CPY-20",
    statement: "Source and destination may be the same IOAS.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c copy_area"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "CPY-21",
    statement:
      "A copy shares the pages of its source: they are pinned once, and charged once, however " +
      "many copies and domains use them.",
    basis: { rule: "DST" },
    source: [
      "uapi iommufd.h",
      "iommufd.rst",
      "document 001 (iommufd patches, 2022)",
      "document 003 (VFIO adopts iommufd, 2022)",
    ],
    needs: ["page-refs"],
    sides: ["success"],
  },
  {
    id: "CPY-22",
    statement:
      "A copy refers to memory and not to the source mapping: unmapping or destroying the " +
      "source leaves the copy as it was.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c user_copy"],
    needs: ["translate"],
    sides: ["success"],
  },
  {
    id: "CPY-23",
    statement:
      "The rights of a copy do not depend on those of the mapping it was copied from, only on " +
      "the original MAP (CPY-10): from a writeable MAP, a read-only copy can again be copied " +
      "WRITEABLE. READABLE is never refused.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_insert_area"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "CPY-24",
    statement:
      "A source range that is exactly one original mapping must work. 6.12 takes any part of a " +
      "mapping and any run of touching ones as well; elsewhere that is open (UNS-05).",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_get_pages"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "CPY-25",
    statement:
      "A source range over several mappings makes as many mappings in the destination, with the " +
      "same bounds between them; each can be unmapped alone and none in part.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_get_pages"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "CPY-26",
    statement: "src_iova itself need not be aligned; only what results in the destination must be.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_get_pages"],
    needs: ["device"],
    sides: ["success"],
  },
  {
    id: "CPY-27",
    statement:
      "A copy stays tied to the process that made the original MAP, for its memory and for its " +
      "accounting, whichever process calls COPY.",
    basis: { rule: "I" },
    source: ["pages.c iopt_alloc_pages"],
    needs: ["second-process"],
    sides: ["success"],
  },
  {
    id: "CPY-28",
    statement: "A COPY that fails leaves the destination as it was. The source is never changed.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_map_pages"],
    needs: [],
    sides: ["violation"],
  },
  {
    id: "CPY-29",
    statement: "A fixed copy within one IOAS must not overlap its own source.",
    errno: "EEXIST",
    basis: { rule: "D", errno: "T" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_check_iova"],
    needs: [],
    sides: ["violation"],
  },
  {
    id: "CPY-30",
    statement: "On success `dst_iova` is where the copy starts.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "CPY-31",
    statement:
      "If the source pages are pinned, the copy gets those very pages, even when the user " +
      "address no longer leads to them because it was unmapped or its process is gone.",
    basis: { rule: "T" },
    source: ["pages.c pfn_reader_fill_span", "selftest iommufd.c fork_gone"],
    needs: ["translate"],
    sides: ["success"],
  },
  {
    id: "CPY-32",
    statement:
      "The two ids are looked up one after the other, with the source range judged in between: " +
      "with a bad dst_ioas_id, a hole in the source is still ENOENT, and length 0 is EINVAL.",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_copy"],
    needs: [],
    sides: ["violation"],
  },
] as const satisfies readonly Clause[];
