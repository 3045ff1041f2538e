/**
 * One of two runs that are compared: an iommufd of its own, the devices it uses, and the answers
 * it got. Both are closed when they have run, so that two sides that run one after the other
 * meet the same machine.
 */
import type { CallName } from "../../spec/calls";
import type { Arg, Handle } from "../../spec/handle";
import { SCRATCH } from "../../spec/platform";
import type { RawEdits } from "../../spec/raw";
import type { StepOf } from "../../spec/trace";
import {
  MAP_FIXED_IOVA,
  VFIO_ATTACH_ARGSZ,
  VFIO_BIND_ARGSZ,
  VFIO_DETACH_ARGSZ,
} from "../../spec/uapi/flags";
import type { Bytes, Iova, IovaRange, UserVa } from "../../spec/units";
import type { Mapping } from "./plan";
import type { Answers, Done, Tail } from "./tail";

const PLENTY = 64;

export interface Attached {
  readonly hwpt: Handle;
  /** The device's id in the iommufd. */
  readonly device: Handle;
  detach(key?: string): void;
}

interface Device {
  attach(ioas: Handle, key?: string): Attached;
  /** Nothing relies on it, whatever it answers. */
  tryAttach(ioas: Handle): void;
}

/** How the bytes of a call are edited; undefined: it is not made of bytes. */
export type Framing = (call: CallName) => RawEdits | undefined;

export class Side {
  readonly answers: Answers = new Map();
  /** Numbers of its iommufd; more than one once it was duplicated. */
  readonly #numbers: Handle[];
  readonly #tail: Tail;
  readonly #unused: number[];
  readonly #cdevs: Handle[] = [];
  readonly #framed: Framing | undefined;

  /**
   * @param devices indices of platform devices that are free to be opened
   * @param framed what is done to the bytes of its calls; absent: they are no bytes
   */
  constructor(tail: Tail, devices: readonly number[], framed?: Framing) {
    this.#tail = tail;
    this.#unused = [...devices];
    this.#framed = framed;
    this.#numbers = [tail.do({ call: "OPEN", in: {} }).handle()];
  }

  /** The iommufd, by any of its numbers: where it has several, one is drawn anew for each call. */
  fd(): Handle {
    const [first, ...others] = this.#numbers;
    const { draw } = this.#tail.c;
    const number = others.length === 0 ? first : draw.pick(this.#numbers);
    if (number === undefined) throw new Error("the side is closed");
    return number;
  }

  /** One more number for the same iommufd. */
  duplicate(): void {
    this.#numbers.push(this.make({ call: "DUP", fd: this.fd(), in: {} }).handle());
  }

  /** Closes one of its numbers. */
  letGo(): void {
    const fd = this.fd();
    this.#numbers.splice(this.#numbers.indexOf(fd), 1);
    this.make({ call: "CLOSE", fd, in: {} });
  }

  /** Makes a step; with a key its answer is compared with that of the other side. */
  make<K extends CallName>(given: StepOf<K>, key?: string): Done {
    const raw = this.#framed?.(given.call);
    const step = raw === undefined ? given : { ...given, raw };
    if (key === undefined) return this.#tail.do(step);
    const done = this.#tail.tell(step);
    this.answers.set(key, done.step);
    return done;
  }

  ioas(): Handle {
    return this.make({ call: "IOAS_ALLOC", fd: this.fd(), in: {} }).handle();
  }

  map(ioas: Handle, mapping: Mapping, key?: string): Done {
    return this.make(this.#mapStep(ioas, mapping), key);
  }

  /** Nothing relies on it, whatever it answers. */
  tryMap(ioas: Handle, mapping: Mapping): Done {
    return this.#tail.try(this.#mapStep(ioas, mapping));
  }

  #mapStep(ioas: Handle, { va, bytes, at, flags }: Mapping): StepOf<"IOAS_MAP"> {
    const fixed = at === undefined ? {} : { iova: at };
    const args = {
      flags: flags | (at === undefined ? 0 : MAP_FIXED_IOVA),
      ioas_id: ioas,
      user_va: va as Arg<UserVa>,
      length: bytes,
      ...fixed,
    };
    return { call: "IOAS_MAP", fd: this.fd(), in: args };
  }

  /** Copies what `mapping` mapped in `from` to `at` in `to`. */
  copy(
    from: Handle,
    to: Handle,
    mapping: Mapping & { readonly at: Iova; readonly to?: Iova },
    key?: string,
  ): Done {
    const args = {
      flags: mapping.flags | MAP_FIXED_IOVA,
      dst_ioas_id: to,
      src_ioas_id: from,
      length: mapping.bytes,
      src_iova: mapping.at,
      dst_iova: mapping.to ?? mapping.at,
    };
    return this.make({ call: "IOAS_COPY", fd: this.fd(), in: args }, key);
  }

  unmap(ioas: Handle, iova: Arg<Iova>, bytes: bigint, key?: string): Done {
    const args = { ioas_id: ioas, iova, length: bytes as Bytes };
    return this.make({ call: "IOAS_UNMAP", fd: this.fd(), in: args }, key);
  }

  allow(ioas: Handle, ranges: readonly (readonly [bigint, bigint])[]): void {
    const args = {
      ioas_id: ioas,
      num_iovas: ranges.length,
      allowed_iovas: SCRATCH.va,
      array: ranges as readonly IovaRange[],
    };
    this.make({ call: "IOAS_ALLOW_IOVAS", fd: this.fd(), in: args });
  }

  /** Gives the IOAS a domain with a further device; undefined when there is none. */
  attach(ioas: Handle, key?: string): Attached | undefined {
    return this.arrive()?.attach(ioas, key);
  }

  /** A further device, ready to be attached. */
  arrive(): Device | undefined {
    const { c } = this.#tail;
    if (c.can("MOCK_DOMAIN")) return this.#mock();
    const dev = c.can("VFIO_ATTACH") ? this.#unused.shift() : undefined;
    return dev === undefined ? undefined : this.#cdev(dev);
  }

  /** Leaves out one device, so that the next one is the other side's next one too. */
  skip(): undefined {
    this.#unused.shift();
  }

  /** The device comes with being attached. */
  #mock(): Device {
    const domain = (ioas: Handle) => ({
      call: "MOCK_DOMAIN" as const,
      fd: this.fd(),
      in: { pt_id: ioas },
    });
    return {
      tryAttach: (ioas) => this.#tail.try(domain(ioas)),
      attach: (ioas, key) => {
        const mock = this.make(domain(ioas), key);
        const detach = (gone?: string): void => {
          this.make({ call: "DESTROY", fd: this.fd(), in: { id: mock.handle() } }, gone);
        };
        return {
          hwpt: mock.handle("out_hwpt_id"),
          device: mock.handle("out_idev_id"),
          detach,
        };
      },
    };
  }

