/**
 * Two hypotheses about a machine that no later answer can tell apart are one. The outline of a
 * state says all that decides which answers are right; what it leaves out decides at most which
 * clause is counted or named.
 */
import type { MachineState } from "./machine";

/** Of no account to any rule: what never changes, what coverage remembers, and the model's own numbers. */
const LEFT_OUT: ReadonlySet<string> = new Set([
  "platform",
  "spec",
  "calls",
  "born",
  "seen",
  "seenRefs",
  "seenStatus",
  "filledStale",
  "goneHwpts",
  "frame",
  "nextFrame",
]);

/** Copies may be of another realm, with classes of its own: so no instanceof. */
const isA = <T extends object>(name: string, value: object): value is T =>
  Object.prototype.toString.call(value) === `[object ${name}]`;

export const outlineOf = (machine: MachineState): string => {
  const numbers = new Map<object, number>();
  const write = (value: unknown): string => {
    if (typeof value !== "object" || value === null) return `${typeof value} ${String(value)}`;
    const known = numbers.get(value);
    if (known !== undefined) return `#${known}`;
    numbers.set(value, numbers.size);
    const parts: string[] = [];
    if (ArrayBuffer.isView(value)) {
      parts.push(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("hex"));
    } else if (isA<Map<unknown, unknown>>("Map", value)) {
      for (const [key, item] of value) parts.push(`${write(key)}: ${write(item)}`);
    } else if (isA<Set<unknown>>("Set", value) || Array.isArray(value)) {
      for (const item of value) parts.push(write(item));
    } else {
      for (const [name, item] of Object.entries(value)) {
        if (!LEFT_OUT.has(name)) parts.push(`${name}: ${write(item)}`);
      }
    }
    return `${value.constructor.name}(${parts.join()})`;
  };
  return write(machine);
};
