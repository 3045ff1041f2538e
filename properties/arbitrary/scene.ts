/** The predicted state of the model, as the generator looks at it (view.ts). */
import type { Model } from "../../model/model";
import type { MachineState } from "../../model/state/machine";
import type { AnyHwpt, Context, Ioas } from "../../model/state/objects";
import type {
  AccessView,
  CdevView,
  DeviceView,
  HwptView,
  IoasView,
  MockView,
  QueueView,
  SceneView,
} from "./view";

export const sceneOf = ({ state }: Model): SceneView => {
  const fds: number[] = [];
  const ioases: IoasView[] = [];
  const mocks: MockView[] = [];
  const devices: DeviceView[] = [];
  const hwpts: HwptView[] = [];
  const queues: QueueView[] = [];
  const fdOf = new Map<Context, number>();
  for (const [fd, context] of state.fds) {
    if (!context.open) continue;
    fds.push(fd);
    // By one of its numbers; the composer uses the others as well.
    if (fdOf.has(context)) continue;
    fdOf.set(context, fd);
    for (const object of context.objects.values()) {
      switch (object.type) {
        case "ioas":
          ioases.push(ioasView(fd, object, object === context.compat));
          break;
        case "hwpt":
        case "nested":
          hwpts.push(hwptView(state, fd, object));
          break;
        case "device":
          devices.push({ fd, id: object.id, tracksDirty: object.tracksDirty });
          break;
        case "fault": {
          const [file] = [...state.faultFiles].find(([, queue]) => queue === object) ?? [];
          const { id, waiting, unanswered, goneCookies } = object;
          const read = { unanswered: [...unanswered.keys()], gone: [...goneCookies] };
          queues.push({ fd, id, file, waiting: waiting.length, ...read });
          break;
        }
        case "stdev": {
          const { hwpt } = object.device.group;
          if (hwpt === undefined) break;
          const idev = object.device.id;
          mocks.push({ fd, stdev: object.id, idev, hwpt: hwpt.id, ioas: hwpt.ioas.id });
          break;
        }
      }
    }
  }
  const cdevs: CdevView[] = [];
  for (const [devfd, { device, bound }] of state.cdevs) {
    const hwpt = bound?.group.attached.includes(bound) ? bound.group.hwpt : undefined;
    cdevs.push({
      devfd,
      dev: state.devices.indexOf(device),
      fd: bound === undefined ? undefined : fdOf.get(bound.context),
      devid: bound?.id ?? 0,
      hwpt: hwpt?.id,
      ioas: hwpt?.ioas.id,
    });
  }
  const accesses: AccessView[] = [];
  for (const [file, access] of state.accesses) {
    const fd = fdOf.get(access.context);
    if (fd === undefined) continue;
    const { ioas, pinsPages, ranges, revoked } = access;
    const pinned = [...ranges.keys()];
    accesses.push({ file, fd, ioas: ioas.id, pinsPages, pinned, revoked: [...revoked] });
  }
  const processes: number[] = [];
  for (let i = 0; i < state.processes.length; i++) {
    if (state.processes[i] !== undefined) processes.push(i);
  }
  return { processes, fds, ioases, mocks, cdevs, devices, hwpts, accesses, queues };
};

const ioasView = (fd: number, ioas: Ioas, isCompat: boolean): IoasView => {
  const { id, areas, alignment, hugePages, usable, allowed } = ioas;
  const hwpts = ioas.hwpts.map((hwpt) => hwpt.id);
  return { fd, id, areas, alignment, hugePages, ranges: usable, allowed, hwpts, isCompat };
};

const hwptView = (state: MachineState, fd: number, hwpt: AnyHwpt): HwptView => {
  const { id, ioas } = hwpt;
  const nested = hwpt.type === "nested";
  return {
    fd,
    id,
    ioas: ioas.id,
    auto: !nested && hwpt.auto,
    nestParent: !nested && hwpt.nestParent,
    tracking: nested ? undefined : hwpt.dirty?.tracking,
    ioPageSize: state.iommus[hwpt.iommu]?.ioPageSize ?? state.page,
    iotlb: nested ? hwpt.iotlb : undefined,
    faults: nested && hwpt.queue !== undefined,
  };
};
