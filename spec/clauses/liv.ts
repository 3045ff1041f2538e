import type { Clause } from "./clause";

/**
 * LIV: an implementation answers, and what it answers is an outcome. These bind every IUT in
 * every profile; they are about the seat itself, not about one call.
 */
export const LIV = [
  {
    id: "LIV-01",
    statement:
      "Every call comes back: the implementation neither dies, throws nor hangs in it. (A hang " +
      "can be noticed only from another process.)",
    basis: { rule: "D" },
    source: ["uapi iommufd.h, general ioctl format"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "LIV-02",
    statement:
      "An answer is success with all outputs of the call, each of its type, or an errno of the uAPI.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h, general ioctl format"],
    needs: [],
    sides: ["success"],
  },
  {
    id: "LIV-03",
    statement:
      "No call, and no end of a process, makes the implementation report an error of its own: " +
      "no WARN, no BUG, nothing from a sanitizer or a watchdog.",
    basis: { rule: "D" },
    source: ["uapi iommufd.h, general ioctl format"],
    needs: ["self-report"],
    sides: ["success"],
  },
] as const satisfies readonly Clause[];
