import type { Clause } from "./clause";

/**
 * Pins. The pages of a MAP are needed where a mapping or copy of them is in an IOAS with a domain,
 * or where an in-kernel user pins them.
 */
export const PIN = [
  {
    id: "PIN-01",
    statement:
      "The pages of one MAP are pinned once each, as long as at least one domain or in-kernel " +
      "user needs them, no matter how many mappings, copies, IOASs and domains do.",
    basis: { rule: "DST" },
    source: ["iommufd.rst", "document 001 (iommufd patches, 2022)", "pages.c"],
    needs: ["page-refs"],
    sides: ["success"],
  },
  {
    id: "PIN-02",
    statement: "Separate MAPs of the same memory pin separately: the pins of a page add up.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "pages.c iopt_alloc_pages"],
    needs: ["page-refs"],
    sides: ["success"],
  },
  {
    id: "PIN-03",
    statement:
      "A page is pinned when it is first needed and unpinned with the last release, both before " +
      "the call that causes it returns.",
    basis: { rule: "T" },
    source: [
      "selftest iommufd.c basic",
      "pages.c iopt_area_fill_domains",
      "pages.c iopt_area_unfill_domains",
    ],
    needs: ["page-refs"],
    sides: ["success"],
  },
  {
    id: "PIN-04",
    statement:
      "As long as a page of a MAP is pinned it stays the same physical page; when it was " +
      "released and is needed again, it may be another one.",
    basis: { rule: "I" },
    source: ["pages.c iopt_area_fill_domains"],
    needs: ["translate"],
    sides: ["success"],
  },
  {
    id: "PIN-05",
    statement:
      "When a page's holder goes and another remains, be it a domain or an in-kernel user, the " +
      "page is neither unpinned nor pinned again.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c two_domains", "pages.c iopt_area_unfill_domain"],
    needs: ["page-refs", "mixed-iommus"],
    sides: ["success"],
  },
  {
    id: "PIN-06",
    statement:
      "Pages are pinned for writing exactly if the MAP was WRITEABLE: memory that the process " +
      "may only read can be mapped READABLE into a domain.",
    basis: { rule: "I" },
    source: ["pages.c pfn_reader_user_pin"],
    needs: ["device"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];

/** Accounting of pins. */
export const ACT = [
  {
    id: "ACT-01",
    statement:
      "How pins are accounted is settled by MAP: not at all for a caller with CAP_IPC_LOCK, " +
      "else by user, or by process if RLIMIT_MODE says so. It does not change for the life of " +
      "that mapping and its copies.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "pages.c iopt_alloc_pages", "io_pagetable.c iopt_map_user_pages"],
    needs: ["memlimit", "privilege", "proc-status"],
    sides: ["success"],
  },
  {
    id: "ACT-02",
    statement:
      "Between calls, the charge for the memory of a MAP is the number of its pages that are " +
      "pinned.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "pages.c iopt_pages_update_pinned"],
    needs: ["memlimit", "privilege", "proc-status"],
    sides: ["success"],
  },
  {
    id: "ACT-03",
    statement:
      "By user, all pages pinned for that user, in every context and process, must fit into the " +
      "memlock limit of the process that mapped; by process, the locked memory of that process.",
    errno: "ENOMEM",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "pages.c iopt_pages_update_pinned"],
    needs: ["memlimit"],
    sides: ["success", "violation"],
  },
  {
    id: "ACT-04",
    statement:
      "However pins are accounted, the pinned memory of the process that mapped (VmPin) rises " +
      "and falls with them.",
    basis: { rule: "I" },
    source: ["pages.c iopt_pages_update_pinned"],
    needs: ["proc-status"],
    sides: ["success"],
  },
  {
    id: "ACT-05",
    statement:
      "A call that would exceed the limit undoes its pins and translations, and the charge is " +
      "what it was before.",
    errno: "ENOMEM",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "pages.c iopt_pages_update_pinned"],
    needs: ["memlimit", "privilege"],
    sides: ["violation"],
  },
  {
    id: "ACT-06",
    statement: "Pages count as a whole, even when a mapping starts or ends inside them.",
    basis: { rule: "I" },
    source: ["pages.c iopt_pages_update_pinned"],
    needs: ["proc-status", "mock"],
    sides: ["success"],
  },
  {
    id: "ACT-07",
    statement:
      "A copy costs nothing for pages that are pinned already; pages that it causes to be " +
      "pinned are charged to the one who made the MAP.",
    basis: { rule: "DS" },
    source: ["uapi iommufd.h", "document 003 (VFIO adopts iommufd, 2022)"],
    needs: ["memlimit", "privilege"],
    sides: ["success"],
  },
  {
    id: "ACT-08",
    statement:
      "Accounting follows the MAPs and not the IOASs: the same memory in two IOASs is charged " +
      "twice when it was mapped twice, once when it was copied.",
    basis: { rule: "S" },
    source: ["document 003 (VFIO adopts iommufd, 2022)", "document 001 (iommufd patches, 2022)"],
    needs: ["memlimit", "privilege", "proc-status"],
    sides: ["success"],
  },
  {
    id: "ACT-09",
    statement:
      "An iommufd opened through the VFIO container's node accounts by process. No trace opens " +
      "that node.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "main.c iommufd_fops_open"],
    needs: ["compat"],
    sides: [],
  },
  {
    id: "ACT-10",
    statement: "Closing an iommufd gives back everything that was counted for it.",
    basis: { rule: "D" },
    source: ["iommufd.rst", "main.c iommufd_fops_release"],
    needs: ["proc-status"],
    sides: ["success"],
  },
  {
    id: "ACT-11",
    statement: "When within a call the charge is taken, before or after the pin, is open.",
    basis: { rule: "U" },
    source: ["pages.c iopt_pages_update_pinned"],
    needs: [],
    sides: [],
  },
] as const satisfies readonly Clause[];
