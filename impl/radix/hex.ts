/** Bytes as lower-case hex digits, the form they have in calls and outcomes. */

export const toHex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");

/** A plain array of its own: slices of a Buffer would share its memory. */
export const fromHex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));