  #cdev(dev: number): Device {
    const devfd = this.make({ call: "DEVICE_OPEN", in: { dev } }).handle();
    this.#cdevs.push(devfd);
    const bind = { devfd, argsz: VFIO_BIND_ARGSZ, iommufd: this.fd() };
    const device = this.make({ call: "VFIO_BIND", in: bind }).handle();
    const attachment = (pt_id: Handle) => ({
      call: "VFIO_ATTACH" as const,
      in: { devfd, argsz: VFIO_ATTACH_ARGSZ, pt_id },
    });
    return {
      tryAttach: (ioas) => this.#tail.try(attachment(ioas)),
      attach: (ioas, key) => {
        const hwpt = this.make(attachment(ioas), key).handle();
        const detach = (gone?: string): void => {
          this.make({ call: "VFIO_DETACH", in: { devfd, argsz: VFIO_DETACH_ARGSZ } }, gone);
        };
        return { hwpt, device, detach };
      },
    };
  }

  ranges(ioas: Handle, key: string): void {
    const args = {
      ioas_id: ioas,
      num_iovas: PLENTY,
      allowed_iovas: SCRATCH.va,
      writable_elems: PLENTY,
    };
    this.make({ call: "IOAS_IOVA_RANGES", fd: this.fd(), in: args }, key);
  }

  /** What the domain translates in a window, one byte beyond each end included. */
  translate(to: Attached | undefined, [first, last]: readonly [bigint, bigint], key: string): void {
    if (to !== undefined) this.walk(to, [first - 1n, last + 1n], key);
  }

  /** The same without a byte beyond. */
  walk({ hwpt }: Attached, [first, last]: readonly [bigint, bigint], key: string): void {
    if (!this.#tail.c.can("TRANSLATE")) return;
    const args = { hwpt_id: hwpt, iova: first as Iova, last: last as Iova };
    this.make({ call: "TRANSLATE", fd: this.fd(), in: args }, key);
  }

  pins(mappings: readonly Mapping[], key: string): void {
    if (!this.#tail.c.can("PAGE_REFS")) return;
    for (const [i, { pages }] of mappings.entries()) {
      const args = { uptr: pages.va as Arg<UserVa>, length: pages.bytes };
      this.make({ call: "PAGE_REFS", fd: this.fd(), in: args }, `${key} of ${i}`);
    }
  }

  locked(key: string): void {
    if (this.#tail.c.can("PROC_STATUS")) this.make({ call: "PROC_STATUS", in: {} }, key);
  }

  close(): void {
    for (const devfd of this.#cdevs) this.make({ call: "DEVICE_CLOSE", in: { devfd } });
    while (this.#numbers.length > 0) this.letGo();
  }
}

/** The same, told twice: one side after the other, their answers paired by key. */
export const compareSides = (
  tail: Tail,
  devices: readonly number[],
  first: (side: Side) => void,
  second: (side: Side) => void,
): void => {
  const [a, b] = [first, second].map((run) => {
    const side = new Side(tail, devices);
    run(side);
    side.close();
    return side.answers;
  });
  if (a !== undefined && b !== undefined) tail.pair(a, b);
};
