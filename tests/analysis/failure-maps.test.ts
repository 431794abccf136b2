import { describe, expect, it } from "vitest";
import { errorScale } from "../../src/analysis/error-scale.ts";
import { FailureMapSums } from "../../src/analysis/failure-maps.ts";
import { gradientBinsOf } from "../../src/analysis/gradient-bins.ts";

const scale = errorScale(["H2", "CO"], { lower: 1e-20, upper: 1 }, 1e-12);
const axes = { density: { column: 1, low: 4, high: 6 }, temperature: { column: 0, low: 1, high: 2 } };
const scaled = (rows: readonly (readonly number[])[]): Float32Array =>
  Float32Array.from(rows.flat(), (log10) => (log10 + 20) / 20);

/** One tracer of three rows, twelve years apart; the first species stays, the second rises a decade a step. */
const block = {
  places: [{ id: 1, start: 0, rows: 3 }],
  rows: 3,
  times: Float64Array.of(0, 12, 24),
  physical: Float32Array.of(10, 1e4, 99, 9.9e5, 12, 1e9), // temperature, density
  scaled: scaled([
    [-1, -9],
    [-1, -8],
    [-1, -7],
  ]),
};
const predicted = scaled([
  [-1, -6],
  [-2, -7],
]);

describe("the failure maps", () => {
  const sums = new FailureMapSums(scale, axes, 2);
  sums.add(predicted, block, 0, gradientBinsOf(block, scale));
  const { gradient, plane, heat_map } = sums.maps();

  it("hold errors against the gradient, where nothing changes in the first bin", () => {
    // A decade in twelve years: 10^-1.08 dex/yr.
    expect(gradient.map(({ from_log10, to_log10, count }) => [from_log10, to_log10, count])).toEqual([
      [-10, -9.5, 2],
      [-1.5, -1, 2],
    ]);
    expect(gradient[0]!.mean_dex).toBeCloseTo(0.5, 5);
    expect(gradient[1]!.mean_dex).toBeCloseTo(1, 5);
  });

  it("hold errors over density and temperature, of the conditions that led to the row", () => {
    const cells = plane!.rows.flatMap((rows, cell) =>
      rows > 0 ? [[Math.floor(cell / 16), cell % 16, plane!.mean_dex[cell]]] : [],
    );
    expect(cells.map(([density, temperature]) => [density, temperature])).toEqual([
      [0, 0],
      [23, 15],
    ]);
    expect(cells[0]![2]).toBeCloseTo(1, 5);
    expect(cells[1]![2]).toBeCloseTo(0.5, 5);
    expect(plane!.mean_dex.filter((value) => value === null)).toHaveLength(24 * 16 - 2);
    expect(plane!.density_edges_log10).toHaveLength(25);
  });

  it("hold errors of species by step", () => {
    expect(heat_map.step_edges).toEqual([1, 2, 3]);
    expect(heat_map.mean_dex.map((value) => Number(value!.toFixed(4)))).toEqual([0, 1, 2, 0]);
  });

  it("have no plane without both parameters", () => {
    const none = new FailureMapSums(scale, null, 2);
    none.add(predicted, block, 0, gradientBinsOf(block, scale));
    expect(none.maps().plane).toBeNull();
  });
});
