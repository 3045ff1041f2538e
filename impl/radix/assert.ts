/**
 * For programmer mistakes only. What user space gets wrong is an errno, never an exception, so
 * a failing assertion always means that this implementation is broken.
 */
export function assert(holds: boolean, sentence: string): asserts holds {
  if (!holds) throw new Error(`radix: ${sentence}`);
}
