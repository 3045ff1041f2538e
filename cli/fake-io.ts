import type { Io } from "./io";

/** A world for tests: text is kept, the clock ticks once per look, Ctrl-C is a function. */
export interface FakeIo extends Io {
  readonly out: () => string;
  readonly err: () => string;
  readonly interrupt: () => void;
}

export const fakeIo = (cwd: string, env: Io["env"] = {}): FakeIo => {
  const [out, err]: [string[], string[]] = [[], []];
  let clock = 0;
  let onInterrupt: (() => void) | undefined;
  const output = { isTTY: false, columns: 100 };
  return {
    stdout: { ...output, write: (text) => void out.push(text) },
    stderr: { ...output, write: (text) => void err.push(text) },
    cwd,
    env,
    now: () => clock++ * 1000,
    onInterrupt: (callback) => {
      onInterrupt = callback;
      return () => {
        onInterrupt = undefined;
      };
    },
    out: () => out.join(""),
    err: () => err.join(""),
    interrupt: () => onInterrupt?.(),
  };
};
