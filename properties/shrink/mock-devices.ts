/** The same trace with devices of the mock driver, which need one call where VFIO needs three. */
import { type Arg, Handle } from "../../spec/handle";
import type { Step } from "../../spec/trace";
import { MAP_FIXED_IOVA } from "../../spec/uapi/flags";
import { type Iova, U64_MAX } from "../../spec/units";
import { IN_APERTURE } from "./values";

interface Cdev {
  /** The iommufd it is bound to; undefined: none yet. */
  fd: Arg<number> | undefined;
  /** The mock device in its place; undefined: it is not attached. */
  mock: string | undefined;
}

/** What a mock device cannot do is left out; whether it still fails is for others to say. */
export const withMockDevices = (steps: readonly Step[]): readonly Step[] => {
  const cdevs = new Map<string, Cdev>();
  /** By the name of what BIND gave. */
  const bound = new Map<string, Cdev>();
  const renamed = new Map<string, Handle>();
  let mocks = 0;
  const made: Step[] = [];
  const arg = <T>(value: Arg<T> | undefined): Arg<T> | undefined =>
    value instanceof Handle ? (renamed.get(value.name) ?? value) : value;
  const cdevOf = (devfd: Arg<number> | undefined): Cdev | undefined =>
    devfd instanceof Handle ? cdevs.get(devfd.name) : undefined;

  const attach = (step: Step, cdev: Cdev | undefined, to: Arg<number> | undefined): void => {
    if (cdev?.fd === undefined || step.as === undefined) return;
    const { fd } = cdev;
    const pt_id = arg(to) ?? 0;
    if (cdev.mock !== undefined) {
      const args = { stdev_id: new Handle(cdev.mock), pt_id };
      made.push({ call: "MOCK_DOMAIN_REPLACE", as: step.as, fd, in: args });
      return;
    }
    cdev.mock = `mock${mocks++}`;
    renamed.set(step.as, new Handle(cdev.mock, "out_hwpt_id"));
    made.push({ call: "MOCK_DOMAIN", as: cdev.mock, fd, in: { pt_id } });
  };

  for (const step of steps) {
    if (step.call === "DEVICE_OPEN" && step.as !== undefined) {
      cdevs.set(step.as, { fd: undefined, mock: undefined });
    } else if (step.call === "VFIO_BIND") {
      const cdev = cdevOf(step.in.devfd);
      if (cdev === undefined) continue;
      cdev.fd = step.in.iommufd;
      if (step.as !== undefined) bound.set(step.as, cdev);
    } else if (step.call === "VFIO_ATTACH") {
      attach(step, cdevOf(step.in.devfd), step.in.pt_id);
    } else if (step.call === "HWPT_ALLOC" && bound.has(nameOf(step.in.dev_id))) {
      // A table by hand is there for a device that is bound; a mock device brings one along.
      attach(step, bound.get(nameOf(step.in.dev_id)), step.in.pt_id);
    } else if (step.call === "VFIO_DETACH" || step.call === "DEVICE_CLOSE") {
      const cdev = cdevOf(step.in.devfd);
      if (cdev?.fd === undefined || cdev.mock === undefined) continue;
      made.push({ call: "DESTROY", fd: cdev.fd, in: { id: new Handle(cdev.mock) } });
      cdev.mock = undefined;
    } else {
      const args = Object.entries(step.in).map(([field, value]) => [field, arg(value)]);
      made.push({ ...step, in: Object.fromEntries(args) } as Step);
    }
  }
  return made;
};

const nameOf = (id: Arg<number> | undefined): string => (id instanceof Handle ? id.name : "");

/**
 * The same maps where a domain of any front end can have them, instead of where they come: with
 * the others as they are, and with the others behind them, as automatic IOVAs mostly are lower.
 */
export const inAperture = function* (steps: readonly Step[]): Generator<readonly Step[]> {
  for (const shift of [0n, IN_APERTURE * BigInt(steps.length)]) {
    yield steps.map((step, i): Step => {
      if (step.call !== "IOAS_MAP") return step;
      const { flags, iova = 0n } = step.in;
      if (typeof flags !== "number") return step;
      const isAutomatic = (flags & MAP_FIXED_IOVA) === 0;
      if (!isAutomatic && typeof iova !== "bigint") return step;
      const place = isAutomatic ? IN_APERTURE * BigInt(i + 1) : (iova as bigint) + shift;
      if (place > U64_MAX) return step;
      return { ...step, in: { ...step.in, flags: flags | MAP_FIXED_IOVA, iova: place as Iova } };
    });
  }
};
