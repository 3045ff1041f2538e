/** The outside world of the command line, so that tests can be it. */
import pc from "picocolors";
import type { Style } from "../reports/console/text";
import { EXIT } from "./exit";
import { systemReason } from "./files";

export interface Output {
  write(text: string): void;
  readonly isTTY: boolean;
  /** Columns of the terminal; 100 where there is none. */
  readonly columns: number;
}

export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where a progress bar may be drawn; absent: nowhere. */
  readonly terminal?: NodeJS.WriteStream;
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
  /** Calls back at most once, on Ctrl-C or SIGTERM; the second one ends the process. */
  onInterrupt(callback: () => void): () => void;
}

const MAX_WIDTH = 100;

export const styleFor = (output: Output, env: Io["env"]): Style => ({
  colors: pc.createColors(wantsColor(output, env)),
  width: Math.min(MAX_WIDTH, Math.max(60, output.columns)),
});

/** no-color.org and force-color.org: a non-empty variable decides, then the terminal. */
const wantsColor = (output: Output, env: Io["env"]): boolean => {
  if ((env["NO_COLOR"] ?? "") !== "") return false;
  if ((env["FORCE_COLOR"] ?? "") !== "") return env["FORCE_COLOR"] !== "0";
  return output.isTTY && env["TERM"] !== "dumb";
};

const outputOf = (stream: NodeJS.WriteStream, onLost = (_: unknown): void => {}): Output => {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // A reader such as `head` that leaves early must not cost the run its exit code.
    if (error.code !== "EPIPE") onLost(error);
  });
  return {
    write: (text) => void stream.write(text),
    isTTY: stream.isTTY === true,
    columns: stream.columns ?? MAX_WIDTH,
  };
};

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** npm passes a Ctrl-C on to a child that the terminal has told already: one key, two signals. */
const ECHO_MS = 500;

/** The real world; `lost` says why text for stdout could not be written, if so. */
export const processIo = (): Io & { readonly lost: () => string | undefined } => {
  let lost: string | undefined;
  const onLost = (error: unknown): void => {
    lost ??= systemReason(error);
  };
  return { ...streams(onLost), lost: () => lost };
};

const streams = (onLost: (error: unknown) => void): Io => ({
  stdout: outputOf(process.stdout, onLost),
  stderr: outputOf(process.stderr),
  cwd: process.cwd(),
  env: process.env,
  ...(process.stderr.isTTY === true && { terminal: process.stderr }),
  now: () => performance.now(),
  onInterrupt: (callback) => {
    let first: number | undefined;
    const onSignal = (): void => {
      const now = performance.now();
      if (first === undefined) {
        first = now;
        callback();
      } else if (now - first > ECHO_MS) {
        process.exit(EXIT.interrupted);
      }
    };
    for (const signal of SIGNALS) process.on(signal, onSignal);
    return () => {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    };
  },
});
