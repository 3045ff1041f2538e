const done = new WeakSet<object>();

/** Freezes a value and everything in it, for the eyes of code that is not ours. */
export const deepFreeze = <T>(value: T): T => {
  if (typeof value !== "object" || value === null || done.has(value)) return value;
  done.add(value);
  for (const item of Object.values(value)) deepFreeze(item);
  return Object.freeze(value);
};
