import fc from "fast-check";
import { expect, it } from "vitest";
import { toJsonLine } from "../../src/commands/json-line.ts";

it("writes finite records as plain JSON", () => {
  expect(toJsonLine({ epoch: 3, loss: { total: 0.5 } })).toBe('{"epoch":3,"loss":{"total":0.5}}');
});

it("replaces NaN and infinities by null and says where they were", () => {
  expect(toJsonLine({ mean: Number.NaN, loss: { total: Number.POSITIVE_INFINITY }, list: [1, -Infinity] })).toBe(
    '{"mean":null,"loss":{"total":null},"list":[1,null],"nonfinite":{"mean":"NaN","loss.total":"Infinity","list.1":"-Infinity"}}',
  );
});

it("always makes one line of strict JSON", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.oneof(fc.double(), fc.string(), fc.constant(null))), (record) => {
      const line = toJsonLine(record);
      expect(line).not.toContain("\n");
      JSON.parse(line);
    }),
  );
});
