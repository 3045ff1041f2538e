#!/usr/bin/env node
/** The entry: arguments in, exit code out. Everything heavy is loaded by the subcommand. */
import { CommanderError } from "commander";
import { inert } from "../spec/inert";
import { reasonOf } from "../spec/thrown";
import { EXIT, firstLine, messageOf, Stop } from "./exit";
import { type Io, processIo } from "./io";
import { didYouMean } from "./near";
import { buildProgram, SUBCOMMANDS, type Subcommands, seeHelp } from "./program";
import { isOurs } from "./stray";
import { hasLoaded } from "./ts-loader";
import { LISTING_NAMES } from "./values";

// `require` and not `import()`: in a CommonJS package the latter needs file extensions.
const SUBCOMMAND: Subcommands = {
  run: (...args) => {
    const { run }: typeof import("./run") = require("./run");
    return run(...args);
  },
  replay: (...args) => {
    const { replay }: typeof import("./replay") = require("./replay");
    return replay(...args);
  },
  judge: (...args) => {
    const { judge }: typeof import("./judge") = require("./judge");
    return judge(...args);
  },
  kernelBuild: (...args) => {
    const { kernelBuild }: typeof import("./kernel") = require("./kernel");
    return kernelBuild(...args);
  },
  kernelStatus: (...args) => {
    const { kernelStatus }: typeof import("./kernel") = require("./kernel");
    return kernelStatus(...args);
  },
  kernelSmoke: (...args) => {
    const { kernelSmoke }: typeof import("./kernel-smoke") = require("./kernel-smoke");
    return kernelSmoke(...args);
  },
  list: (...args) => {
    const { list }: typeof import("./list") = require("./list");
    return list(...args);
  },
};

/** Runs one command line; answers its exit code and never throws. */
export const main = async (argv: readonly string[], io: Io): Promise<number> => {
  try {
    refuseUnknownSubcommand(argv);
    let exit: number = EXIT.conformant;
    const program = buildProgram(SUBCOMMAND, io, (code) => {
      exit = code;
    });
    await program.parseAsync(argv, { from: "user" });
    return exit;
  } catch (error) {
    return fail(error, argv, io);
  }
};

/** `run` is the default, so commander would take an unknown word for an argument of `run`. */
const refuseUnknownSubcommand = (argv: readonly string[]): void => {
  const first = argv.find((word) => word !== "--json");
  if (first === undefined || first.startsWith("-")) return;
  refuseUnknown("subcommand", first, SUBCOMMANDS);
  const next = argv[argv.indexOf(first) + 1];
  const known = WORDS_AFTER[first];
  if (known === undefined || next === undefined || next.startsWith("-")) return;
  refuseUnknown(KINDS_OF_WORD[first] ?? "subcommand", next, known);
};

/** Subcommands that take a word more. */
const WORDS_AFTER: Readonly<Record<string, readonly string[]>> = {
  help: SUBCOMMANDS,
  list: LISTING_NAMES,
  kernel: ["build", "status", "smoke"],
};

const KINDS_OF_WORD: Readonly<Record<string, string>> = {
  list: "listing",
  kernel: "subcommand of kernel",
};

const refuseUnknown = (kind: string, word: string, known: readonly string[]): void => {
  if (known.includes(word)) return;
  const expected = `expected one of ${known.join(", ")}`;
  throw new Stop(EXIT.usage, `unknown ${kind} ${word}: ${expected}${didYouMean(word, known)}`);
};

const fail = (error: unknown, argv: readonly string[], io: Io): number => {
  const say = (line: string): void => io.stderr.write(`iommufd-conformance: ${inert(line)}\n`);
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.conformant;
    say(`${usageMessage(error, argv)}; ${seeHelp(argv.find((w) => isSubcommand(w)))}`);
    return EXIT.usage;
  }
  if (error instanceof Stop) {
    say(error.message);
    return error.exit;
  }
  if (error instanceof Error && error.name === "DataError") {
    say(error.message);
    return EXIT.badData;
  }
  say(
    `internal error: ${firstLine(error)}. This is a bug of the harness and says nothing about ` +
      "the implementation: please report it with this command line and the output of DEBUG=1",
  );
  if ((io.env["DEBUG"] ?? "") !== "") {
    io.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  }
  return EXIT.internal;
};

const isSubcommand = (word: string): boolean => SUBCOMMANDS.some((known) => known === word);

/** Commander's message on one line: "unknown option '--sed' (did you mean --seed?)". */
const usageMessage = (error: CommanderError, argv: readonly string[]): string => {
  if (error.code === "commander.help") {
    const words = WORDS_AFTER[argv.find((word) => word in WORDS_AFTER) ?? ""] ?? [];
    return `${argv.join(" ")}: say what, one of ${words.join(", ")}`;
  }
  return messageOf(error)
    .replace(/^error: /, "")
    .replace(/\s*\n\s*/g, " ")
    .replace(/\.$/, "");
};

/** Leaves when everything is written, even if an IUT left a timer behind. */
const leave = (exit: number, lost: () => string | undefined): void => {
  const end = (): void => {
    const reason = lost();
    if (reason !== undefined) {
      process.stderr.write(`iommufd-conformance: cannot write to stdout: ${reason}\n`);
      // Whoever reads the output must not take what is missing for a clean run.
      if (exit === EXIT.conformant) decided = EXIT.badConfig;
    }
    process.stderr.write("", () => process.exit());
  };
  // The error of a write may be told after the write that follows it has been called back.
  process.stdout.write("", () => setImmediate(end));
};

/** The exit code, once there is one: nothing that an IUT does later can change it. */
let decided: number | undefined;

/** Takes a progress bar away and shows the cursor again: the run ends in the middle of it. */
const TIDY = "\r\u001b[K\u001b[?25h";

const runAsProcess = (): void => {
  const argv = process.argv.slice(2);
  const io = processIo();
  const tidy = (): void => void io.terminal?.write(TIDY);
  // An IUT in this process may end it: that must not look like a conformant run.
  process.on("exit", () => {
    if (decided === undefined) {
      tidy();
      const what = "the IUT ended the process, or left a run without an answer";
      process.stderr.write(`iommufd-conformance: ${what}; nothing was judged\n`);
    }
    process.exitCode = decided ?? EXIT.unavailable;
  });
  // So may what it throws from a timer, or a rejection that nobody waits for.
  const onStray = (thrown: unknown): void => {
    if (decided !== undefined) return;
    tidy();
    const isForeign = hasLoaded() && !isOurs(thrown);
    decided = fail(isForeign ? thrownOutside(thrown) : thrown, argv, io);
    process.exit();
  };
  process.on("uncaughtException", onStray);
  process.on("unhandledRejection", onStray);
  void main(argv, io).then((exit) => {
    decided = exit;
    leave(exit, io.lost);
  });
};

const thrownOutside = (thrown: unknown): Stop => {
  const what = `the IUT threw outside of run(): ${reasonOf(thrown)}`;
  return new Stop(EXIT.unavailable, `${what}; no later answer is judged, failures until then stay`);
};

if (require.main === module) runAsProcess();
