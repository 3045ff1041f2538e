/** What the process does with its memory while devices may be using it. */
import { Handle } from "../../../spec/handle";
import type { MemoryRegion } from "../../../spec/platform";
import { type Bytes, U64_MAX, type UserVa } from "../../../spec/units";
import type { Aim } from "../aim";
import type { Composer } from "../composer";
import { probeRefs, probeWholeDomains } from "../probes";
import { PAGE } from "../values";
import type { SceneView } from "../view";

interface Pages {
  readonly region: MemoryRegion;
  readonly va: Handle;
  readonly length: Bytes;
}

/** One to four pages, mostly at the start of a region, where the mappings are. */
const pages = (c: Composer): Pages | undefined => {
  const { draw, platform } = c;
  const region = draw.pick(platform.processes[0]?.memory ?? []);
  if (region === undefined) return undefined;
  const first = draw.int(0, 4);
  const count = Math.min(draw.int(1, 4), Number(region.length / PAGE) - first);
  if (count <= 0) return undefined;
  const va = new Handle(region.name, "", PAGE * BigInt(first));
  return { region, va, length: (PAGE * BigInt(count)) as Bytes };
};

const look = (c: Composer, scene: SceneView, { va, length }: Pages): void => {
  const fd = scene.fds[0];
  if (fd !== undefined && c.draw.chance(60)) probeRefs(c, fd, va, length);
  const ioas = c.draw.pick(scene.ioases.filter((i) => i.hwpts.length > 0));
  if (ioas !== undefined && c.draw.chance(50)) probeWholeDomains(c, ioas);
};

const aim = (
  name: string,
  weight: number,
  call: Aim["calls"][0],
  step: (c: Composer, p: Pages) => void,
): Aim => ({
  name,
  weight,
  calls: [call],
  make: (c, scene) => {
    const found = pages(c);
    if (found === undefined) return false;
    step(c, found);
    look(c, scene, found);
    return true;
  },
});

export const mmapAim = aim("mmap", 2, "MMAP", (c, { va, length }) => {
  const kind = c.draw.of("anon-shared" as const, "anon-private" as const, "memfd" as const);
  const prot = c.draw.of("rw" as const, "rw" as const, "rw" as const, "r" as const);
  // The lowest page is root's alone, and must not be there for what NULL is passed to.
  const isRoot = c.model.state.processes[c.proc]?.uid === 0;
  const isLowest = !isRoot && c.draw.chance(15);
  c.make({ call: "MMAP", in: { va: isLowest ? (0n as UserVa) : va, length, prot, kind } });
});

export const munmapAim = aim("munmap", 1, "MUNMAP", (c, { va, length }) => {
  c.make({ call: "MUNMAP", in: { va, length } });
});

export const mprotectAim = aim("mprotect", 1, "MPROTECT", (c, { va, length }) => {
  const prot = c.draw.of("rw" as const, "rw" as const, "r" as const, "none" as const);
  const most = c.draw.of(1n << 47n, U64_MAX >> 1n, U64_MAX - PAGE + 1n) as Bytes;
  c.make({ call: "MPROTECT", in: { va, length: c.draw.chance(5) ? most : length, prot } });
});

/** Somewhere in the pages, also across their end. */
const place = (c: Composer, { va, length }: Pages): Handle =>
  new Handle(va.name, "", va.add + c.draw.of(0n, 8n, length - 8n, length - 2n));

export const memWriteAim = aim("mem-write", 3, "MEM_WRITE", (c, found) => {
  const bytes = c.draw.int(0, 0xffff_ffff).toString(16).padStart(8, "0");
  c.make({ call: "MEM_WRITE", in: { va: place(c, found), bytes: bytes.repeat(c.draw.of(1, 2)) } });
});

export const memReadAim = aim("mem-read", 3, "MEM_READ", (c, found) => {
  c.look({ call: "MEM_READ", in: { va: place(c, found), length: c.draw.of(4, 8, 16) } });
});
