import type { Clause } from "./clause";

/** IOMMU_IOAS_ALLOC. */
export const IAL = [
  {
    id: "IAL-01",
    statement: "IOAS_ALLOC knows no flags.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_alloc_ioctl"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "IAL-02",
    statement:
      "A new IOAS is empty, has alignment 1, large pages on, no list of allowed IOVAs, and one " +
      "usable range from 0 to 2^64-1.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_init_table", "selftest iommufd.c iova_ranges"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "IAL-03",
    statement:
      "When the new id cannot be stored in user memory, the IOAS is discarded and its id is " +
      "free again.",
    errno: "EFAULT",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_alloc_ioctl"],
    needs: ["raw-bytes"],
    sides: ["violation"],
  },
  {
    id: "IAL-04",
    statement:
      "IOAS_ALLOC without memory fails and leaves nothing behind. (EBUSY would mean that the " +
      "u32 ids are used up.)",
    errno: "ENOMEM",
    basis: { rule: "I" },
    source: ["main.c _iommufd_object_alloc"],
    needs: ["fault-injection"],
    sides: ["violation"],
  },
  {
    id: "IAL-05",
    statement: "An iommufd may hold any number of IOASs: one more can be made while others exist.",
    basis: { rule: "D" },
    source: ["iommufd.rst"],
    needs: [],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
