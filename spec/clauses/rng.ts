import type { Clause } from "./clause";

/** IOMMU_IOAS_IOVA_RANGES. */
export const RNG = [
  {
    id: "RNG-01",
    statement: "The reserved field of IOVA_RANGES must be zero.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_iova_ranges"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "RNG-02",
    statement: "IOVA_RANGES on an id that is no IOAS is refused.",
    errno: "ENOENT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_iova_ranges"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "RNG-03",
    statement:
      "The answer covers exactly the IOVAs that nothing reserves. In 6.12 it is ascending and " +
      "the ranges are as long as possible, so that no two touch.",
    basis: { rule: "D", order: "I" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_iova_ranges"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "RNG-04",
    statement:
      "A list of allowed IOVAs does not narrow the answer. The documents promise only that the " +
      "answer is never narrower than that list.",
    basis: { rule: "I" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_iova_ranges"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "RNG-05",
    statement:
      "Mappings do not narrow the answer: it says what can be mapped at all, not what is free.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_iova_ranges"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "RNG-06",
    statement:
      "`num_iovas` comes back as the number of all ranges, however many of them fitted into the " +
      "array.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c iova_ranges"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "RNG-07",
    statement:
      "An array with room for fewer ranges than there are gets the first ones, and the struct " +
      "is written back although the call fails. With room for none the array is not touched and " +
      "may be NULL.",
    errno: "EMSGSIZE",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c iova_ranges"],
    needs: [],
    sides: ["violation"],
  },
  {
    id: "RNG-08",
    statement: "Array elements behind the last range are left untouched.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c iova_ranges"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "RNG-09",
    statement:
      "An element that cannot be stored ends the call without the struct being written back; " +
      "those before it have been stored by then.",
    errno: "EFAULT",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_iova_ranges"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "RNG-10",
    statement:
      "`out_iova_alignment` is the alignment now in force (ALN-01): a power of two from 1 to " +
      "the page size.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "RNG-11",
    statement: "A fresh IOAS answers with the single range from 0 to 2^64-1 and alignment 1.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c iova_ranges"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "RNG-12",
    statement:
      "An IOAS with one device of the mock driver answers with 0x1000000 to 0x7fffffff and an " +
      "alignment of half a page.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c iova_ranges"],
    needs: ["mock"],
    sides: ["success"],
  },
  {
    id: "RNG-13",
    statement:
      "Reservations can leave no range at all; the call then succeeds with num_iovas 0, even " +
      "when it offered no array.",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_iova_ranges"],
    needs: ["mock"],
    sides: ["success"],
  },
  {
    id: "RNG-14",
    statement:
      "Attaching a device can only narrow the answer and detaching one can only widen it; with " +
      "all devices gone it is what it was before the first.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "iommufd.rst"],
    needs: ["device"],
    sides: ["success"],
  },
  {
    id: "RNG-15",
    statement:
      "IOVA_RANGES changes nothing: asked again with nothing in between, it gives the same " +
      "answer.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "RNG-16",
    statement:
      "What the answer says holds for MAP: an aligned fixed mapping of pinnable memory inside " +
      "one range and over no other mapping succeeds, and none that leaves the ranges does " +
      "(MAP-11a).",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_check_iova"],
    needs: ["device"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
