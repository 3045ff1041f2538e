import type { Clause } from "./clause";

/** Bind, attach, replace and detach, whichever front end asks for them. */
export const DEV = [
  {
    id: "DEV-01",
    statement: "A device can be bound only if its DMA is coherent with the CPU caches.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["device.c iommufd_device_bind"],
    needs: ["unfit-device"],
    sides: ["success", "violation"],
  },
  {
    id: "DEV-02",
    statement: "A device can be bound only if it is in an IOMMU group.",
    errno: "ENODEV",
    basis: { rule: "I" },
    source: ["device.c iommufd_get_group"],
    needs: ["unfit-device"],
    sides: ["success", "violation"],
  },
  {
    id: "DEV-03",
    statement:
      "A device can be bound only if its interrupts are isolated, unless the administrator " +
      "allowed unsafe ones.",
    errno: "EPERM",
    basis: { rule: "I" },
    source: ["device.c iommufd_device_bind"],
    needs: ["unfit-device"],
    sides: ["success", "violation"],
  },
  {
    id: "DEV-04",
    statement:
      "A device cannot be bound while another context, or another user of DMA ownership, owns " +
      "its group.",
    errno: "EPERM",
    basis: { rule: "D" },
    source: ["iommufd.rst", "iommu.c __iommu_take_dma_ownership"],
    needs: ["multi-device-group"],
    sides: ["success", "violation"],
    evidence: ["vfio-3 step 28"],
  },
  {
    id: "DEV-05",
    statement:
      "A device cannot be bound while a kernel driver that does DMA holds a device of its " +
      "group.",
    // clauses.md says EBUSY. No recording has such a driver; iommu.c counts it as one more owner
    // of the group, and another owner is EPERM in the recordings (DEV-04).
    errno: "EPERM",
    basis: { rule: "D", errno: "I" },
    source: ["iommufd.rst", "iommu.c iommu_device_claim_dma_owner"],
    needs: ["unfit-device"],
    sides: ["success", "violation"],
  },
  {
    id: "DEV-06",
    statement:
      "A bind takes the whole group for its context: the other devices of the group can be " +
      "bound to the same iommufd.",
    basis: { rule: "D" },
    source: ["iommufd.rst", "device.c iommufd_device_bind"],
    needs: ["multi-device-group"],
    sides: ["success"],
  },
  {
    id: "DEV-07",
    statement: "A device that is bound but not attached cannot reach memory.",
    basis: { rule: "D" },
    source: ["iommufd.rst", "device.c iommufd_device_bind"],
    needs: ["vfio", "dma", "dma-result"],
    sides: ["success"],
  },
  {
    id: "DEV-10",
    statement:
      "A device cannot be attached to an id that names nothing. The id which the same call is " +
      "about to allocate counts as nothing.",
    errno: "ENOENT",
    basis: { rule: "DT" },
    source: [
      "uapi iommufd.h",
      "device.c iommufd_device_change_pt",
      "selftest iommufd.c hwpt_attach",
    ],
    needs: ["device"],
    sides: ["success", "violation"],
    evidence: ["domains-35 step 46"],
  },
  {
    id: "DEV-11",
    statement:
      "A device can be attached to an IOAS or an HWPT only; an object of any other kind is " +
      "refused.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["device.c iommufd_device_change_pt"],
    needs: ["device"],
    sides: ["success", "violation"],
    evidence: ["domains-29 step 14"],
  },
  {
    id: "DEV-12",
    statement:
      "Attach to an IOAS uses an automatic HWPT of that IOAS which can serve the device (6.12: " +
      "the first that does), or makes a new one; it answers the id of the HWPT. Devices that " +
      "cannot share one get several.",
    basis: { rule: "DS" },
    source: [
      "uapi iommufd.h",
      "document 003 (VFIO adopts iommufd, 2022)",
      "device.c iommufd_device_auto_get_domain",
    ],
    needs: ["mixed-iommus"],
    sides: ["success"],
  },
  {
    id: "DEV-13",
    statement: "Attach to an IOAS never picks a manually allocated HWPT.",
    basis: { rule: "I" },
    source: ["device.c iommufd_device_auto_get_domain"],
    needs: ["hwpt"],
    sides: ["success"],
  },
  {
    id: "DEV-14",
    statement: "Attach to an HWPT uses exactly that one and answers the same id.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "device.c iommufd_device_do_attach"],
    needs: ["device"],
    sides: ["success"],
    evidence: ["domains-29 step 8"],
  },
  {
    id: "DEV-15",
    statement:
      "A group shares one HWPT: a device cannot be attached to another than the one its group " +
      "is attached to, nor to another IOAS.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["device.c iommufd_hw_pagetable_attach"],
    needs: ["multi-device-group"],
    sides: ["success", "violation"],
    evidence: ["vfio-1 step 24"],
  },
  {
    id: "DEV-16",
    statement:
      "A further device of a group attached to the group's HWPT adds its reserved regions and " +
      "one user, and nothing else.",
    basis: { rule: "I" },
    source: ["device.c iommufd_hw_pagetable_attach"],
    needs: ["multi-device-group"],
    sides: ["success"],
  },
  {
    id: "DEV-17",
    statement:
      "An attach fails in this order: group on another HWPT (EINVAL), reserved regions " +
      "(EADDRINUSE), the driver (EINVAL and others), a new domain joining the IOAS (DOM-02). " +
      "What was done is undone, and a new automatic HWPT goes.",
    basis: { rule: "I" },
    source: ["device.c iommufd_hw_pagetable_attach", "device.c iommufd_device_auto_get_domain"],
    needs: ["device"],
    sides: ["violation"],
  },
  {
    id: "DEV-18",
    statement: "A device is attached to at most one HWPT, and so to one IOAS, at a time.",
    basis: { rule: "DS" },
    source: [
      "iommufd.rst",
      "document 000 (/dev/iommu RFC, 2021)",
      "document 001 (iommufd patches, 2022)",
    ],
    needs: ["device"],
    sides: ["success"],
  },
  {
    id: "DEV-19",
    statement:
      "Any number of devices can be attached to an IOAS at the same time, whichever groups they " +
      "belong to.",
    basis: { rule: "DS" },
    source: ["iommufd.rst", "document 003 (VFIO adopts iommufd, 2022)"],
    needs: ["device"],
    sides: ["success"],
  },
  {
    id: "DEV-20",
    statement:
      "An automatic HWPT goes with the last device that leaves it, by detach or by replace; " +
      "from then on its id names nothing.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c replace", "device.c iommufd_hw_pagetable_put"],
    needs: ["device"],
    sides: ["success"],
  },
  {
    id: "DEV-21",
    statement: "A manually allocated HWPT stays when its last device leaves.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c alloc_hwpt"],
    needs: ["hwpt"],
    sides: ["success"],
  },
  {
    id: "DEV-30",
    statement:
      "Replace is for devices that are attached. No front end can ask for it otherwise: a VFIO " +
      "ATTACH of a detached device is a plain attach, and a mock device is always attached.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["device.c iommufd_device_do_replace"],
    needs: [],
    sides: [],
  },
  {
    id: "DEV-31",
    statement:
      "Replace by the HWPT that the device is on changes nothing and succeeds; replace by the " +
      "IOAS of its automatic HWPT answers that HWPT again.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c replace"],
    needs: ["device"],
    sides: ["success"],
  },
  {
    id: "DEV-32",
    statement:
      "Replace moves all attached devices of the group: their reserved regions are added to the " +
      "new IOAS before and removed from the old one after, or left alone if both are the same.",
    basis: { rule: "I" },
    source: ["device.c iommufd_device_do_replace"],
    needs: ["multi-device-group"],
    sides: ["success"],
  },
  {
    id: "DEV-33",
    statement:
      "A replace that fails leaves the attachment, the reserved regions and the HWPTs as they " +
      "were.",
    basis: { rule: "I" },
    source: ["device.c iommufd_device_do_replace", "device.c iommufd_device_replace"],
    needs: ["device"],
    sides: ["violation"],
  },
  {
    id: "DEV-34",
    statement:
      "A replace can fail for the reasons an attach can: EADDRINUSE for mappings or allowed " +
      "IOVAs in the way, ENOENT, EINVAL, ENOMEM, EFAULT.",
    basis: { rule: "I" },
    source: ["device.c iommufd_device_do_replace"],
    needs: ["device"],
    sides: ["violation"],
  },
  {
    id: "DEV-35",
    statement:
      "6.12 seems to drop reserved regions still in use when a replace within one IOAS fails in " +
      "the driver. No recording shows it, so in linux-6.12 the regions may be there or not; " +
      "elsewhere DEV-33 holds.",
    basis: { rule: "U" },
    source: ["device.c iommufd_device_do_replace"],
    needs: [],
    sides: [],
  },
  {
    id: "DEV-40",
    statement:
      "Detach takes a device off its HWPT and frees its reserved regions; with the last device " +
      "of the group the group leaves the domain, and an automatic HWPT that nobody else uses " +
      "goes.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "uapi vfio.h", "device.c iommufd_device_detach"],
    needs: ["device"],
    sides: ["success"],
  },
  {
    id: "DEV-41",
    statement: "As long as one device of a group stays attached, the group's translation stays.",
    basis: { rule: "I" },
    source: ["device.c iommufd_hw_pagetable_detach"],
    needs: ["multi-device-group", "translate"],
    sides: ["success"],
  },
  {
    id: "DEV-42",
    statement:
      "Unbinding gives up ownership: when the last device of the group is unbound, another " +
      "context can bind it.",
    basis: { rule: "D" },
    source: ["uapi vfio.h", "device.c iommufd_device_unbind"],
    needs: ["vfio"],
    sides: ["success"],
  },
  {
    id: "DEV-43",
    statement:
      "Attach and then map, or map and then attach: the translations, ranges and pins that " +
      "result are the same.",
    basis: { rule: "D" },
    source: ["iommufd.rst"],
    needs: ["translate"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
