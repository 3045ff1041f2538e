import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { radix } from "../../impl/radix";
import { Handle } from "../../spec/handle";
import { MOCK_PLATFORM } from "../../spec/platform";
import { MAP_READABLE, OPTION_HUGE_PAGES, OPTION_OP_SET } from "../../spec/uapi/flags";
import type { Bytes, Iova } from "../../spec/units";
import { availableCalls, Composer } from "./composer";
import { Draw } from "./draw";

/** Makes one trace: half a page and one and a half behind it, copied as one. */
const copied = (length: bigint, huge: 0n | 1n) => {
  let c: Composer | undefined;
  class Made extends fc.Arbitrary<number> {
    override generate(random: fc.Random): fc.Value<number> {
      const calls = availableCalls(MOCK_PLATFORM, radix.info.capabilities);
      c = new Composer(MOCK_PLATFORM, calls, new Draw(random));
      return new fc.Value(0, undefined);
    }
    override canShrinkWithoutContext(_: unknown): _ is number {
      return false;
    }
    override shrink(): fc.Stream<fc.Value<number>> {
      return fc.Stream.nil();
    }
  }
  fc.sample(new Made(), 1);
  if (c === undefined) throw new Error("fast-check drew nothing");
  const fd = 0;
  c.make({ call: "OPEN", in: {} });
  for (const _ of [1, 2]) c.make({ call: "IOAS_ALLOC", fd, in: {} });
  const user_va = new Handle("buf0");
  const src_iova = 0x100_0000n as Iova;
  const map = { flags: MAP_READABLE | 1, ioas_id: 1, user_va };
  c.make({ call: "IOAS_MAP", fd, in: { ...map, iova: src_iova, length: 0x800n as Bytes } });
  const behind = { iova: (src_iova + 0x800n) as Iova, length: 0x1800n as Bytes };
  c.make({ call: "IOAS_MAP", fd, in: { ...map, ...behind } });
  const option = { option_id: OPTION_HUGE_PAGES, op: OPTION_OP_SET, object_id: 2, val64: huge };
  c.make({ call: "OPTION", fd, in: option });
  const ids = { src_ioas_id: 1, dst_ioas_id: 2 };
  const args = { ...ids, flags: MAP_READABLE, src_iova, length: length as Bytes };
  return c.make({ call: "IOAS_COPY", fd, in: args });
};

test("areas that meet inside a page are never copied to where huge pages are off", () => {
  expect(copied(0x2000n, 0n)).toMatchObject({
    call: { in: { length: 0n } },
    outcome: { errno: "EINVAL" },
  });
  expect(copied(0x2000n, 1n)).toMatchObject({
    call: { in: { length: 0x2000n } },
    outcome: { errno: 0 },
  });
});
