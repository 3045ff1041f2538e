/** The size that a caller gives its structs: a newer one's has more, an older one's less. */
import type { CallName } from "../../../spec/calls";
import type { RawEdits } from "../../../spec/raw";
import {
  HWPT_DIRTY_TRACKING,
  OPTION_HUGE_PAGES,
  OPTION_OP_GET,
  OPTION_OP_SET,
  VFIO_IOAS_GET,
  VFIO_IOAS_SET,
} from "../../../spec/uapi/flags";
import type { IoctlName } from "../../../spec/uapi/ioctls";
import { LAYOUTS } from "../../../spec/uapi/layouts";
import type { Composer } from "../../arbitrary/composer";
import { isIoctl, longer } from "../../arbitrary/framing";
import { drawPlan, freeDevices } from "../plan";
import { relation } from "../relation";
import { type Framing, Side } from "../side";

/** The bytes of a raw call cannot say where an array is, so that this one stays a typed call. */
const isFramed = (call: CallName): call is IoctlName =>
  isIoctl(call) && call !== "IOAS_IOVA_RANGES";

const exact: Framing = (call) => (isFramed(call) ? {} : undefined);

/** Zeros behind the struct, or, where a struct has grown, as much of it as there was at first. */
const resized =
  ({ draw }: Composer): Framing =>
  (call): RawEdits | undefined => {
    if (!isFramed(call)) return undefined;
    const { min, size } = LAYOUTS[call];
    if (min < size && draw.chance(50)) return { keep: min, size: min };
    return longer(size, draw.of(1, 8, 24, 64));
  };

export const SIZES = [
  relation(
    "I-88",
    (tail) => {
      const { c } = tail;
      const { draw } = c;
      const plan = drawPlan(c, draw.int(1, 2));
      const [first] = plan.maps;
      const devices = freeDevices(c);
      if (first === undefined) return;
      const [attach, val64] = [draw.chance(80), draw.of(0n, 1n)];
      const [tables, options] = [draw.chance(60), draw.chance(60)];
      const told = (framed: Framing) => {
        const side = new Side(tail, devices, framed);
        const fd = side.fd();
        const [ioas, other] = [side.ioas(), side.ioas()];
        if (options) {
          const option = { option_id: OPTION_HUGE_PAGES, object_id: other };
          const set = { ...option, op: OPTION_OP_SET, val64 };
          side.make({ call: "OPTION", fd, in: set }, "set");
          side.make({ call: "OPTION", fd, in: { ...option, op: OPTION_OP_GET } }, "get");
          side.make({ call: "VFIO_IOAS", fd, in: { op: VFIO_IOAS_SET, ioas_id: other } }, "compat");
          side.make({ call: "VFIO_IOAS", fd, in: { op: VFIO_IOAS_GET } }, "compat is");
          side.make({ call: "IOAS_ALLOW_IOVAS", fd, in: { ioas_id: other } }, "allow all");
        }
        const to = attach ? side.attach(ioas, "attach") : undefined;
        if (to !== undefined && tables && c.can("HWPT_ALLOC")) {
          const { device: dev_id } = to;
          side.make({ call: "GET_HW_INFO", fd, in: { dev_id } }, "info");
          const args = { dev_id, pt_id: ioas };
          const hwpt = side.make({ call: "HWPT_ALLOC", fd, in: args }, "table").handle();
          const flags = HWPT_DIRTY_TRACKING;
          side.make({ call: "HWPT_ALLOC", fd, in: { ...args, flags } }, "dirty table");
          side.make({ call: "DESTROY", fd, in: { id: hwpt } }, "no table");
        }
        for (const [i, one] of plan.maps.entries()) side.map(ioas, one, `map ${i}`);
        side.map(ioas, first, "onto it");
        side.copy(ioas, other, first, "copy");
        side.translate(to, plan.window, "translations");
        side.pins(plan.maps, "pins");
        side.unmap(ioas, first.at, first.bytes, "unmap");
        side.unmap(ioas, first.at, first.bytes, "again");
        side.make({ call: "DESTROY", fd, in: { id: other } }, "destroy");
        side.translate(to, plan.window, "translations afterwards");
        side.pins(plan.maps, "pins afterwards");
        side.close();
        return side.answers;
      };
      tail.pair(told(exact), told(resized(c)));
    },
    ["RAW"],
  ),
];
