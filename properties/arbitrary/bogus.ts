import type { Arg } from "../../spec/handle";
import type { Composer } from "./composer";
import { BOGUS_IDS } from "./nothing";

/**
 * An id that is not what the call wants: one that names nothing, one of another context, or an
 * object of another type (OBJ-04).
 */
export const otherIds = (c: Composer, fd: number): Arg<number> => {
  const { draw } = c;
  const scene = c.scene;
  const mock = draw.pick(scene.mocks.filter((m) => m.fd === fd));
  const cdev = draw.pick(scene.cdevs.filter((d) => d.fd === fd));
  const foreign = draw.pick(scene.ioases.filter((ioas) => ioas.fd !== fd));
  const other = draw.pick([...scene.hwpts, ...scene.queues].filter((object) => object.fd === fd));
  const others: Arg<number>[] = [
    ...(mock === undefined ? [] : [mock.idev, mock.hwpt, mock.stdev].map((id) => c.object(fd, id))),
    ...(cdev === undefined ? [] : [c.object(fd, cdev.devid)]),
    ...(foreign === undefined ? [] : [c.object(foreign.fd, foreign.id)]),
    ...(other === undefined ? [] : [c.object(fd, other.id)]),
  ];
  if (others.length > 0 && draw.chance(50)) return draw.pick(others) ?? 0;
  return draw.pick(BOGUS_IDS) ?? 0;
};
