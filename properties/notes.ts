/** What a whole run knows of one failure. */
import type { CallResult, Failure } from "../spec/results";

/** Errnos of whoever does not know a call. */
const UNKNOWN_CALL = ["ENOTTY", "EOPNOTSUPP", "ENOSYS"];

/** @param nondeterministic SEED:PATH of a sequence that gave two different histories */
export const withNotes = (
  failure: Failure,
  calls: readonly CallResult[],
  nondeterministic: string | undefined,
): Failure => {
  const notes = [
    ...(failure.seedPath === nondeterministic ? [COMES_AND_GOES] : []),
    ...alwaysRefused(failure, calls),
  ];
  return notes.length === 0 ? failure : { ...failure, notes };
};

const COMES_AND_GOES =
  "The same calls, made once more, were answered otherwise: this failure may come and go.";

/** A call that never succeeds is mostly one that is not there: that is said before its clause. */
const alwaysRefused = ({ steps }: Failure, calls: readonly CallResult[]): string[] => {
  const row = steps.find(({ deviates }) => deviates);
  const [, name] = /^(?:\S+ = )?(\w+)\(/.exec(row?.call ?? "") ?? [];
  const made = calls.find(({ call }) => call === name);
  if (made === undefined || made.count < 2) return [];
  const [errno = "", ...others] = Object.keys(made.outcomes);
  if (errno === "OK" || others.length > 0) return [];
  const guess = UNKNOWN_CALL.includes(errno) ? ": is it implemented?" : ".";
  return [
    `Each ${name} of this run (${made.count.toLocaleString("en-US")} of them) was answered ${errno}${guess}`,
  ];
};
