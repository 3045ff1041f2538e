import type { Clause } from "./clause";

/** IOMMU_IOAS_MAP_FILE, which 6.12 does not have. */
export const MFL = [
  {
    id: "MFL-01",
    statement:
      "MAP_FILE fails as MAP does, and has EBADF for a file that is not open between the check " +
      "of its range and those of the place; the offset into the file stands for user_va.",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_map_file (after 6.12)"],
    needs: ["newer-uapi"],
    sides: ["success", "violation"],
  },
  {
    id: "MFL-02",
    statement:
      "The file must be a memfd or of shared or huge-page memory; of any other, nothing can be " +
      "pinned.",
    errno: "EINVAL",
    basis: { rule: "D" },
    source: ["uapi iommufd.h (after 6.12)"],
    needs: ["newer-uapi"],
    sides: ["success", "violation"],
  },
  {
    id: "MFL-03",
    statement:
      "A mapping of a file belongs to no process: it outlives exit and exec, and can be copied.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h (after 6.12)"],
    needs: ["newer-uapi"],
    sides: ["success"],
  },
  {
    id: "MFL-04",
    statement:
      "Mapping a file writeable that is not open for writing, or sealed, ought to be refused; " +
      "kernels have forgotten to.",
    errno: "EPERM",
    basis: { rule: "I" },
    source: ["pages.c (after 6.12)"],
    needs: ["newer-uapi"],
    sides: ["violation"],
  },
] as const satisfies readonly Clause[];

/** IOMMU_IOAS_CHANGE_PROCESS, which 6.12 does not have. */
export const CHP = [
  {
    id: "CHP-01",
    statement: "The reserved word of CHANGE_PROCESS must be zero.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h (after 6.12)"],
    needs: ["newer-uapi"],
    sides: ["success", "violation"],
  },
  {
    id: "CHP-02",
    statement: "If any mapping of the context was not made by MAP_FILE, nothing changes.",
    errno: "EINVAL",
    basis: { rule: "D" },
    source: ["uapi iommufd.h (after 6.12)"],
    needs: ["newer-uapi"],
    sides: ["success", "violation"],
  },
  {
    id: "CHP-03",
    statement:
      "The charge for what is pinned moves to the calling process; if its limit does not allow " +
      "that, nothing changes.",
    errno: "ENOMEM",
    basis: { rule: "D" },
    source: ["uapi iommufd.h (after 6.12)"],
    needs: ["newer-uapi", "memlimit"],
    sides: ["success", "violation"],
  },
  {
    id: "CHP-04",
    statement: "Memory that several mappings share is moved once.",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_change_process (after 6.12)"],
    needs: ["newer-uapi", "memlimit"],
    sides: ["success"],
  },
  {
    id: "CHP-05",
    statement:
      "Without accounting there is nothing to move, and for the process that has the charge " +
      "already nothing to do: both succeed.",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_change_process (after 6.12)"],
    needs: ["newer-uapi"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
