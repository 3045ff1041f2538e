/**
 * One planted bug per relation: a right machine whose answers are spoilt in a way that no single
 * call shows. They look at the calls only, so that they are bugs of any implementation.
 */
import type { Outcome } from "../../../spec/calls";
import { OPTION_OP_SET } from "../../../spec/uapi/flags";
import { IOCTLS } from "../../../spec/uapi/ioctls";
import { LAYOUTS } from "../../../spec/uapi/layouts";
import { U64_MAX } from "../../../spec/units";
import {
  type Bug,
  emptied,
  fails,
  isAutomatic,
  leak,
  ok,
  once,
  PAGE,
  withoutLastRange,
  withRuns,
} from "./spoil";

export const BUGS: Readonly<Record<string, Bug>> = {
  "I-05": once(
    "a device that leaves takes a valid range along",
    (call, outcome) => call.call === "DESTROY" && ok(outcome),
    (call, outcome) => (call.call === "IOAS_IOVA_RANGES" ? withoutLastRange(outcome) : outcome),
  ),
  "I-23": {
    about: "a domain shows nothing when the last thing was a map",
    plant: () => {
      let last = "";
      return (call, outcome) => {
        if (call.call === "IOAS_MAP" || call.call === "MOCK_DOMAIN") last = call.call;
        return last === "IOAS_MAP" ? emptied(call, outcome) : outcome;
      };
    },
  },
  "I-26": once(
    "without huge pages nothing is translated",
    (call) => call.call === "OPTION" && call.in.op === OPTION_OP_SET && call.in.val64 === 0n,
    emptied,
  ),
  "I-34": leak("the device that came last takes no pin along", () => {
    let last = 0;
    return (call, outcome) => {
      if (call.call === "MOCK_DOMAIN" && ok(outcome)) {
        last = (outcome.out as { out_stdev_id: number }).out_stdev_id;
      }
      return call.call === "DESTROY" && call.in.id === last;
    };
  }),
  "I-37": {
    about: "a MAP of several pages costs one more",
    plant: () => {
      let more = 0;
      return (call, outcome) => {
        if (call.call === "OPEN") more = 0;
        if (call.call === "IOAS_MAP" && ok(outcome) && call.in.length > PAGE) more++;
        if (call.call !== "PROC_STATUS" || !ok(outcome)) return outcome;
        const out = outcome.out as { VmPin_pages: number; VmLck_pages: number };
        return { errno: 0, out: { ...out, VmPin_pages: out.VmPin_pages + more } };
      };
    },
  },
  "I-55": leak("an IOAS that goes before an older one leaves a pin", () => {
    const live = new Set<string>();
    return (call, outcome) => {
      if (call.call === "IOAS_ALLOC" && ok(outcome)) {
        live.add(`${call.fd}/${(outcome.out as { out_ioas_id: number }).out_ioas_id}`);
      }
      if (call.call !== "DESTROY" || !ok(outcome)) return false;
      const name = `${call.fd}/${call.in.id}`;
      const mine = [...live].filter((other) => other.startsWith(`${call.fd}/`));
      return live.delete(name) && mine[0] !== name;
    };
  }),
  "I-56": {
    about: "after a call in another context the answer lacks a range",
    plant: () => {
      let before = -1;
      return (call, outcome) => {
        const other = call.fd >= 0 && before !== call.fd;
        if (call.fd >= 0) before = call.fd;
        return other && call.call === "IOAS_IOVA_RANGES" ? withoutLastRange(outcome) : outcome;
      };
    },
  },
  "I-57": {
    about: "closing one number of a file takes away what is reached by the other",
    plant: () => {
      const fileOf = new Map<number, number>();
      const closed = new Set<number>();
      return (call, outcome) => {
        if (call.call === "DUP") {
          fileOf.set((outcome.out as { fd: number }).fd, fileOf.get(call.fd) ?? call.fd);
        }
        const file = fileOf.get(call.fd) ?? call.fd;
        if (call.call === "CLOSE" && ok(outcome)) closed.add(file);
        return closed.has(file) ? emptied(call, outcome) : outcome;
      };
    },
  },
  "I-70": leak("UNMAP leaves a pin", () => (call, o) => call.call === "IOAS_UNMAP" && ok(o)),
  "I-71": leak("a MAP where something was before pins twice", () => {
    const before = new Set<bigint>();
    return (call, outcome) => {
      if (call.call === "IOAS_UNMAP" && ok(outcome)) before.add(call.in.iova);
      return call.call === "IOAS_MAP" && ok(outcome) && before.has(call.in.iova);
    };
  }),
  "I-72": leak("a MAP below an earlier one pins twice", () => {
    let highest = 0n;
    return (call, outcome) => {
      if (call.call === "OPEN") highest = 0n;
      if (call.call !== "IOAS_MAP" || !ok(outcome)) return false;
      const below = call.in.iova < highest;
      if (!below) highest = call.in.iova;
      return below;
    };
  }),
  "I-73": {
    about: "bit 15 of an IOVA counts as bit 63",
    plant: () => (call, outcome) =>
      call.call === "TRANSLATE"
        ? withRuns(outcome, (runs) => runs.filter(({ iova }) => (iova & 0x8000n) === 0n))
        : outcome,
  },
  "I-74": leak(
    "pages of one region are counted twice",
    () => (call, outcome) =>
      call.call === "IOAS_MAP" && ok(outcome) && (call.in.user_va & 0x10_0000n) !== 0n,
  ),
  "I-75": once(
    "the last page of a map of several pages is not translated",
    (call) => call.call === "IOAS_MAP" && call.in.length > PAGE,
    (call, outcome) =>
      call.call === "TRANSLATE" ? withRuns(outcome, (runs) => runs.slice(0, -1)) : outcome,
  ),
  "I-76": {
    about: "UNMAP answers the length that it was given",
    plant: () => (call, outcome) =>
      call.call === "IOAS_UNMAP" && ok(outcome) && call.in.length !== U64_MAX
        ? { errno: 0, out: { length: call.in.length } }
        : outcome,
  },
  "I-77": {
    about: "an IOAS that lost everything once has nothing more to lose",
    plant: () => {
      const emptied = new Set<string>();
      return (call, outcome) => {
        if (call.call !== "IOAS_UNMAP" || call.in.length !== U64_MAX) return outcome;
        const name = `${call.fd}/${call.in.ioas_id}`;
        if (emptied.has(name)) return fails("ENOENT");
        emptied.add(name);
        return outcome;
      };
    },
  },
  "I-78": leak("a copy of a copy pins again", () => {
    const copies = new Set<string>();
    return (call, outcome) => {
      if (call.call !== "IOAS_COPY" || !ok(outcome)) return false;
      copies.add(`${call.fd}/${call.in.dst_ioas_id}`);
      return copies.has(`${call.fd}/${call.in.src_ioas_id}`);
    };
  }),
  "I-79": once(
    "UNMAP takes the copies along",
    (call, outcome) => (call.call === "IOAS_UNMAP" || call.call === "DESTROY") && ok(outcome),
    emptied,
  ),
  "I-80": once(
    "copies are read-only",
    (call) => call.call === "IOAS_COPY",
    (call, outcome) =>
      call.call === "TRANSLATE"
        ? withRuns(outcome, (runs) => runs.map((run) => ({ ...run, perm: 1 })))
        : outcome,
  ),
  "I-81": {
    about: "a copy of a copy grants what it is asked for",
    plant: () => {
      const copies = new Set<string>();
      return (call, outcome) => {
        if (call.call !== "IOAS_COPY") return outcome;
        copies.add(`${call.fd}/${call.in.dst_ioas_id}`);
        const again = copies.has(`${call.fd}/${call.in.src_ioas_id}`);
        if (!again || outcome.errno !== "EPERM") return outcome;
        return { errno: 0, out: { dst_iova: call.in.dst_iova } };
      };
    },
  },
  "I-82": {
    about: "what was chosen automatically may not be chosen by hand",
    plant: () => {
      const chosen = new Set<bigint>();
      return (call, outcome) => {
        if (call.call !== "IOAS_MAP") return outcome;
        if (isAutomatic(call) && ok(outcome)) chosen.add((outcome.out as { iova: bigint }).iova);
        return !isAutomatic(call) && chosen.has(call.in.iova) ? fails("EINVAL") : outcome;
      };
    },
  },
  "I-83": {
    about: "there is never room for an automatic map",
    refuses: (call) => (isAutomatic(call) ? fails("ENOSPC") : undefined),
    plant: () => (_, outcome) => outcome,
  },
  "I-84": leak("a failing MAP leaves a pin", () => (call, o) => call.call === "IOAS_MAP" && !ok(o)),
  "I-85": {
    about: "too little room gets the last ranges",
    plant: () => (call, outcome) => {
      if (call.call !== "IOAS_IOVA_RANGES" || outcome.errno !== "EMSGSIZE") return outcome;
      const { num_iovas } = outcome.out as { num_iovas: number };
      return { ...outcome, out: { ...outcome.out, num_iovas: num_iovas + 1 } } as Outcome;
    },
  },
  "I-86": {
    about: "a second list of allowed IOVAs leaves no room at all",
    plant: () => {
      const lists = new Map<string, number>();
      return (call, outcome) => {
        if (call.call === "IOAS_ALLOW_IOVAS") {
          const name = `${call.fd}/${call.in.ioas_id}`;
          lists.set(name, (lists.get(name) ?? 0) + 1);
        }
        if (call.call !== "IOAS_MAP" || !isAutomatic(call)) return outcome;
        return (lists.get(`${call.fd}/${call.in.ioas_id}`) ?? 0) > 1 ? fails("ENOSPC") : outcome;
      };
    },
  },
  "I-87": once(
    "what the container maps is read-only",
    (call) => call.call === "VFIO_MAP_DMA",
    (call, outcome) =>
      call.call === "TRANSLATE"
        ? withRuns(outcome, (runs) => runs.map((run) => ({ ...run, perm: 1 })))
        : outcome,
  ),
  "I-88": leak(
    "a MAP by a newer caller pins twice",
    () => (call, outcome) =>
      call.call === "RAW" &&
      call.in.nr === IOCTLS.IOAS_MAP.command &&
      call.in.bytes.length > 2 * LAYOUTS.IOAS_MAP.size &&
      ok(outcome),
  ),
  "I-89": {
    about: "an automatic MAP looks at the iova it was given",
    plant: () => (call, outcome) =>
      call.call === "IOAS_MAP" && isAutomatic(call) && call.in.iova % PAGE !== 0n
        ? fails("EINVAL")
        : outcome,
  },
  "I-90": once(
    "copies translate to other pages",
    (call, outcome) => call.call === "IOAS_COPY" && ok(outcome),
    (call, outcome) =>
      call.call === "TRANSLATE"
        ? withRuns(outcome, (runs) => runs.map((run) => ({ ...run, pa: run.pa + (1n << 40n) })))
        : outcome,
  ),
  "I-91": once(
    "a cut takes what lies above it along",
    (call, outcome) => call.call === "VFIO_UNMAP_DMA" && ok(outcome),
    (call, outcome) =>
      call.call === "TRANSLATE" ? withRuns(outcome, (runs) => runs.slice(0, 1)) : outcome,
  ),
  "I-101": {
    about: "a length of 0 with something else wrong is ENOSPC",
    plant: () => (call, outcome) => {
      if (call.call !== "IOAS_MAP" && call.call !== "IOAS_COPY") return outcome;
      return call.in.length === 0n && outcome.errno !== "EINVAL" ? fails("ENOSPC") : outcome;
    },
  },
  "I-104": once(
    "a failed call leaves the ranges narrower",
    (call, outcome) => call.call !== "TRANSLATE" && !ok(outcome),
    (call, outcome) => (call.call === "IOAS_IOVA_RANGES" ? withoutLastRange(outcome) : outcome),
  ),
};
