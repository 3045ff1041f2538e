import type { Clause } from "./clause";

/** Framing of native commands, and what all of them have in common. */
export const GEN = [
  {
    id: "GEN-01",
    statement:
      "A native command's number is 0x3B00 plus its index; the direction and size bits of the " +
      "ioctl encoding are zero for every one of them.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: ["raw-bytes"],
    sides: ["success"],
  },
  {
    id: "GEN-02",
    statement:
      "The commands of 6.12 have the indices 0x80 (DESTROY) to 0x8E (FAULT_QUEUE_ALLOC), and " +
      "0xA0 for the selftest driver. Not judged by itself: a wrong number shows as GEN-06.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: [],
  },
  {
    id: "GEN-03",
    statement:
      "An index below 0x80 is looked up among the VFIO container commands by the whole command " +
      "word; one that is not there is refused without the argument being touched.",
    errno: "ENOTTY",
    basis: { rule: "DT", order: "I" },
    source: ["uapi iommufd.h", "main.c iommufd_fops_ioctl", "vfio_compat.c iommufd_vfio_ioctl"],
    needs: ["raw-bytes"],
    sides: ["violation"],
  },
  {
    id: "GEN-04",
    statement: "An index past the last native command is refused in the same way.",
    errno: "ENOTTY",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "main.c iommufd_fops_ioctl"],
    needs: ["raw-bytes"],
    sides: ["violation"],
  },
  {
    id: "GEN-05",
    statement:
      "For an index inside the native table the leading `size` word is fetched first, so an " +
      "argument that cannot be read is reported before anything else.",
    errno: "EFAULT",
    basis: { rule: "T" },
    source: ["main.c iommufd_fops_ioctl", "selftest iommufd.c cmd_fail"],
    needs: ["raw-bytes"],
    sides: ["success", "violation"],
  },
  {
    id: "GEN-06",
    statement:
      "The whole command word must be the one of the table: a known index with another type " +
      "byte or with direction or size bits, and an index that has no command, are refused.",
    errno: "ENOTTY",
    basis: { rule: "D", order: "I" },
    source: ["uapi iommufd.h", "main.c iommufd_fops_ioctl"],
    needs: ["raw-bytes"],
    sides: ["success", "violation"],
  },
  {
    id: "GEN-07",
    statement:
      "`size` must reach the smallest size that the command ever had; this is checked before " +
      "any byte behind it.",
    errno: "EINVAL",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c cmd_length"],
    needs: ["raw-bytes"],
    sides: ["success", "violation"],
  },
  {
    id: "GEN-08",
    statement:
      "Between the smallest and the full size, the fields that the caller left out act as zero.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "lib copy_struct_from_user"],
    needs: ["raw-bytes"],
    sides: ["success"],
  },
  {
    id: "GEN-09",
    statement:
      "A `size` beyond the full one changes nothing as long as every surplus byte is zero: the " +
      "command ends the same way, with the same errno if it fails.",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c cmd_length"],
    needs: ["raw-bytes"],
    sides: ["success"],
  },
  {
    id: "GEN-10",
    statement:
      "A surplus byte that is not zero is refused before any field is judged, even when an id " +
      "is wrong as well.",
    errno: "E2BIG",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "selftest iommufd.c cmd_ex_fail"],
    needs: ["raw-bytes"],
    sides: ["success", "violation"],
  },
  {
    id: "GEN-11",
    statement:
      "The surplus is read before the known part is copied, and surplus that cannot be read is " +
      "refused.",
    errno: "EFAULT",
    basis: { rule: "I" },
    source: ["lib copy_struct_from_user"],
    needs: ["raw-bytes"],
    sides: ["success", "violation"],
  },
  {
    id: "GEN-12",
    statement: "`size` has no upper limit; in particular it may exceed a page.",
    basis: { rule: "I" },
    source: ["main.c iommufd_fops_ioctl"],
    needs: ["raw-bytes"],
    sides: ["success"],
  },
  {
    id: "GEN-13",
    statement:
      "A command that answers writes back exactly as many bytes as caller and kernel both know; " +
      "bytes beyond the full size stay as they were.",
    basis: { rule: "I" },
    source: ["iommufd_private.h iommufd_ucmd_respond"],
    needs: ["raw-bytes"],
    sides: ["success"],
  },
  {
    id: "GEN-14",
    statement:
      "What is written back carries the inputs unchanged; only documented outputs may differ " +
      "from what was sent.",
    basis: { rule: "I" },
    source: ["iommufd_private.h iommufd_ucmd_respond"],
    needs: ["raw-bytes"],
    sides: ["success"],
  },
  {
    id: "GEN-15",
    statement:
      "A failing command writes nothing back. Exceptions: IOVA_RANGES with EMSGSIZE, the " +
      "elements it stored before EFAULT, HWPT_INVALIDATE's entry_num, the size of a VFIO " +
      "unmap, and what VFIO_IOMMU_GET_INFO stored before it ran out of memory.",
    basis: { rule: "I" },
    source: [
      "ioas.c iommufd_ioas_iova_ranges",
      "hw_pagetable.c iommufd_hwpt_invalidate",
      "vfio_compat.c iommufd_vfio_unmap_dma",
    ],
    needs: [],
    sides: ["violation"],
  },
  {
    id: "GEN-16",
    statement:
      "When the answer itself cannot be stored, a command that creates an object undoes it " +
      "completely, while MAP, COPY, UNMAP and OPTION have taken effect and stay so.",
    errno: "EFAULT",
    basis: { rule: "I" },
    source: ["ioas.c iommufd_ioas_alloc_ioctl", "ioas.c iommufd_ioas_map", "main.c iommufd_option"],
    needs: ["raw-bytes"],
    sides: ["violation"],
  },
  {
    id: "GEN-17",
    statement:
      "A reserved field that is not zero is refused, before any id is looked up (6.12 does not " +
      "look at it in SET_DIRTY_TRACKING and in HWPT_ALLOC's second one). Judged call by call: " +
      "MAP-01, RNG-01, ALW-01, OPT-01, VFI-01, HWP-01, HWI-01, DTY-10, INV-01.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: [],
  },
  {
    id: "GEN-18",
    statement:
      "A flag, option or operation that is not known is refused as unsupported. Judged call by " +
      "call: IAL-01, MAP-01, CPY-01, OPT-02, OPT-08, OPT-16, VFI-01, HWP-07, HWI-01, DTY-01, " +
      "DTY-10, FLT-01.",
    errno: "EOPNOTSUPP",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: [],
  },
  {
    id: "GEN-19",
    statement:
      "An id that names no object, or one of a kind the call does not take, is reported as " +
      "missing. Calls with a clause of their own for it go by that; this one remains for the " +
      "mock device of a replace.",
    errno: "ENOENT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "main.c iommufd_get_object"],
    needs: ["mock"],
    sides: ["success", "violation"],
  },
  {
    id: "GEN-20",
    statement:
      "Errnos have fixed meanings: ENOTTY unknown command, E2BIG surplus, EOPNOTSUPP known " +
      "field with an unsupported value, EINVAL understood but wrong, ENOENT id or IOVA missing, " +
      "ENOMEM no memory, EOVERFLOW arithmetic. A summary: every errno is judged by the clause " +
      "of its call.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: [],
  },
  {
    id: "GEN-21",
    statement:
      "A native command returns 0 when it succeeds; only VFIO container commands can return a " +
      "positive value. Not judged by itself: a history holds errnos, not return values.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: [],
    sides: [],
  },
  {
    id: "GEN-22",
    statement:
      "Each open of /dev/iommu is a world of its own: ids, options and the compat IOAS of one " +
      "are invisible to another. A duplicated, inherited or passed fd is the same world.",
    basis: { rule: "DS" },
    source: ["iommufd.rst", "document 003 (VFIO adopts iommufd, 2022)", "main.c iommufd_fops_open"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "GEN-23",
    statement:
      "A command means the memory of whoever makes it, and what it maps stays memory of that " +
      "process. Who opened the iommufd plays no part.",
    basis: { rule: "T" },
    source: ["pages.c iopt_alloc_pages", "selftest iommufd.c fork_present"],
    needs: ["second-process"],
    sides: ["success"],
  },
  {
    id: "GEN-24",
    statement:
      "A 32-bit process gets no service in 6.12, although the structs have the same layout " +
      "there. Nothing in this harness can make a 32-bit call.",
    errno: "ENOTTY",
    basis: { rule: "I" },
    source: ["main.c iommufd_fops"],
    needs: [],
    sides: [],
  },
] as const satisfies readonly Clause[];
