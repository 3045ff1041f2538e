/** `npm run bench`: figures as ratios or per second of CPU time; never asserted in a test. */
import { benchHarness } from "./harness";

const sequences = process.argv.includes("--quick") ? 2000 : 10000;

const main = async (): Promise<void> => {
  const stages = await benchHarness(sequences);
  if (process.argv.includes("--json")) {
    process.stdout.write(`${JSON.stringify({ harness: stages }, null, 2)}\n`);
    return;
  }
  for (const row of stages) {
    const rate = row.callsPerSecond.toLocaleString("en").padStart(8);
    const elapsed = row.callsPerSecondElapsed.toLocaleString("en");
    const cpu = `${rate} judged calls per CPU second (${row.microsecondsPerCall} µs each)`;
    process.stdout.write(`${row.stage.padEnd(21)} ${cpu}, ${elapsed} elapsed\n`);
  }
};

void main();
