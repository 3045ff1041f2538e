import type { CallShape } from "./shape";

/** Probes: they look, and change nothing. */
export const PROBE_CALLS = {
  /** Pins of the pages now at a user address, page by page. */
  PAGE_REFS: {
    on: "iommufd",
    in: { uptr: "va", length: "bytes" },
    out: { refs: "pins" },
    needs: ["page-refs"],
    probe: true,
  },
  /** Pages pinned for, and locked memory charged to, the calling process. */
  PROC_STATUS: {
    on: "process",
    in: {},
    out: { VmPin_pages: "u32", VmLck_pages: "u32" },
    needs: ["proc-status"],
    probe: true,
  },
  /** Everything one domain translates within [iova, last], in maximal runs. ENOENT: no such domain. */
  TRANSLATE: {
    on: "iommufd",
    in: { hwpt_id: "id", iova: "iova", last: "iova" },
    out: { runs: "translations" },
    needs: ["translate"],
    probe: true,
  },
} as const satisfies Record<string, CallShape>;
