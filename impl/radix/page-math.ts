/** Bytes to pages, for the few places per call where they meet. */

/** Below it, plain numbers are exact, and several times as fast as bigints. */
const EXACT = 2n ** 53n;

/** The page that a byte is in. */
export const pageOf = (byte: bigint, pageSize: number): number =>
  byte < EXACT ? Math.floor(Number(byte) / pageSize) : Number(byte / BigInt(pageSize));

/** Where in its page a byte is. */
export const offsetInPage = (byte: bigint, pageSize: number): number => {
  if (byte >= EXACT) return Number(byte % BigInt(pageSize));
  const plain = Number(byte);
  return plain - Math.floor(plain / pageSize) * pageSize;
};
