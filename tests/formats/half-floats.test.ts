import { expect, it } from "vitest";
import { widenHalves } from "../../src/formats/half-floats.ts";

// Bit patterns from IEEE 754 binary16 and bfloat16, by hand.
it.each([
  [
    "F16",
    [0x3c00, 0xc000, 0x0001, 0x03ff, 0x7bff, 0x3555, 0x7c00, 0x7e00],
    [1, -2, 2 ** -24, 1023 * 2 ** -24, 65504, 1365 / 4096, Infinity, Number.NaN],
  ],
  ["BF16", [0x3f80, 0xc000, 0x3eab, 0x7f80, 0x0080], [1, -2, 171 / 512, Infinity, 2 ** -126]],
] as const)("widens %s without rounding", (type, bits, values) => {
  expect(widenHalves(Uint16Array.from(bits), type)).toEqual(Float32Array.from(values));
});
