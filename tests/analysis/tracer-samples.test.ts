import { describe, expect, it } from "vitest";
import { curvesOf } from "../../src/analysis/tracer-samples.ts";

const range = { log10_lower: -20, log10_upper: 0 };

describe("the curves of all species", () => {
  it("are log10 abundances to hundredths, of the emulation where there is one", () => {
    const [actual, emulated] = [Float32Array.of(0.5, 0.25, 0.75, 1), Float32Array.of(0.5, 0.25, Number.NaN, 0.9)];
    const curves = curvesOf(
      { rows: 2, actual, emulated, reconstructed: actual },
      { surrogate: { species: ["CO", "H2O"] }, ...range },
    );
    expect(curves).toEqual({
      rows: [0, 1],
      actual: [
        [-10, -5],
        [-15, 0],
      ],
      predicted: [
        [-10, null],
        [-15, -2],
      ],
    });
  });

  it.each([
    [300, 333, 100],
    [300, 1000, 40],
    [300, 20_000, 8],
    [5, 333, 5],
    [1, 3, 1],
  ])("of %i rows of %i species have %i points, the first and the last row among them", (rows, count, points) => {
    const scaled = new Float32Array(rows * count);
    const species = Array.from({ length: count }, (_, s) => `S${s}`);
    const curves = curvesOf(
      { rows, actual: scaled, emulated: null, reconstructed: scaled },
      { surrogate: { species }, ...range },
    );
    expect(curves.rows).toHaveLength(points);
    expect(new Set(curves.rows).size).toBe(points);
    expect(curves.rows).toEqual(curves.rows.toSorted((a, b) => a - b));
    expect([curves.rows[0], curves.rows.at(-1)]).toEqual([0, rows - 1]);
    expect(curves.predicted).toHaveLength(count);
  });
});
