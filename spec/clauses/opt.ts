import type { Clause } from "./clause";

/** IOMMU_OPTION. */
export const OPT = [
  {
    id: "OPT-01",
    statement: "The reserved field of OPTION must be zero.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "main.c iommufd_option"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "OPT-02",
    statement: "There are the options RLIMIT_MODE and HUGE_PAGES and no others.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "main.c iommufd_option"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "OPT-03",
    statement: "RLIMIT_MODE belongs to the whole iommufd, so object_id must be 0.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D", errno: "I" },
    source: ["uapi iommufd.h", "ioas.c iommufd_option_rlimit_mode"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "OPT-04",
    statement:
      "GET of RLIMIT_MODE answers 0 for accounting by user and 1 by process. A new iommufd has " +
      "0, or 1 if it was opened through the VFIO container's node.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "main.c iommufd_fops_open", "selftest iommufd.c global_options"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "OPT-05",
    statement: "SET of RLIMIT_MODE needs CAP_SYS_RESOURCE.",
    errno: "EPERM",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_option_rlimit_mode"],
    needs: ["privilege"],
    sides: ["success", "violation"],
  },
  {
    id: "OPT-06",
    statement:
      "SET of RLIMIT_MODE is possible only while the iommufd has no object at all; this is " +
      "looked at before the value.",
    errno: "EBUSY",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_option_rlimit_mode"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "OPT-07",
    statement: "RLIMIT_MODE can be set to 0 or 1 only.",
    errno: "EINVAL",
    basis: { rule: "T" },
    source: ["ioas.c iommufd_option_rlimit_mode", "selftest iommufd.c global_options"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "OPT-08",
    statement: "RLIMIT_MODE knows the operations SET and GET only.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_option_rlimit_mode"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "OPT-09",
    statement:
      "HUGE_PAGES belongs to an IOAS: an object_id that is none is refused, before operation " +
      "and value are looked at.",
    errno: "ENOENT",
    basis: { rule: "T" },
    source: ["ioas.c iommufd_ioas_option", "selftest iommufd.c ioas_option_huge_pages"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "OPT-10",
    statement:
      "GET of HUGE_PAGES answers whether large pages are on, which they are in a new IOAS.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c ioas_option_huge_pages"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "OPT-11",
    statement: "HUGE_PAGES can be set to 0 or 1 only.",
    errno: "EINVAL",
    basis: { rule: "T" },
    source: ["ioas.c iommufd_ioas_option", "selftest iommufd.c ioas_option_huge_pages"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "OPT-12",
    statement:
      "Turning large pages off where they are off succeeds, even with domains and mappings.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_disable_large_pages"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "OPT-13",
    statement: "Large pages cannot be turned off while the IOAS has both a domain and a mapping.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_disable_large_pages"],
    needs: ["device"],
    sides: ["success", "violation"],
  },
  {
    id: "OPT-14",
    statement:
      "Turning large pages off raises the alignment to a page, so every mapping must have an " +
      "aligned iova, length and page offset; otherwise the option stays as it was.",
    errno: "EADDRINUSE",
    basis: { rule: "T" },
    source: ["io_pagetable.c iopt_disable_large_pages", "selftest iommufd.c ioas_align_change"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "OPT-15",
    statement:
      "Turning large pages on always succeeds, and the alignment falls to what is still needed.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_enable_large_pages"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "OPT-16",
    statement: "HUGE_PAGES knows the operations SET and GET only.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "ioas.c iommufd_ioas_option"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "OPT-17",
    statement:
      "With large pages off, domains are filled with single pages. What they translate is the " +
      "same.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: ["translate"],
    sides: ["success"],
  },
  {
    id: "OPT-18",
    statement:
      "Only val64 is written back, for both operations, and nothing is when the call fails.",
    basis: { rule: "I" },
    source: ["main.c iommufd_option"],
    needs: ["raw-bytes"],
    sides: ["success"],
  },
  {
    id: "OPT-19",
    statement: "Turning large pages on leaves existing translations as they are.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_enable_large_pages"],
    needs: ["translate"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];

/** IOMMU_VFIO_IOAS. */
export const VFI = [
  {
    id: "VFI-01",
    statement: "The reserved field of VFIO_IOAS must be zero, and its operation GET, SET or CLEAR.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "vfio_compat.c iommufd_vfio_ioas"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "VFI-02",
    statement: "GET answers the id of the compat IOAS, and is refused while none is registered.",
    errno: "ENODEV",
    basis: { rule: "T" },
    source: ["vfio_compat.c iommufd_vfio_ioas", "selftest iommufd.c vfio_ioas"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "VFI-03",
    statement:
      "SET of an id that is no IOAS is refused. A registered IOAS is not held: it can still be " +
      "destroyed (DES-07).",
    errno: "ENOENT",
    basis: { rule: "T" },
    source: ["vfio_compat.c iommufd_vfio_ioas", "selftest iommufd.c vfio_ioas"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "VFI-04",
    statement: "CLEAR always succeeds, and the IOAS lives on.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "VFI-05",
    statement: "GET, SET and CLEAR change nothing for devices that are attached.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: ["device"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
