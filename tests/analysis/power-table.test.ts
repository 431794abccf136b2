import fc from "fast-check";
import { expect, it } from "vitest";
import { PowerTable } from "../../src/analysis/power-table.ts";

it("powers in bulk are those of the exponential, within the table and beyond it", () => {
  for (const [lower, upper] of [
    [-20, 0],
    [-30, 2],
    [-1, 0.3],
  ] as const) {
    const table = new PowerTable(lower, upper);
    fc.assert(
      fc.property(fc.array(fc.float({ min: -2, max: 3, noNaN: true }), { minLength: 2, maxLength: 50 }), (values) => {
        const source = Float32Array.from(values);
        const out = new Float64Array(source.length - 1);
        table.fill(source, 1, out.length, out);
        for (const [i, value] of out.entries()) {
          const wanted = Math.exp((source[i + 1]! * (upper - lower) + lower) * Math.LN10);
          expect(Math.abs(value / wanted - 1)).toBeLessThan(3e-14);
        }
      }),
    );
    const odd = new Float64Array(3);
    table.fill(Float32Array.of(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY), 0, 3, odd);
    expect([...odd]).toEqual([Number.NaN, Number.POSITIVE_INFINITY, 0]);
  }
});
