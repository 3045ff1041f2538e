import type { Clause } from "./clause";

/** Object ids and the graph of who uses whom. */
export const OBJ = [
  {
    id: "OBJ-01",
    statement:
      "Object ids are u32 and share one name space per iommufd; an id is valid from the command " +
      "that made it until its object is destroyed, and never names two objects at once.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "main.c _iommufd_object_alloc"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "OBJ-02",
    statement:
      "Id 0 never names an object: none is created with it, and a call that passes it finds " +
      "nothing.",
    errno: "ENOENT",
    basis: { rule: "T" },
    source: ["selftest iommufd.c cmd_fail"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "OBJ-03",
    statement:
      "Which id a new object gets is open: any unused non-zero u32 is right. 6.12 takes the " +
      "smallest free one and uses it again at once.",
    basis: { rule: "U" },
    source: ["main.c _iommufd_object_alloc"],
    needs: [],
    sides: [],
  },
  {
    id: "OBJ-04",
    statement:
      "An object of the wrong kind is as good as none. (Attach and replace answer EINVAL for a " +
      "kind that cannot be attached to, DEV-11.)",
    errno: "ENOENT",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "main.c iommufd_get_object"],
    needs: ["device"],
    sides: ["violation"],
  },
  {
    id: "OBJ-05",
    statement:
      "The users of an object are these and no others: of an IOAS its HWPTs and attached " +
      "accesses; of an HWPT its attached devices and nested children; of a fault queue its open " +
      "fd and HWPTs; of a device or access its driver. A DESTROY with no user left succeeds.",
    basis: { rule: "I" },
    source: ["hw_pagetable.c", "device.c iommufd_device_bind"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "OBJ-06",
    statement:
      "Mappings do not keep an IOAS alive: destroying one that has nothing but mappings " +
      "succeeds and unmaps them all.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c ioas_area_destroy"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "OBJ-07",
    statement:
      "Closing the last reference of an iommufd destroys all its objects, releases every pin " +
      "and gives back every charge.",
    basis: { rule: "DT" },
    source: ["iommufd.rst", "main.c iommufd_fops_release"],
    needs: ["page-refs"],
    sides: ["success"],
  },
  {
    id: "OBJ-08",
    statement:
      "A bound VFIO device keeps its context alive after user space closed the iommufd; closing " +
      "first the iommufd and then the device is legal.",
    basis: { rule: "I" },
    source: ["device.c iommufd_device_bind"],
    needs: ["vfio"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];

/** IOMMU_DESTROY. */
export const DES = [
  {
    id: "DES-01",
    statement: "DESTROY of an id that names nothing is refused.",
    errno: "ENOENT",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "main.c iommufd_object_remove", "selftest iommufd.c cmd_fail"],
    needs: [],
    sides: ["success", "violation"],
  },
  {
    id: "DES-02",
    statement:
      "DESTROY of an object that still has users is refused and changes nothing. The kind of " +
      "object decides which of DES-03 to DES-06 says so too.",
    errno: "EBUSY",
    basis: { rule: "T" },
    source: ["main.c iommufd_object_remove", "selftest iommufd.c ioas_destroy"],
    needs: ["device"],
    sides: ["success", "violation"],
  },
  {
    id: "DES-03",
    statement:
      "A device or access id cannot be destroyed by user space: its driver holds it, and it " +
      "goes away when the driver unbinds.",
    errno: "EBUSY",
    basis: { rule: "I" },
    source: ["device.c iommufd_device_bind"],
    needs: ["device"],
    sides: ["violation"],
  },
  {
    id: "DES-04",
    statement:
      "An IOAS cannot be destroyed while a device is attached to it; after the last detach its " +
      "automatic HWPT is gone and DESTROY works.",
    errno: "EBUSY",
    basis: { rule: "T" },
    source: ["selftest iommufd.c ioas_destroy"],
    needs: ["device"],
    sides: ["success", "violation"],
  },
  {
    id: "DES-05",
    statement:
      "A manually allocated HWPT cannot be destroyed while a device is attached to it or a " +
      "nested HWPT hangs below it; otherwise it can.",
    errno: "EBUSY",
    basis: { rule: "T" },
    source: ["selftest iommufd.c alloc_hwpt"],
    needs: ["hwpt"],
    sides: ["success", "violation"],
  },
  {
    id: "DES-06",
    statement:
      "An automatic HWPT is always in use, since it exists only while a device is attached.",
    errno: "EBUSY",
    basis: { rule: "I" },
    source: ["device.c iommufd_device_auto_get_domain"],
    needs: ["device"],
    sides: ["violation"],
  },
  {
    id: "DES-07",
    statement:
      "Destroying the IOAS that is registered as the VFIO compat IOAS also ends that " +
      "registration: a later GET finds none.",
    basis: { rule: "I" },
    source: ["main.c iommufd_object_remove"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "DES-08",
    statement: "DESTROY has no output, and its struct is not written back.",
    basis: { rule: "I" },
    source: ["main.c iommufd_destroy"],
    needs: ["raw-bytes"],
    sides: ["success"],
  },
  {
    id: "DES-09",
    statement:
      "DESTROY of an object that another thread is using for the length of one call waits for " +
      "it instead of reporting it busy.",
    basis: { rule: "I" },
    source: ["main.c iommufd_object_dec_wait_shortterm"],
    needs: ["concurrency"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
