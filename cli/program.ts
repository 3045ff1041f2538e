/** The grammar of the command line. What the subcommands do is loaded when one is chosen. */
import { Command } from "commander";
import { VERSION } from "../spec/version";
import type { Io } from "./io";
import type { JudgeFlags } from "./judge";
import type { KernelBuildFlags, KernelStatusFlags } from "./kernel";
import type { KernelSmokeFlags } from "./kernel-smoke";
import type { ListFlags } from "./list";
import { PROGRAM } from "./package-root";
import type { ReplayFlags } from "./replay";
import type { RunFlags } from "./run";
import {
  DEFAULT_PROFILE,
  LISTING_NAMES,
  LISTINGS,
  type Listing,
  parseCampaign,
  parseFormat,
  parseGlob,
  parseJobs,
  parseLength,
  parsePath,
  parseProfile,
  parseSeed,
  parseSequences,
  parseShard,
  parseTime,
} from "./values";

const DEFAULT_DB = ".iommufd-conformance";

/** What the chosen subcommand does; answers the exit code. */
export interface Subcommands {
  run(flags: RunFlags, io: Io): Promise<number>;
  replay(what: string, flags: ReplayFlags, io: Io): Promise<number>;
  judge(files: readonly string[], flags: JudgeFlags, io: Io): Promise<number>;
  list(what: Listing, flags: ListFlags, io: Io): Promise<number>;
  kernelBuild(flags: KernelBuildFlags, io: Io): Promise<number>;
  kernelStatus(flags: KernelStatusFlags, io: Io): Promise<number>;
  kernelSmoke(flags: KernelSmokeFlags, io: Io): Promise<number>;
}

const AFTER_HELP = `
IUT specs:
  radix            the performance-focused implementation of this package (default)
  model            the reference model as IUT, to check the harness itself
  mutant:NAME      radix with one planted bug, see \`list mutants\`
  ts:./file.ts     a TypeScript or JavaScript module that exports an Iut
  linux            the iommufd of a Linux kernel in a VM, see \`kernel build\`
  linux:PATH       the same for any vmlinux or bzImage

Exit codes:
   0  conformant, or failed as expected       65  bad data file
   1  not conformant                          66  nothing selected, or no such input
   2  inconclusive                            69  IUT unavailable
   3  nondeterminism                          70  internal error
  64  usage                                   78  bad configuration
 130  interrupted; capsules and the report are there, as far as it came

Without a subcommand: run, with all its defaults.
`;

const iut = (command: Command, about: string): Command => command.option("--iut <spec>", about);

const profile = (command: Command): Command =>
  command.option(
    "--profile <name>",
    "which clauses bind: documented or linux-6.12",
    parseProfile,
    DEFAULT_PROFILE,
  );

const lengthAbout = "calls per sequence: N or MIN-MAX (default: 30-60)";

/** `finish` gets the exit code of the subcommand that ran. */
export const buildProgram = (
  subcommands: Subcommands,
  io: Io,
  finish: (exit: number) => void,
): Command => {
  const program = new Command("iommufd-conformance")
    .usage("[subcommand] [flags]")
    .description("Property-based conformance tests for implementations of the Linux iommufd uAPI.")
    .version(VERSION, "--version")
    .option("--json", "print one JSON document on stdout, and everything else on stderr")
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => {} })
    .addHelpText("after", AFTER_HELP);
  const subcommand = (usage: string, about: string, options = {}): Command =>
    program.command(usage, options).description(about).allowExcessArguments(false);

  const run = subcommand("run", "run a campaign against an implementation", { isDefault: true });
  profile(iut(run, "implementation under test (default: radix)"))
    .option("--campaign <name>", "how traces are produced", parseCampaign, "random")
    .option("--seed <n>", 'seed of all randomness, or "random" to draw one', parseSeed, 1)
    .option("--sequences <n>", "budget: how many sequences (default: 3000)", parseSequences)
    .option("--length <n>", lengthAbout, parseLength)
    .option("--time <duration>", "stop after this time, such as 90s or 5m: a cap only", parseTime)
    .option("--clause <glob>", "judge these clauses only, such as 'MAP-*' (repeatable)", parseGlob)
    .option("--shard <i/n>", "run the i-th of n shares of the sequences", parseShard)
    .option(
      "--db <dir>",
      "folder for capsules; those in it are replayed first",
      parsePath("--db", "a folder"),
      DEFAULT_DB,
    )
    .option(
      "--known-failing <file>",
      "failures to expect: a list of {clause, kind, reason}",
      parsePath("--known-failing", "a file"),
    )
    .option(
      "--format <F=FILE>",
      "write a report, json or html (repeatable; default: both into reports/out)",
      parseFormat,
    )
    .option("--record <file>", "write all histories as recordings that `judge` reads")
    .action(async (_: unknown, command: Command) => {
      finish(await subcommands.run(command.optsWithGlobals(), io));
    });

  const replay = subcommand("replay <file|seed:path>", "run one trace again, and judge it");
  iut(replay, "implementation under test (default: the capsule's, or radix)")
    .option("--profile <name>", "which clauses bind (default: the capsule's)", parseProfile)
    .option("--length <n>", `for SEED:PATH; ${lengthAbout}`, parseLength)
    .action(async (what: string, _: unknown, command: Command) => {
      finish(await subcommands.replay(what, command.optsWithGlobals(), io));
    });

  const judge = subcommand("judge <file...>", "judge recordings, histories and capsules; no IUT");
  profile(judge).action(async (files: string[], _: unknown, command: Command) => {
    finish(await subcommands.judge(files, command.optsWithGlobals(), io));
  });

  const list = subcommand("list", "list what there is").action(() => list.help({ error: true }));
  for (const what of LISTING_NAMES) {
    list
      .command(what)
      .description(LISTINGS[what])
      .allowExcessArguments(false)
      .action(async (_: unknown, command: Command) => {
        finish(await subcommands.list(what, command.optsWithGlobals(), io));
      });
  }

  const kernel = subcommand("kernel", "the kernel that --iut linux boots").action(() =>
    kernel.help({ error: true }),
  );
  kernel
    .command("build")
    .description("build it: from Debian's linux-source-6.12, or from a kernel tree")
    .allowExcessArguments(false)
    .option("--source <dir>", "a kernel tree; it stays untouched")
    .option("--config-fragment <file>", "further lines of configuration, such as CONFIG_KASAN=y")
    .option("--jobs <n>", "compilers at a time (default: one per CPU)", parseJobs)
    .action(async (_: unknown, command: Command) => {
      finish(await subcommands.kernelBuild(command.optsWithGlobals(), io));
    });
  kernel
    .command("status")
    .description("say what has been built; exits 69 when nothing has")
    .allowExcessArguments(false)
    .action(async (_: unknown, command: Command) => {
      finish(await subcommands.kernelStatus(command.optsWithGlobals(), io));
    });
  kernel
    .command("smoke")
    .description("boot it, measure it, and end it under a trace")
    .allowExcessArguments(false)
    .option("--kernel <file>", "a vmlinux or bzImage (default: the one built last)")
    .action(async (_: unknown, command: Command) => {
      finish(await subcommands.kernelSmoke(command.optsWithGlobals(), io));
    });
  return program;
};

export const SUBCOMMANDS = ["run", "replay", "judge", "list", "kernel", "help"] as const;

/** Where to read on, for the end of a message about usage. */
export const seeHelp = (subcommand = ""): string =>
  `see: ${PROGRAM} ${subcommand === "" ? "" : `${subcommand} `}--help`;
