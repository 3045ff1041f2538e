import type { Clause } from "./clause";

/** Domains of an IOAS. */
export const DOM = [
  {
    id: "DOM-01",
    statement:
      "Every HWPT that belongs to an IOAS directly translates all of its mappings and nothing " +
      "else.",
    basis: { rule: "DS" },
    source: ["iommufd.rst", "document 001 (iommufd patches, 2022)"],
    needs: ["translate"],
    sides: ["success"],
  },
  {
    id: "DOM-02",
    statement:
      "A domain joins an IOAS in this order: alignment (ALN-02, ALN-03), then the IOVAs below " +
      "and above its aperture become reserved, which no mapping and no allowed IOVA may " +
      "contradict, then all mappings are pinned and filled in (DOM-04). It joins completely or " +
      "not at all.",
    errno: "EADDRINUSE",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_table_add_domain"],
    needs: ["device"],
    sides: ["success", "violation"],
  },
  {
    id: "DOM-03",
    statement:
      "IOVAs outside a domain's aperture are reserved only as long as the domain is in the " +
      "IOAS.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: ["device"],
    sides: ["success"],
  },
  {
    id: "DOM-04",
    statement:
      "A domain that joins an IOAS pins mappings that were not pinned so far; if one cannot be, " +
      "the attach fails and all is undone. Memory of the caller's in the last page of the address " +
      "space gets EOVERFLOW instead.",
    errno: "EFAULT",
    basis: { rule: "T" },
    source: ["selftest iommufd.c fork_gone", "pages.c iopt_area_fill_domains"],
    needs: ["device"],
    sides: ["success", "violation"],
    evidence: ["domains-42 step 4"],
  },
  {
    id: "DOM-05",
    statement:
      "HWPT_ALLOC on an IOAS adds the domain at once: its aperture, alignment and pins count " +
      "although no device is attached. Reserved regions of the device do not count yet.",
    basis: { rule: "I" },
    source: ["hw_pagetable.c iommufd_hwpt_paging_alloc"],
    needs: ["hwpt"],
    sides: ["success"],
  },
  {
    id: "DOM-06",
    statement:
      "A domain that leaves an IOAS while others stay takes nothing with it: the others " +
      "translate as before and the pages stay pinned.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c two_domains"],
    needs: ["mixed-iommus", "page-refs"],
    sides: ["success"],
  },
  {
    id: "DOM-07",
    statement:
      "When the last domain leaves an IOAS, pages that no in-kernel user and no other IOAS " +
      "holds are unpinned and no longer charged.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c access_domain_destory"],
    needs: ["page-refs"],
    sides: ["success"],
  },
  {
    id: "DOM-08",
    statement:
      "A domain that joins an IOAS with pinned pages gets those very pages, even if the user " +
      "address has been given other memory since.",
    basis: { rule: "D" },
    source: ["iommufd.rst", "pages.c pfn_reader_fill_span"],
    needs: ["mixed-iommus", "translate"],
    sides: ["success"],
  },
  {
    id: "DOM-09",
    statement: "What is mapped without WRITEABLE cannot be written through any domain.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h"],
    needs: ["translate"],
    sides: ["success"],
  },
  {
    id: "DOM-10",
    statement:
      "Of a mapping that begins or ends inside a page, a domain translates the mapped bytes " +
      "only, in units of its own smallest page.",
    basis: { rule: "T" },
    source: ["selftest iommufd.c all_aligns"],
    needs: ["mock", "translate"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];

/** IOVAs that devices reserve. */
export const RSV = [
  {
    id: "RSV-01",
    statement:
      "While a device is attached to an IOAS, its reserved regions are reserved there, except " +
      "those of the kind that may be relaxed.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "iommufd.rst", "io_pagetable.c iopt_table_enforce_dev_resv_regions"],
    needs: ["vfio"],
    sides: ["success"],
  },
  {
    id: "RSV-02",
    statement:
      "A device cannot attach while a mapping or an allowed IOVA lies in one of its reserved " +
      "regions. Regions may overlap other reservations.",
    errno: "EADDRINUSE",
    basis: { rule: "DT" },
    source: ["uapi iommufd.h", "io_pagetable.c iopt_reserve_iova"],
    needs: ["vfio"],
    sides: ["success", "violation"],
  },
  {
    id: "RSV-03",
    statement: "An attach that fails takes back every region it has reserved.",
    basis: { rule: "I" },
    source: ["io_pagetable.c iopt_table_enforce_dev_resv_regions"],
    needs: ["vfio"],
    sides: ["violation"],
  },
  {
    id: "RSV-04",
    statement:
      "A device's regions are freed when it detaches; an equal region of another attached " +
      "device stays reserved.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "device.c iommufd_hw_pagetable_detach"],
    needs: ["vfio"],
    sides: ["success"],
  },
  {
    id: "RSV-05",
    statement: "Each device of a group adds its own regions, when it attaches itself.",
    basis: { rule: "I" },
    source: ["device.c iommufd_hw_pagetable_attach"],
    needs: ["vfio", "multi-device-group"],
    sides: ["success"],
  },
  {
    id: "RSV-06",
    statement: "A device attached to a nested HWPT reserves its regions in the IOAS of the parent.",
    basis: { rule: "I" },
    source: ["device.c find_hwpt_paging"],
    // Devices of the mock driver have no regions.
    needs: ["nesting", "reserved-nesting"],
    sides: ["success"],
  },
  {
    id: "RSV-07",
    statement:
      "Regions added through the mock driver belong to nobody and stay until the IOAS is " +
      "destroyed.",
    basis: { rule: "T" },
    source: ["selftest.c iommufd_test_add_reserved"],
    needs: ["mock"],
    sides: ["success"],
  },
  {
    id: "RSV-08",
    statement:
      "A mapping in the way of a would-be reserved IOVA makes the attach fail and is not " +
      "touched; user space must unmap it first.",
    errno: "EADDRINUSE",
    basis: { rule: "D" },
    source: ["uapi iommufd.h", "iommufd.rst"],
    needs: ["device"],
    sides: ["violation"],
  },
] as const satisfies readonly Clause[];
