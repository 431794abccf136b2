import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { log10OfFloat32 } from "../../src/chemistry/float32-logarithm.ts";
import { AbundanceScaling } from "../../src/chemistry/scaling.ts";

const bitsOf = (value: number): number => new Uint32Array(Float32Array.of(value).buffer)[0]!;

describe("the logarithm of a float32", () => {
  it("is that of Math.log10, to its last bits", () => {
    const largest = 3.4e38;
    fc.assert(
      fc.property(fc.integer({ min: 0x0080_0000, max: 0x7f7f_ffff }), (bits) => {
        const value = new Float32Array(Uint32Array.of(bits).buffer)[0]!;
        expect(Math.abs(log10OfFloat32(bits) - Math.log10(value))).toBeLessThan(2e-14);
      }),
      { numRuns: 2000 },
    );
    for (const value of [2 ** -126, 1e-20, 0.1, 1 - 2 ** -24, 1, 1 + 2 ** -23, 10, largest].map(Math.fround)) {
      expect(Math.abs(log10OfFloat32(bitsOf(value)) - Math.log10(value))).toBeLessThan(2e-14);
    }
  });

  it("scales float32 as other numbers, in place too, at the limits and beyond", () => {
    const scaling = new AbundanceScaling({ lower: 1e-20, upper: 1 });
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: false, min: -1, max: 2 }), { minLength: 1 }), (values) => {
        const odd = [0, -0, 1, 1e-20, 9e-21, 1.1e-20, 1e-45, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
        const source = Float32Array.of(...values, ...odd);
        const wanted = new Float32Array(source.length);
        scaling.scaleInto([...source], wanted);
        scaling.scaleInto(source, source);
        for (const [i, value] of wanted.entries()) {
          // One unit of float32's last bit where a rounding was a matter of 1e-16.
          if (Number.isNaN(value)) expect(source[i]).toBeNaN();
          else expect(Math.abs(source[i]! - value)).toBeLessThanOrEqual(6e-8 * value);
        }
      }),
    );
  });
});
