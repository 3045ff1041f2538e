import type { Clause } from "./clause";

/** The hooks of the kernel's selftest mock driver. */
export const TST = [
  {
    id: "TST-01",
    statement:
      "ADD_RESERVED reserves a range of an IOAS. Length 0 is EINVAL, a range past 2^64-1 " +
      "EOVERFLOW, an id that is no IOAS ENOENT, a mapping or an allowed IOVA in the range " +
      "EADDRINUSE.",
    basis: { rule: "T" },
    source: ["selftest.c iommufd_test_add_reserved", "selftest iommufd.c area_auto_iova"],
    needs: ["mock"],
    sides: ["success", "violation"],
  },
  {
    id: "TST-02",
    statement:
      "MOCK_DOMAIN makes a device in a group of its own, binds and attaches it, and answers " +
      "three ids; DESTROY of the first detaches and unbinds. A device flag that is not known is " +
      "refused.",
    errno: "EINVAL",
    basis: { rule: "T" },
    source: ["selftest.c iommufd_test_mock_domain"],
    needs: ["mock"],
    sides: ["success", "violation"],
  },
  {
    id: "TST-03",
    statement:
      "MD_CHECK_MAP wants multiples of the mock's page, and finds fault if any of them is not " +
      "mapped, or to another page than the one now at uptr. (ENOENT if the id is no paging " +
      "HWPT, EFAULT if nothing can be read at uptr, EOVERFLOW if its page ends at 2^64.)",
    errno: "EINVAL",
    basis: { rule: "T" },
    source: ["selftest.c iommufd_test_md_check_pa"],
    needs: ["mock"],
    sides: ["success", "violation"],
  },
  {
    id: "TST-04",
    statement:
      "MD_CHECK_REFS compares the pins of each page now at uptr with a number; address and " +
      "length must be multiples of the page size (EINVAL). Parts of compound pages are skipped.",
    errno: "EIO",
    basis: { rule: "T" },
    source: ["selftest.c iommufd_test_md_check_refs"],
    needs: ["mock"],
    sides: ["success", "violation"],
  },
  {
    id: "TST-05",
    statement:
      "A mock domain covers 0x1000000 to 0x7fffffff in pages of half a CPU page, and warns in " +
      "the kernel log about an unmap that does not match a map. Not judged by itself: the " +
      "aperture is RNG-12.",
    basis: { rule: "T" },
    source: ["selftest.c mock_domain_unmap_pages"],
    needs: ["mock"],
    sides: [],
  },
  {
    id: "TST-06",
    statement:
      "SET_TEMP_MEMORY_LIMIT makes internal batches small, so that code at their edges runs " +
      "with small inputs; fewer than 12 bytes are refused. A history can show it by the errno of " +
      "a range that ends at 2^64 (MAP-14), and by what a slow write has moved before a fault.",
    errno: "EINVAL",
    basis: { rule: "T" },
    source: ["selftest.c iommufd_test"],
    needs: ["mock", "small-batches"],
    sides: ["success", "violation"],
  },
  {
    id: "TST-07",
    statement:
      "A mock group has exactly one device, so clauses about groups of several need another " +
      "platform. Not a rule for implementations.",
    basis: { rule: "T" },
    source: ["selftest.c mock_dev_create"],
    needs: ["mock"],
    sides: [],
  },
] as const satisfies readonly Clause[];
