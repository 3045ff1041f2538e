import type { Clause } from "./clause";

/** In-kernel users of an IOAS (iommufd_access). */
export const ACC = [
  {
    id: "ACC-01",
    statement:
      "CREATE_ACCESS attaches an in-kernel user to an IOAS: ENOENT if there is none of that " +
      "id, EADDRINUSE if the user pins pages and mappings do not conform to page alignment.",
    basis: { rule: "I" },
    source: ["device.c iommufd_access_attach", "selftest.c iommufd_test_create_access"],
    needs: ["mock", "access"],
    sides: ["success", "violation"],
    evidence: ["access-19 step 6"],
  },
  {
    id: "ACC-02",
    statement:
      "Replacing the IOAS of an access by the one it is on changes nothing. An access that is " +
      "attached cannot be attached again (EINVAL), and one that is not cannot be replaced " +
      "(ENOENT).",
    basis: { rule: "I" },
    source: ["device.c iommufd_access_replace"],
    needs: ["mock", "access"],
    sides: ["success"],
  },
  {
    id: "ACC-03",
    statement: "An attached access is a user of its IOAS.",
    errno: "EBUSY",
    basis: { rule: "I" },
    source: ["device.c iommufd_access_attach"],
    needs: ["mock", "access"],
    sides: ["violation"],
  },
  {
    id: "ACC-04",
    statement:
      "A replace first has the user let go of everything it has pinned, then moves it. If it " +
      "fails, the access stays on its old IOAS.",
    basis: { rule: "I" },
    source: ["device.c iommufd_access_change_ioas"],
    needs: ["mock", "access"],
    sides: ["success", "violation"],
    evidence: ["access-1 step 6", "access-3 step 24"],
  },
  {
    id: "ACC-10",
    statement:
      "Pinning pages fails, in this order, for length 0 (EINVAL), a range past 2^64-1 " +
      "(EOVERFLOW), a detached access (ENOENT); then mapping by mapping for a closed or " +
      "misaligned one (EINVAL), permission (EPERM), pinning (EFAULT, ENOMEM), a hole (ENOENT). " +
      "Nothing stays pinned.",
    basis: { rule: "I" },
    source: ["device.c iommufd_access_pin_pages"],
    needs: ["mock", "access"],
    sides: ["success", "violation"],
  },
  {
    id: "ACC-11",
    statement:
      "What is pinned must start at the start of a page of user memory, and go on at one " +
      "wherever a mapping ends.",
    errno: "EINVAL",
    basis: { rule: "I" },
    source: ["device.c iopt_area_contig_is_aligned"],
    needs: ["mock", "access"],
    sides: ["success", "violation"],
    evidence: ["access-1 step 22"],
  },
  {
    id: "ACC-12",
    statement:
      "To pin for writing the mapping must be writeable, and to pin for reading, readable.",
    errno: "EPERM",
    basis: { rule: "I" },
    source: ["device.c check_area_prot"],
    needs: ["mock", "access"],
    sides: ["success", "violation"],
  },
  {
    id: "ACC-13",
    statement:
      "However many domains and in-kernel users hold a page of a mapping and its copies, it is " +
      "pinned once.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c access_pin"],
    needs: ["mock", "access", "page-refs"],
    sides: ["success"],
  },
  {
    id: "ACC-14",
    statement:
      "Pins are let go of by exactly the ranges that were pinned; what was pinned twice must " +
      "be let go of twice.",
    basis: { rule: "TI" },
    source: ["device.c iommufd_access_unpin_pages", "selftest iommufd.c access_pin"],
    needs: ["mock", "access"],
    sides: ["success"],
  },
  {
    id: "ACC-15",
    statement:
      "In-kernel users and domains have the same physical page for an IOVA while one of them " +
      "holds it.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c access_pin"],
    needs: ["mock", "access"],
    sides: ["success"],
  },
  {
    id: "ACC-20",
    statement:
      "Reading and writing go by the byte. They fail for length 0 (EINVAL), a range past " +
      "2^64-1 (EOVERFLOW), a detached access (ENOENT), a closed mapping (EINVAL), permission " +
      "(EPERM), a hole (ENOENT); bytes before it may have been moved.",
    basis: { rule: "TI" },
    source: ["device.c iommufd_access_rw", "selftest iommufd.c access_rw"],
    needs: ["mock", "access"],
    sides: ["success", "violation"],
  },
  {
    id: "ACC-21",
    statement: "Reading and writing leave no pin behind.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c access_rw"],
    needs: ["mock", "access", "page-refs"],
    sides: ["success"],
  },
  {
    id: "ACC-22",
    statement:
      "Reading and writing reach the memory that a domain reaches. 6.12 takes the memory now at " +
      "the user address, even where the mapping is pinned to another, and moves nothing of what " +
      "leaves user space; only its slow path over more than a page takes the pinned pages. " +
      "Another process's mapping goes that path always.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c check_access_rw", "pages.c iopt_pages_rw_access"],
    needs: ["mock", "access"],
    sides: ["success"],
    evidence: ["access-4 step 17", "access-27 step 29"],
  },
  {
    id: "ACC-30",
    statement:
      "UNMAP of a mapping that in-kernel users have pinned asks them to let go; they do, and " +
      "it is gone. What was pinned then is no longer known by its number.",
    errno: "ENOENT",
    basis: { rule: "T" },
    source: ["selftest iommufd.c access_pin_unmap"],
    needs: ["mock", "access"],
    sides: ["success", "violation"],
  },
  {
    id: "ACC-31",
    statement: "An in-kernel user may be asked to let go of a range of which it holds nothing.",
    basis: { rule: "U" },
    source: ["device.c iommufd_access_notify_unmap"],
    needs: ["mock", "access"],
    sides: [],
  },
  {
    id: "ACC-32",
    statement:
      "The mock driver has errors of its own: ENOMEM for more than 16 MiB, EOPNOTSUPP for flags " +
      "and for pinning by a user that said it would not, EBADFD for a file that is no access, " +
      "EBADE for pages not at uptr, EFAULT where uptr leads nowhere (EOVERFLOW in the last page " +
      "below 2^64). The pages compared are those of the IOVAs.",
    basis: { rule: "T" },
    source: ["selftest.c iommufd_test_access_pages", "selftest.c iommufd_test_access_rw"],
    needs: ["mock", "access"],
    sides: ["violation"],
    evidence: ["access-6 step 14", "access-26 step 37", "access-3 step 11", "access-1 step 31"],
  },
  {
    id: "ACC-33",
    statement:
      "An emulated VFIO device attaches to an IOAS only, and its ATTACH leaves pt_id as it is. " +
      "No trace has such a device.",
    basis: { rule: "I" },
    source: ["vfio iommufd.c iommufd_vfio_emulated_attach_ioas"],
    needs: ["vfio", "access"],
    sides: [],
  },
] as const satisfies readonly Clause[];
