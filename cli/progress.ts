import { SingleBar } from "cli-progress";
import { count } from "../reports/summary";
import type { Io } from "./io";

export interface Progress {
  update(done: number, total: number, failures: number): void;
  stop(): void;
}

/** A bar on a terminal; silence anywhere else. */
export const progressOn = (io: Io): Progress => {
  const { terminal } = io;
  if (terminal === undefined || io.env["TERM"] === "dumb") {
    return { update: () => {}, stop: () => {} };
  }
  const bar = new SingleBar({
    stream: terminal,
    format: "  {bar} {percentage}%  {done} of {all} sequences  {failures}",
    barsize: 32,
    barCompleteChar: "━",
    barIncompleteChar: "─",
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: false,
  });
  let [started, stopped] = [false, false];
  return {
    update: (done, total, failures) => {
      if (stopped) return;
      const shown = failures === 0 ? "" : `${failures} failing`;
      const payload = { done: count(done), all: count(total), failures: shown };
      if (started) bar.update(done, payload);
      else bar.start(total, done, payload);
      started = true;
    },
    stop: () => {
      if (started && !stopped) bar.stop();
      stopped = true;
    },
  };
};
