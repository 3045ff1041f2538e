import type { Clause } from "./clause";

/** The alignment that an IOAS asks of its mappings. */
export const ALN = [
  {
    id: "ALN-01",
    statement:
      "The alignment of an IOAS is the largest of: 1, the page size if large pages are off, the " +
      "smallest IOMMU page of each of its domains, and the page size if an attached in-kernel " +
      "user pins pages.",
    basis: { rule: "I" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_calculate_iova_alignment"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "ALN-02",
    statement:
      "A domain whose smallest page is larger than a page of the CPU cannot be added to an " +
      "IOAS.",
    errno: "EINVAL",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_table_add_domain"],
    needs: ["large-iommu-page"],
    sides: ["success", "violation"],
  },
  {
    id: "ALN-03",
    statement:
      "What would raise the alignment is refused while a mapping has an iova, length or page " +
      "offset that does not conform.",
    errno: "EADDRINUSE",
    basis: { rule: "T" },
    source: ["io_pagetable.c iopt_check_iova_alignment", "selftest iommufd.c ioas_align_change"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "ALN-04",
    statement:
      "A domain, an in-kernel user that pins, and turning large pages off are checked against " +
      "ALN-03; the one refused leaves the alignment as it was.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_check_iova_alignment"],
    needs: [],
    sides: ["violation"],
  },
  {
    id: "ALN-05",
    statement: "The alignment falls as soon as what raised it is gone.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_table_remove_domain"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "ALN-06",
    statement:
      "After a domain was added, the alignment is what it would be had it been computed anew " +
      "from all that is there.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_table_add_domain"],
    needs: ["device"],
    sides: ["success"],
  },
  {
    id: "ALN-07",
    statement: "The alignment binds iova, length and page offset in MAP and COPY; UNMAP is exempt.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_alloc_area_pages", "io_pagetable.c iopt_insert_area"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "ALN-08",
    statement:
      "An in-kernel user that does not pin raises no alignment, and may read and write at any " +
      "byte.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c access_rw_unaligned"],
    needs: ["access"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
