import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { offsetInPage, pageOf } from "./page-math";

test("pages and offsets are exact over all of the 64-bit space", () => {
  const near = fc
    .tuple(fc.constantFrom(0n, 2n ** 31n, 2n ** 53n, 2n ** 63n), fc.bigInt(-9000n, 9000n))
    .map(([place, more]) => (place + more < 0n ? 0n : place + more));
  const byte = fc.oneof(near, fc.bigInt(0n, 2n ** 64n - 1n));
  fc.assert(
    fc.property(byte, fc.constantFrom(2048, 4096, 65536), (at, pageSize) => {
      expect(BigInt(pageOf(at, pageSize))).toBe(at / BigInt(pageSize));
      expect(BigInt(offsetInPage(at, pageSize))).toBe(at % BigInt(pageSize));
    }),
  );
});
