/** The values of flags, each with a message that says what would have been right. */
import { PROFILES, type Profile } from "../spec/verdict";
import { EXIT, Stop } from "./exit";
import { didYouMean } from "./near";

const bad = (flag: string, given: string, expected: string): Stop =>
  new Stop(EXIT.usage, `${flag} ${JSON.stringify(given)}: expected ${expected}`);

/** Seeds of fast-check are 32-bit. */
const SEED_MIN = -(2 ** 31);
const SEED_MAX = 2 ** 31 - 1;

const integer = (text: string, min: number, max: number): number | undefined => {
  if (!/^-?\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
};

/** "random" stands for a seed that the run draws and prints. */
export const parseSeed = (text: string): number | "random" => {
  if (text === "random") return "random";
  const seed = integer(text, SEED_MIN, SEED_MAX);
  if (seed === undefined) {
    throw bad("--seed", text, `a whole number ${SEED_MIN}..${SEED_MAX}, or "random"`);
  }
  return seed;
};

/** A path. The empty one, as of an unset variable of a script, would mean the present folder. */
export const parsePath =
  (flag: string, expected: string) =>
  (text: string): string => {
    if (text.trim() === "") throw bad(flag, text, expected);
    return text;
  };

const SEQUENCES_MAX = 1_000_000_000;

export const parseSequences = (text: string): number => {
  const sequences = integer(text, 1, SEQUENCES_MAX);
  if (sequences === undefined) {
    throw bad("--sequences", text, `a whole number from 1 to ${SEQUENCES_MAX}`);
  }
  return sequences;
};

export const parseJobs = (text: string): number => {
  const jobs = integer(text, 1, 1024);
  if (jobs === undefined) throw bad("--jobs", text, "a whole number from 1 to 1024");
  return jobs;
};

const LENGTH_MAX = 10_000;

export const parseLength = (text: string): readonly [min: number, max: number] => {
  const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(text);
  const [min, max] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match === null || min < 1 || max < min || max > LENGTH_MAX) {
    throw bad("--length", text, `calls per sequence: N or MIN-MAX, 1..${LENGTH_MAX}`);
  }
  return [min, max];
};

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

export const parseTime = (text: string): number => {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)?$/.exec(text);
  const ms = Math.round(Number(match?.[1]) * (UNITS[match?.[2] ?? "s"] ?? 0));
  if (match === null || ms < 1) throw bad("--time", text, "a duration such as 90s, 5m or 1h");
  return ms;
};

export const parseShard = (text: string): readonly [index: number, of: number] => {
  const match = /^(\d{1,6})\/(\d{1,6})$/.exec(text);
  const [index, of] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || index < 1 || index > of) {
    throw bad("--shard", text, "i/n with i from 1 to n, such as 2/8");
  }
  return [index, of];
};

export const CAMPAIGNS: Readonly<Record<string, string>> = {
  random: "state-aware random sequences on every platform of the IUT",
};

export const parseCampaign = (text: string): string => {
  if (Object.hasOwn(CAMPAIGNS, text)) return text;
  throw bad("--campaign", text, `one of ${Object.keys(CAMPAIGNS).join(", ")}`);
};

export const DEFAULT_PROFILE: Profile = "linux-6.12";

export const parseProfile = (text: string): Profile => {
  const profile = PROFILES.find((known) => known === text);
  if (profile !== undefined) return profile;
  throw bad("--profile", text, `one of ${PROFILES.join(", ")}${didYouMean(text, PROFILES)}`);
};

export const FORMATS = ["json", "html"] as const;

/** One report: which format into which file. */
export interface ReportFile {
  readonly format: (typeof FORMATS)[number];
  readonly file: string;
}

/** Gathers repeated --format F=FILE. */
export const parseFormat = (text: string, before: readonly ReportFile[] = []): ReportFile[] => {
  const cut = text.indexOf("=");
  const format = FORMATS.find((known) => known === text.slice(0, Math.max(cut, 0)));
  const file = text.slice(cut + 1);
  if (format === undefined || file === "") {
    throw bad("--format", text, `F=FILE with F one of ${FORMATS.join(", ")}`);
  }
  if (before.some((other) => other.file === file)) {
    throw bad("--format", text, "a file of its own for every report");
  }
  return [...before, { format, file }];
};

/** Gathers repeated --clause GLOB. */
export const parseGlob = (text: string, before: readonly string[] = []): string[] => {
  if (text === "") throw bad("--clause", text, 'a glob of clause ids, such as "MAP-*"');
  return [...before, text];
};

/** What `list` can list. */
export const LISTINGS = {
  clauses: "the statements of the uAPI that are tested: id, basis, needs",
  calls: "the calls of a trace: arguments, outputs, and what each needs of an IUT",
  iuts: "what --iut takes",
  mutants: "bugs planted in radix, for --iut mutant:NAME",
  campaigns: "ways of producing traces",
  invariants: "statements over all answers of a history",
} as const;
export type Listing = keyof typeof LISTINGS;
export const LISTING_NAMES = Object.keys(LISTINGS) as Listing[];
