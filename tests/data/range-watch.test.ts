import { describe, expect, it } from "vitest";
import { RangeWatch } from "../../src/data/range-watch.ts";

const parameters = [
  { name: "Density", range: [1e4, 1e9] },
  { name: "gasTemp", range: [10, 100] },
] as const;

function linesOf(rows: readonly (readonly number[])[]): string[] {
  const watch = new RangeWatch(parameters, "trained");
  for (const [row, values] of rows.entries()) watch.add(values, 0, () => `row ${row}`);
  return watch.lines();
}

describe("conditions outside of their ranges", () => {
  it("are a line for each parameter: how many rows, how far, the first", () => {
    const rows = [
      [1e5, 50],
      [1e3, 20],
      [1e6, 4000],
      [1e10, 99],
    ];
    expect(linesOf(rows)).toEqual([
      "Density: 2 of 4 rows outside the trained range 10000 to 1e+9, down to 1000 and up to 1e+10; the first is 1000 in row 1",
      "gasTemp: 1 of 4 rows outside the trained range 10 to 100, up to 4000; the first is 4000 in row 2",
    ]);
  });

  it("are none at the ends, rounded as files round them", () => {
    expect(
      linesOf([
        [Math.fround(1e9), 100],
        [1e4 * 0.9999, 10],
      ]),
    ).toEqual([]);
  });

  it("are none of a constant that float32 rounds", () => {
    for (const value of [20.29, 3.3e-17, 123456.789]) {
      const trained = Number(Math.fround(value).toPrecision(9));
      const watch = new RangeWatch([{ name: "Av", range: [trained, trained] }], "trained");
      watch.add(Float32Array.of(value), 0, () => "row 0");
      expect(watch.lines()).toEqual([]);
      watch.add(Float32Array.of(value * (1 + 1e-6)), 0, () => "row 1");
      expect(watch.lines()).toHaveLength(1);
    }
  });

  it("are asked about where they look like logarithms, or like each other", () => {
    expect(
      linesOf([
        [5, 50],
        [6, 60],
      ])[0],
    ).toContain("(are these log10 values?)");
    const [density, temperature] = linesOf([
      [50, 1e5],
      [60, 1e6],
    ]);
    expect(density).toContain("(these look like gasTemp: are the columns in another order?)");
    expect(temperature).toContain("(these look like Density");
  });

  it("count NaN and what is not positive", () => {
    expect(
      linesOf([
        [Number.NaN, 50],
        [0, 50],
      ])[0],
    ).toContain("2 of 2 rows");
  });

  it("are an error where they are refused, and nothing where there is no range", () => {
    const watch = new RangeWatch(parameters, "configured");
    watch.add([1, 50], 0, () => "row 0");
    expect(() => watch.tell(() => {}, true, "clean.h5")).toThrow(/outside the ranges\n {2}Density: 1 of 1 rows/);
    const open = new RangeWatch([{ name: "Timestep", range: undefined }], "trained");
    open.add([1e30], 0, () => "");
    expect(open.lines()).toEqual([]);
  });
});
