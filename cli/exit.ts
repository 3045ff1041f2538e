/** Exit codes (DESIGN §6): scripts of other projects branch on them. */
export const EXIT = {
  conformant: 0,
  failed: 1,
  inconclusive: 2,
  nondeterministic: 3,
  usage: 64,
  badData: 65,
  noInput: 66,
  unavailable: 69,
  internal: 70,
  badConfig: 78,
  interrupted: 130,
} as const;

/** A reason to stop that the user can act on: one line (what, where, what to do) and its code. */
export class Stop extends Error {
  readonly exit: number;

  constructor(exit: number, message: string) {
    super(message);
    this.name = "Stop";
    this.exit = exit;
  }
}

export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** The first line of a message: compilers and loaders add pages to theirs. */
export const firstLine = (error: unknown): string =>
  messageOf(error)
    .split("\n")
    .map((line) => line.trim())
    .find((line) => line !== "") ?? "no reason given";
