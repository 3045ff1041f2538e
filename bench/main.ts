/** `npm run bench`: figures as ratios or per second of CPU time; never asserted in a test. */
import { benchHarness } from "./harness";

const sequences = process.argv.includes("--quick") ? 2000 : 10000;

const main = async (): Promise<void> => {
  const stages = await benchHarness(sequences);
  if (process.argv.includes("--json")) {
    process.stdout.write(`${JSON.stringify({ harness: stages }, null, 2)}\n`);
    return;
  }
  for (const { stage, callsPerSecond, microsecondsPerCall } of stages) {
    const rate = callsPerSecond.toLocaleString("en").padStart(10);
    process.stdout.write(
      `${stage.padEnd(22)} ${rate} calls/s ${microsecondsPerCall} µs per call\n`,
    );
  }
};

void main();
