/** Processes: their limits, their users. */
import { OPTION_OP_SET, OPTION_RLIMIT_MODE } from "../../../spec/uapi/flags";
import { type Bytes, U64_MAX } from "../../../spec/units";
import type { Aim } from "../aim";
import { probeProcess } from "../probes";
import { PAGE } from "../values";

const USER = 1000;

/** ACT-03, I-36: a limit that a few mappings reach. */
export const memlockAim: Aim = {
  name: "memlock",
  family: "process",
  weight: 6,
  calls: ["SETRLIMIT_MEMLOCK"],
  make: (c) => {
    const { draw } = c;
    const pages = BigInt(draw.of(0, 1, 2, 4, 8, 12, 16, 24));
    const cur = pages * PAGE + draw.of(0n, 0n, 0n, 1n, PAGE - 1n);
    const max = draw.of(U64_MAX, U64_MAX, U64_MAX, 64n * PAGE, cur, cur - 1n);
    const args = { cur: cur as Bytes, max: (max < 0n ? 0n : max) as Bytes };
    c.make({ call: "SETRLIMIT_MEMLOCK", in: args });
    return true;
  },
};

/** -1, which is no user. */
const NOBODY = 0xffff_ffff;

/** ACT-01: from then on pins are charged. */
export const setuidAim: Aim = {
  name: "setuid",
  family: "process",
  weight: 4,
  calls: ["SETUID"],
  make: (c) => {
    c.make({
      call: "SETUID",
      in: { uid: c.draw.of(USER, USER, USER, USER, USER, 1001, 0, NOBODY) },
    });
    probeProcess(c);
    return true;
  },
};

/** OPT-05, ACT-04: pins of this iommufd are charged to processes, not to users. */
export const byProcessAim: Aim = {
  name: "by-process",
  family: "process",
  weight: 3,
  calls: ["OPTION", "OPEN", "SETUID"],
  make: (c, scene) => {
    if (scene.fds.length >= 3) return false;
    const { outcome } = c.make({ call: "OPEN", in: {} });
    const fd = (outcome.out as { fd: number } | undefined)?.fd;
    if (fd === undefined) return true;
    const args = { option_id: OPTION_RLIMIT_MODE, op: OPTION_OP_SET, val64: 1n };
    c.make({ call: "OPTION", fd: c.iommufd(fd), in: args });
    c.make({ call: "IOAS_ALLOC", fd: c.iommufd(fd), in: {} });
    return true;
  },
};

/** GEN-22: from then on the file goes by two numbers. */
export const dupAim: Aim = {
  name: "dup",
  family: "process",
  weight: 3,
  calls: ["DUP"],
  make: (c, { fds }) => {
    const fd = c.draw.pick(fds);
    if (fd === undefined || fds.length >= 4) return false;
    c.make({ call: "DUP", fd: c.fileOf(fd), in: {} });
    return true;
  },
};

const PROCESSES = 3;

/** GEN-22, ACT-08, I-39: another process has the same files, and its own memory. */
export const forkAim: Aim = {
  name: "fork",
  family: "process",
  weight: 5,
  calls: ["FORK"],
  make: (c, { processes }) => {
    const { draw } = c;
    if (processes.length >= PROCESSES) return false;
    c.make({ call: "FORK", in: { child: draw.int(1, PROCESSES) } });
    c.proc = draw.pick(c.scene.processes) ?? 0;
    return true;
  },
};

/** Whoever made a mapping may be gone before it. */
export const exitAim: Aim = {
  name: "exit",
  family: "process",
  weight: 2,
  calls: ["EXIT"],
  make: (c, { processes }) => {
    if (processes.length < 2) return false;
    c.make({ call: "EXIT", in: {} });
    const gone = c.proc;
    if (c.can("PROC_STATUS") && c.draw.chance(20)) {
      c.look({ call: "PROC_STATUS", proc: gone, in: {} });
    }
    c.proc = c.scene.processes[0] ?? 0;
    return true;
  },
};

/** The next calls are another process's. */
export const switchAim: Aim = {
  name: "switch-process",
  family: "process",
  weight: 12,
  calls: ["FORK"],
  make: (c, { processes }) => {
    if (processes.length < 2) return false;
    c.proc = c.draw.pick(processes) ?? 0;
    probeProcess(c);
    return true;
  },
};
