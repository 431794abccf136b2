import { describe, expect, it } from "vitest";
import { errorScale } from "../../src/analysis/error-scale.ts";
import { FailureMapSums } from "../../src/analysis/failure-maps.ts";
import { gradientBinsOf } from "../../src/analysis/gradient-bins.ts";
import { TracerBlock } from "../../src/analysis/tracer-blocks.ts";
import { AbundanceScaling } from "../../src/chemistry/scaling.ts";

const scale = errorScale(["H2", "CO"], { lower: 1e-20, upper: 1 }, 1e-12);
const axes = {
  density: { name: "Density", column: 1, low: 4, high: 6 },
  temperature: { name: "gasTemp", column: 0, low: 1, high: 2 },
};
const scaled = (rows: readonly (readonly number[])[]): Float32Array =>
  Float32Array.from(rows.flat(), (log10) => (log10 + 20) / 20);

/** One tracer of three rows, twelve years apart; the first species stays, the second rises a decade a step. */
const clipping = { lower: 1e-20, upper: 1 };
const columns = { species: ["H2", "CO"], physical: ["gasTemp", "Density"], clipping };
const raw = [
  [1e-1, 1e-9, 10, 1e4, 0],
  [1e-1, 1e-8, 99, 9.9e5, 12],
  [1e-1, 1e-7, 12, 1e9, 24],
];
const places = [{ id: 1, start: 0, rows: 3 }];
const block = new TracerBlock(places, Float32Array.from(raw.flat()), columns, {
  scaling: new AbundanceScaling(clipping),
  digests: new Int32Array(),
});
const rows = Int32Array.of(1, 2);
const truth = block.scaledRows(rows);
const mapped = {
  truth: { scaled: truth },
  steps: Int32Array.of(1, 2),
  conditions: block.physical.subarray(0, 4),
  gradient: gradientBinsOf(block, rows, truth, scale),
};
const predicted = scaled([
  [-1, -6],
  [-2, -7],
]);

describe("the failure maps", () => {
  const sums = new FailureMapSums(scale, { plane: axes, conditions: [axes.density] }, 2);
  sums.add(predicted, mapped);
  const { gradient, plane, conditions, heat_map } = sums.maps();

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

  it("hold errors along a parameter, what is outside its range in the outermost bins", () => {
    const [density] = conditions!;
    expect(density!.name).toBe("Density");
    expect(density!.edges_log10).toHaveLength(13);
    expect(density!.rows).toEqual([1, ...Array(10).fill(0), 1]);
    expect(density!.mean_dex[0]).toBeCloseTo(1, 5);
    expect(density!.mean_dex[11]).toBeCloseTo(0.5, 5);
    expect(density!.mean_dex[5]).toBeNull();
  });

  it("hold errors of species by step", () => {
    expect(heat_map.step_edges).toEqual([1, 2, 3]);
    expect(heat_map.mean_dex.map((value) => Number(value!.toFixed(4)))).toEqual([0, 1, 2, 0]);
  });

  it("have no plane without both parameters", () => {
    const none = new FailureMapSums(scale, { plane: null, conditions: [] }, 2);
    none.add(predicted, mapped);
    expect(none.maps().plane).toBeNull();
  });
});
