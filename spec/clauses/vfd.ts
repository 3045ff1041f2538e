import type { Clause } from "./clause";

/** VFIO device cdevs. Their calls tolerate any surplus behind argsz. */
export const VFD = [
  {
    id: "VFD-01",
    statement:
      "BIND_IOMMUFD wants an argsz of at least 16 (more is ignored), no flags, and an iommufd " +
      "that is not negative. (EFAULT if the argument cannot be read.)",
    errno: "EINVAL",
    basis: { rule: "D" },
    source: ["uapi vfio.h", "device_cdev.c vfio_df_ioctl_bind_iommufd"],
    needs: ["vfio"],
    sides: ["success", "violation"],
  },
  {
    id: "VFD-02",
    statement:
      "A device fd obtained from a legacy group cannot be bound, and one of a cdev accepts " +
      "nothing but BIND until it is bound. The second half is judged by VFD-18, and no trace " +
      "opens a group.",
    errno: "EINVAL",
    basis: { rule: "D" },
    source: [
      "uapi vfio.h",
      "device_cdev.c vfio_df_ioctl_bind_iommufd",
      "vfio_main.c vfio_device_fops_unl_ioctl",
    ],
    needs: ["vfio"],
    sides: [],
  },
  {
    id: "VFD-03",
    statement:
      "A device cannot be bound while its group is open the legacy way. No trace opens a group.",
    errno: "EBUSY",
    basis: { rule: "I" },
    source: ["vfio_main.c vfio_device_block_group"],
    needs: ["vfio"],
    sides: [],
  },
  {
    id: "VFD-04",
    statement: "A device fd can be bound once only.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["device_cdev.c vfio_df_ioctl_bind_iommufd"],
    needs: ["vfio"],
    sides: ["success", "violation"],
  },
  {
    id: "VFD-05",
    statement:
      "The number given as iommufd must be an open file (EBADF if not) and that file an iommufd " +
      "(EBADFD if not).",
    errno: "EBADF",
    basis: { rule: "I" },
    source: ["main.c iommufd_ctx_from_fd"],
    needs: ["vfio"],
    sides: ["success", "violation"],
  },
  {
    id: "VFD-06",
    statement: "A device that is bound through one fd cannot be bound through a second one.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["vfio_main.c vfio_df_open"],
    needs: ["vfio"],
    sides: ["success", "violation"],
  },
  {
    id: "VFD-07",
    statement:
      "After VFD-01 to VFD-06, BIND can fail as the device itself must not be bound. Judged by " +
      "DEV-01 to DEV-05.",
    basis: { rule: "D" },
    source: ["uapi vfio.h", "device.c iommufd_device_bind"],
    needs: ["vfio"],
    sides: [],
  },
  {
    id: "VFD-08",
    statement:
      "A successful BIND answers the id of the device. There is no unbind: closing the device " +
      "fd detaches and unbinds.",
    basis: { rule: "DS" },
    source: ["uapi vfio.h", "document 000 (/dev/iommu RFC, 2021)"],
    needs: ["vfio"],
    sides: ["success"],
  },
  {
    id: "VFD-09",
    statement: "When the answer of BIND cannot be stored, the bind is undone.",
    errno: "EFAULT",
    basis: { rule: "I" },
    source: ["device_cdev.c vfio_df_ioctl_bind_iommufd"],
    needs: ["vfio", "raw-bytes"],
    sides: ["violation"],
  },
  {
    id: "VFD-10",
    statement:
      "ATTACH_IOMMUFD_PT wants an argsz of at least 12 and no flags, before DEV-10 and what " +
      "follows. (EFAULT if the argument cannot be read.)",
    errno: "EINVAL",
    basis: { rule: "D" },
    source: ["uapi vfio.h", "device_cdev.c vfio_df_ioctl_attach_pt"],
    needs: ["vfio"],
    sides: ["success", "violation"],
  },
  {
    id: "VFD-11",
    statement:
      "ATTACH of an attached device moves it in one step (replace); to where it is already, it " +
      "changes nothing.",
    basis: { rule: "D" },
    source: ["uapi vfio.h", "vfio iommufd.c iommufd_vfio_physical_attach"],
    needs: ["vfio"],
    sides: ["success"],
  },
  {
    id: "VFD-12",
    statement:
      "When the answer of ATTACH cannot be stored, the device ends up detached, even if the " +
      "call was a replace.",
    errno: "EFAULT",
    basis: { rule: "I" },
    source: ["device_cdev.c vfio_df_ioctl_attach_pt"],
    needs: ["vfio", "raw-bytes"],
    sides: ["violation"],
  },
  {
    id: "VFD-13",
    statement:
      "A successful ATTACH answers in pt_id the HWPT that a physical device is now on; for an " +
      "emulated device pt_id stays.",
    basis: { rule: "DS" },
    source: ["uapi vfio.h", "document 003 (VFIO adopts iommufd, 2022)"],
    needs: ["vfio"],
    sides: ["success"],
  },
  {
    id: "VFD-14",
    statement:
      "DETACH_IOMMUFD_PT wants an argsz of at least 8 and no flags. Detaching a device that is " +
      "not attached succeeds.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: [
      "uapi vfio.h",
      "device_cdev.c vfio_df_ioctl_detach_pt",
      "vfio iommufd.c iommufd_vfio_physical_detach",
    ],
    needs: ["vfio"],
    sides: ["success", "violation"],
    evidence: ["vfio-1 step 16"],
  },
  {
    id: "VFD-15",
    statement:
      "What BIND says to a device without an IOMMU is open; 6.12 does not support one on a " +
      "cdev.",
    basis: { rule: "U" },
    source: ["device_cdev.c"],
    needs: ["vfio"],
    sides: [],
  },
  {
    id: "VFD-16",
    statement:
      "A bind holds the context: the device stays usable after user space closed the iommufd " +
      "(OBJ-08).",
    basis: { rule: "I" },
    source: ["device_cdev.c vfio_df_ioctl_bind_iommufd"],
    needs: ["vfio"],
    sides: ["success"],
  },
  {
    id: "VFD-17",
    statement:
      "After 6.12, BIND can carry a token, the uuid that a device of a virtual function asks for.",
    basis: { rule: "D" },
    source: ["uapi vfio.h (after 6.12)"],
    needs: ["vfio", "newer-uapi"],
    sides: ["success"],
  },
  {
    id: "VFD-18",
    statement: "ATTACH and DETACH are refused until the device fd is bound.",
    errno: "EINVAL",
    basis: { rule: "D" },
    source: ["uapi vfio.h", "vfio_main.c vfio_device_fops_unl_ioctl"],
    needs: ["vfio"],
    sides: ["success", "violation"],
  },
] as const satisfies readonly Clause[];
