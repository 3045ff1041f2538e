/**
 * Whether a host leaves a process no CPU. A machine that does not answer may have a kernel that
 * hangs, or a host with other things to do; the two must not be taken for each other.
 */
import fs from "node:fs";

/** What a thread has had so far, in seconds: a CPU, and none although it wanted one. */
export interface Share {
  readonly ran: number;
  readonly waited: number;
}

export type Shares = ReadonlyMap<string, Share>;

/**
 * Who waits for more than this part of the time in which it wants a CPU gets too little. What is
 * left to the others, of the seconds that a hang is given, is many times what the longest call
 * takes. A machine that sleeps, for ever, neither runs nor waits.
 */
const MOST_OF_THE_TIME = 0.75;
const SOME_SECONDS = 2;
const NOTHING: Share = { ran: 0, waited: 0 };

/** Judged by the thread that wanted most: of a machine, its CPU. */
export const isStarved = (before: Shares, after: Shares): boolean => {
  let most = NOTHING;
  for (const [thread, { ran, waited }] of after) {
    const then = before.get(thread) ?? NOTHING;
    const share = { ran: ran - then.ran, waited: waited - then.waited };
    if (wantedBy(share) > wantedBy(most)) most = share;
  }
  return most.waited > SOME_SECONDS && most.waited > MOST_OF_THE_TIME * wantedBy(most);
};

const wantedBy = ({ ran, waited }: Share): number => ran + waited;

/** Begins to watch a process; what it answers tells whether it was starved since then. */
export const watchShares = (pid: number | undefined): (() => boolean) => {
  const before = sharesOf(pid);
  return () => isStarved(before, sharesOf(pid));
};

/** Empty where nobody counts that. */
export const sharesOf = (pid: number | undefined): Shares => {
  const threads = `/proc/${pid}/task`;
  const shares = new Map<string, Share>();
  try {
    for (const thread of fs.readdirSync(threads)) {
      // Both in nanoseconds, and how often it ran.
      const told = fs.readFileSync(`${threads}/${thread}/schedstat`, "latin1").split(" ");
      shares.set(thread, { ran: Number(told[0]) / 1e9, waited: Number(told[1]) / 1e9 });
    }
  } catch {
    // It has just ended, or this system does not tell.
  }
  return shares;
};
