import type { Clause } from "./clause";

/** Automatic choice of an IOVA, for MAP and COPY. */
export const AUT = [
  {
    id: "AUT-01",
    statement:
      "An automatic IOVA lies with its whole length in one usable range and, if there is a list " +
      "of allowed IOVAs, in their union. 6.12 joins allowed ranges that touch.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "lib interval_tree.c", "selftest iommufd.c area_allowed"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "AUT-02",
    statement: "An automatic IOVA overlaps no existing mapping.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "AUT-03",
    statement: "An automatic IOVA is a multiple of the alignment in force.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "AUT-04",
    statement:
      "6.12 never chooses IOVA 0: it searches from one page above 0 to one page below 2^64-1. " +
      "Elsewhere this is open (UNS-16).",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_alloc_iova"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "AUT-05",
    statement:
      "The bits of user_va's offset in its page are all set in an automatic IOVA. They need not " +
      "be the only ones below a page: where the free room starts inside a page, more can be " +
      "set.",
    basis: { rule: "I" },
    source: ["io_pagetable.c __alloc_iova_check_range"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "AUT-06",
    statement:
      "6.12 aligns an automatic IOVA to length rounded up to a power of two, but to no more " +
      "than the lowest set bit of user_va (if it has any) and the size of a huge page, and then " +
      "sets the offset bits (AUT-05).",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_alloc_iova"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "AUT-07",
    statement:
      "Take the largest power of two that divides length: an automatic IOVA for a user_va which " +
      "it divides too is divided by it as well, unless it is more than a huge page.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c area_auto_iova"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "AUT-08",
    statement:
      "Which of the fitting IOVAs is chosen is open: any that keeps AUT-01 to AUT-03 and AUT-07 " +
      "is right. 6.12 takes the lowest that its own rules allow.",
    basis: { rule: "U" },
    source: ["io_pagetable.c iopt_alloc_iova"],
    needs: [],
    sides: [],
  },
  {
    id: "AUT-09",
    statement:
      "Where room is left but none of it fits under the chosen alignment, 6.12 gives up. An " +
      "implementation that finds a place there is not wrong elsewhere (UNS-03).",
    errno: "ENOSPC",
    basis: { rule: "I" },
    source: ["io_pagetable.c __alloc_iova_check_range"],
    needs: [],
    sides: ["violation"],
  },
  {
    id: "AUT-10",
    statement:
      "6.12 never places a mapping of one byte into free room of a single byte, or onto the " +
      "last byte of the room it looks at. It looks on, and says ENOSPC when nothing else is " +
      "left.",
    basis: { rule: "I" },
    source: ["io_pagetable.c __alloc_iova_check_range"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "AUT-11",
    statement:
      "Aligning upwards near the top of the address space must not wrap around to a low IOVA; " +
      "such room counts as too small.",
    errno: "ENOSPC",
    basis: { rule: "I" },
    source: ["io_pagetable.c __alloc_iova_check_range"],
    needs: [],
    sides: ["violation"],
  },
  {
    id: "AUT-12",
    statement:
      "6.12 answers the same request in the same state with the same IOVA; nobody promises " +
      "that.",
    basis: { rule: "U" },
    source: ["io_pagetable.c iopt_alloc_iova"],
    needs: [],
    sides: [],
  },
  {
    id: "AUT-13",
    statement:
      "For COPY the automatic IOVA is chosen as if for a MAP of the user address at which the " +
      "first source page range starts.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_alloc_area_pages"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "AUT-14",
    statement:
      "With automatic IOVA the faults are found in this order: length not aligned (EINVAL), too " +
      "long (EOVERFLOW), derived alignment too small (EINVAL), no room (ENOSPC).",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_alloc_area_pages"],
    needs: [],
    sides: ["violation"],
  },
  {
    id: "AUT-15",
    statement:
      "IOVAs that become reserved between two automatic mappings are avoided by the second.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c area_auto_iova"],
    needs: ["mock"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
