/** The predicted state of the model, as the generator looks at it (view.ts). */
import type { Model } from "../../model/model";
import type { CdevView, IoasView, MockView, SceneView } from "./view";

export const sceneOf = (model: Model): SceneView => {
  const { state } = model;
  const fds: number[] = [];
  const ioases: IoasView[] = [];
  const mocks: MockView[] = [];
  const fdOf = new Map<unknown, number>();
  for (const [fd, context] of state.fds) {
    if (!context.open) continue;
    fds.push(fd);
    fdOf.set(context, fd);
    for (const object of context.objects.values()) {
      if (object.type === "ioas") {
        const { id, areas, alignment, hugePages, usable, allowed } = object;
        const hwpts = object.hwpts.map((hwpt) => hwpt.id);
        ioases.push({ fd, id, areas, alignment, hugePages, ranges: usable, allowed, hwpts });
      }
      if (object.type === "stdev") {
        const { hwpt } = object.device.group;
        if (hwpt === undefined) continue;
        const idev = object.device.id;
        mocks.push({ fd, stdev: object.id, idev, hwpt: hwpt.id, ioas: hwpt.ioas.id });
      }
    }
  }
  const cdevs = [...state.cdevs].map(([devfd, { device, bound }]): CdevView => {
    const hwpt = bound?.group.attached.includes(bound) ? bound.group.hwpt : undefined;
    return {
      devfd,
      dev: state.devices.indexOf(device),
      fd: bound === undefined ? undefined : fdOf.get(bound.context),
      devid: bound?.id ?? 0,
      hwpt: hwpt?.id,
      ioas: hwpt?.ioas.id,
    };
  });
  return { fds, ioases, mocks, cdevs };
};
