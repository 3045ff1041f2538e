import type { Clause } from "./clause";

/** IOMMU_IOAS_ALLOW_IOVAS. */
export const ALW = [
  {
    id: "ALW-01",
    statement: "The reserved field of ALLOW_IOVAS must be zero.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_allow_iovas"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "ALW-02",
    statement: "ALLOW_IOVAS on an id that is no IOAS is refused.",
    errno: "ENOENT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_allow_iovas"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "ALW-03",
    statement: "The elements are read in order, and one that cannot be read ends the call.",
    errno: "EFAULT",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_load_iovas"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "ALW-04",
    statement:
      "Each element must start before its last byte. 6.12 thereby refuses ranges of a single " +
      "byte too, which elsewhere is open (UNS-14).",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_load_iovas"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "ALW-05",
    statement:
      "No two elements of one call may overlap. Elements that touch are fine and act as one " +
      "range.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_load_iovas"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "ALW-06",
    statement:
      "An element that contains a reserved IOVA is refused: the usable ranges are already " +
      "narrower than asked for.",
    errno: "EADDRINUSE",
    basis: { rule: "DT" },
    source: [
      "uapi iommufd.h",
      "io_pagetable.c iopt_set_allow_iova",
      "selftest iommufd.c area_allowed",
    ],
    needs: ["device"],
    sides: ["success", "violation"],
  },
  {
    id: "ALW-07",
    statement: "When ALLOW_IOVAS fails, the old list stays in force as a whole.",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_allow_iovas"],
    needs: [],
    sides: ["violation"],
  },
  {
    id: "ALW-08",
    statement:
      "A successful call replaces the whole list; one with num_iovas 0 removes it and does not " +
      "look at the pointer.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c area_allowed"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "ALW-09",
    statement: "Nothing is written back, although num_iovas is described as input and output.",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_allow_iovas"],
    needs: ["raw-bytes"],
    sides: ["success"],
  },
  {
    id: "ALW-10",
    statement: "The list limits automatic IOVAs only; a fixed mapping outside of it succeeds.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_check_iova"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "ALW-11",
    statement: "Mappings that already lie outside a new list stay as they are.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_set_allow_iova"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "ALW-12",
    statement: "While an IOVA is on the list, an attach that would reserve it is refused.",
    errno: "EADDRINUSE",
    basis: { rule: "DT" },
    source: [
      "uapi iommufd.h",
      "io_pagetable.c iopt_reserve_iova",
      "selftest iommufd.c area_allowed",
    ],
    needs: ["device"],
    sides: ["success", "violation"],
  },
  {
    id: "ALW-13",
    statement:
      "All elements are read and judged by themselves before any is compared with reservations: " +
      "a malformed element wins over an earlier one that is reserved.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_allow_iovas"],
    needs: ["device"],
    sides: ["violation"],
  },
  {
    id: "ALW-14",
    statement: "Removing the list always works, and what it held back can then be reserved.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
