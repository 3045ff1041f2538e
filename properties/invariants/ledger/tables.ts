/** HW page tables that HWPT_ALLOC made, and fault queues, in the ledger. */
import type { CallOf } from "../../../spec/calls";
import { HWPT_DIRTY_TRACKING, HWPT_FAULT_ID_VALID } from "../../../spec/uapi/flags";
import { join } from "./devices";
import { DirtyBits } from "./dirty-bits";
import type { Hwpt, Made } from "./ioas";
import type { LedgerState } from "./state";

type Out = Readonly<Record<string, unknown>>;
type Table = CallOf<"HWPT_ALLOC"> | CallOf<"FAULT_QUEUE_ALLOC">;

export const noteTable = (ledger: LedgerState, call: Table, out: Out): void => {
  switch (call.call) {
    case "HWPT_ALLOC":
      make(ledger, call, out["out_hwpt_id"] as number);
      return;
    case "FAULT_QUEUE_ALLOC": {
      const ctx = ledger.contexts.get(call.fd);
      if (ctx === undefined) {
        ledger.lost = true;
        return;
      }
      const id = out["out_fault_id"] as number;
      const queue = { kind: "queue", ctx, id, hwpts: 0 } as const;
      ctx.objects.set(id, queue);
      ctx.openQueues.add(queue);
      ledger.queues.set(out["out_fault_fd"] as number, queue);
      ledger.owners.open(queue, call.proc);
    }
  }
};

const make = (ledger: LedgerState, call: CallOf<"HWPT_ALLOC">, id: number): void => {
  const { dev_id, pt_id, flags, fault_id } = call.in;
  const device = ledger.object(call.fd, dev_id);
  const ioas = ledger.ioas(call.fd, pt_id);
  const parent = ledger.hwpt(call.fd, pt_id);
  const found = ledger.object(call.fd, (flags & HWPT_FAULT_ID_VALID) === 0 ? 0 : fault_id);
  const queue = found?.kind === "queue" ? found : undefined;
  const on = ioas ?? parent?.ioas;
  if (device?.kind !== "device" || on === undefined) {
    ledger.lost = true;
    return;
  }
  const iommu = device.iommu ? ledger.platform.iommus.indexOf(device.iommu) : -1;
  const tracks = parent === undefined && (flags & HWPT_DIRTY_TRACKING) !== 0;
  const unit = BigInt(device.iommu?.ioPageSize ?? ledger.platform.pageSize);
  const dirty = tracks ? new DirtyBits(unit) : undefined;
  const made: Made = { iommu, parent, queue, children: 0, dirty };
  const hwpt: Hwpt = { kind: "hwpt", id, ioas: on, devices: new Set(), made };
  on.ctx.objects.set(id, hwpt);
  if (queue) queue.hwpts++;
  if (parent?.made) {
    parent.made.children++;
    return;
  }
  join(ledger, hwpt);
  on.moved("narrowed");
  on.everAttached = true;
  on.attaches++;
  ledger.handovers++;
};
