/**
 * A machine for workloads, driven through the port like any other IUT: one IOAS, two devices
 * behind two IOMMUs, and one large buffer, contiguous or scattered.
 */
import { RadixMachine } from "../impl/radix/machine";
import type { Call } from "../spec/calls";
import { type Platform, VFIO_PLATFORM } from "../spec/platform";
import type { Bytes, Iova, IovaRange, UserVa } from "../spec/units";

export const PAGE = 4096n;
export const GiB = 2n ** 30n;
/** Where the buffer is: aligned to any huge page. */
export const BUFFER = 0x2000_0000_0000n;

const FIXED = 7;
const AUTO = 6;
const FLAGS = { argsz: 16, flags: 0 };

const platformOf = (length: bigint, hugePage: bigint): Platform => {
  const [device] = VFIO_PLATFORM.devices;
  if (device === undefined) throw new Error("the platform has devices");
  const aperture: IovaRange = [0n as Iova, 0xffff_ffff_ffffn as Iova];
  return {
    ...VFIO_PLATFORM,
    thpSize: hugePage as Bytes,
    iommus: [0, 1].map(() => ({ ioPageSize: Number(PAGE), aperture })),
    devices: [0, 1].map((i) => ({ ...device, iommu: i, group: i, reserved: [] })),
    processes: [
      {
        uid: 0,
        capabilities: ["IPC_LOCK"],
        memlock: null,
        memory: [
          {
            name: "buffer",
            va: BUFFER as UserVa,
            length: length as Bytes,
            prot: "rw",
            kind: "anon-private",
          },
        ],
      },
    ],
  };
};

export class BenchMachine {
  readonly #machine: RadixMachine;
  readonly ioas: number;

  /** @param hugePage bytes of the largest page; the page size makes memory of small pages */
  constructor(length: bigint, hugePage: bigint) {
    this.#machine = new RadixMachine(platformOf(length, hugePage));
    this.#do({ call: "OPEN", in: {} });
    this.ioas = this.allocIoas();
  }

  allocIoas(): number {
    return Number(this.#do({ call: "IOAS_ALLOC", in: { flags: 0 } }, "out_ioas_id"));
  }

  /** Touches pages of the buffer in this order, which is the order of their frames. */
  touch(pages: Iterable<number>): void {
    for (const page of pages) {
      this.#do({ call: "MEM_READ", in: { va: BUFFER + BigInt(page) * PAGE, length: 1 } });
    }
  }

  /** Opens and binds a device, and attaches it. */
  attach(dev: number, ioas = this.ioas): void {
    this.#do({ call: "DEVICE_OPEN", in: { dev } });
    this.#do({ call: "VFIO_BIND", in: { devfd: dev, iommufd: 0, ...FLAGS } });
    this.attachAgain(dev, ioas);
  }

  attachAgain(dev: number, ioas = this.ioas): void {
    this.#do({ call: "VFIO_ATTACH", in: { devfd: dev, pt_id: ioas, ...FLAGS, argsz: 12 } });
  }

  detach(dev: number): void {
    this.#do({ call: "VFIO_DETACH", in: { devfd: dev, ...FLAGS, argsz: 8 } });
  }

  map(va: bigint, length: bigint, iova: bigint, ioas = this.ioas): void {
    const input = { flags: FIXED, ioas_id: ioas, user_va: va, length, iova, reserved: 0 };
    this.#do({ call: "IOAS_MAP", in: input });
  }

  mapAnywhere(va: bigint, length: bigint): bigint {
    const input = { flags: AUTO, ioas_id: this.ioas, user_va: va, length, iova: 0n, reserved: 0 };
    return BigInt(this.#do({ call: "IOAS_MAP", in: input }, "iova") as bigint);
  }

  copy(from: bigint, length: bigint, to: bigint, source = this.ioas, target = this.ioas): void {
    const ids = { src_ioas_id: source, dst_ioas_id: target };
    const input = { flags: FIXED, ...ids, length, src_iova: from, dst_iova: to };
    this.#do({ call: "IOAS_COPY", in: input });
  }

  unmap(iova: bigint, length: bigint, ioas = this.ioas): void {
    this.#do({ call: "IOAS_UNMAP", in: { ioas_id: ioas, iova, length } });
  }

  dma(iova: bigint): void {
    this.#do({
      call: "DMA",
      in: { devfd: 0, iova, length: 8, dir: "to_device", device_offset: 0 },
    });
  }

  end(): void {
    this.#machine.end();
  }

  #do(call: object, out?: string): unknown {
    const outcome = this.#machine.call({ proc: 0, thread: 0, fd: 0, ...call } as unknown as Call);
    if (outcome.errno !== 0) throw new Error(`${JSON.stringify(call, bigints)}: ${outcome.errno}`);
    return out === undefined ? undefined : (outcome.out as unknown as Record<string, unknown>)[out];
  }
}

const bigints = (_key: string, value: unknown): unknown =>
  typeof value === "bigint" ? `0x${value.toString(16)}` : value;
