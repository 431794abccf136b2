import { describe, expect, it } from "vitest";
import { PointColumn, pointColumns, pointsError } from "../../src/data/points.ts";
import { DataError } from "../../src/errors.ts";

/** What the rows of one tracer show. @param rows [time, value] in the order of the file */
function found(column: string, rows: readonly (readonly [number, number])[]): string | null {
  const point = new PointColumn(column, rows.length);
  for (const [row, [, value]] of rows.entries()) point.add(value, row);
  const times = Float64Array.from(rows, ([time]) => time);
  const order = Int32Array.from(rows.keys()).sort((a, b) => times[a]! - times[b]! || a - b);
  const grouped = { tracers: [5], order, starts: Int32Array.of(0, rows.length) };
  return pointsError([point], grouped, times, { tracerColumn: "Tracer", where: "x.h5" })?.message ?? null;
}

/** Each point's rows 100 years apart, point after point. */
function parcels(values: readonly ((time: number) => number)[], shift: number): [number, number][] {
  return values.flatMap((value, k) =>
    Array.from({ length: 10 }, (_, i): [number, number] => [100 * i + k * shift, value(100 * i)]),
  );
}

const constants = [0.1, 0.2, 0.3].map((radius) => () => radius);
const numbers = [1, 2, 3].map((point) => () => point);

describe("a tracer with several points", () => {
  it.each(["Point", "point", "POINT ", "point_id", "dstep", "parcel", "GridPoint"])("is told by `%s`", (column) => {
    expect(found(column, parcels(numbers, 0.5))).toBe(
      `the rows of tracer 5 belong to 3 points (\`${column.trim()}\` is 1, 2, 3)\n  at   x.h5\n` +
        `  fix  make the tracer Tracer × Point: frame["Tracer"] = frame.groupby(["Tracer", "${column}"]).ngroup()`,
    );
  });

  it("is told by a number that changes once, or by the rows of one time", () => {
    expect(
      found("Point", [
        [0, 1],
        [100, 1],
        [200, 2],
      ]),
    ).toContain("belong to 2 points (`Point` is 1, 2)");
    expect(found("Point", parcels(numbers, 0))).toContain("belong to 3 points");
  });

  it.each([0, 0.5])("is told by radii that stay, with times that differ by %d years", (shift) => {
    expect(found("parcel_radius", parcels(constants, shift))).toContain(
      "belong to 3 points (`parcel_radius` is 0.1, 0.2, 0.3)",
    );
    expect(found("zone", parcels(numbers, shift))).toContain("belong to 3 points (`zone` is 1, 2, 3)");
  });

  it("is told by parcels that shrink, for which no number stands in the file", () => {
    const shrinking = [1, 2, 3].map((radius) => (time: number) => radius * (1 - time / 2000));
    expect(found("parcel_radius", parcels(shrinking, 7))).toBe(
      "the rows of tracer 5 belong to several points (`parcel_radius` jumps back and forth in time)\n  at   x.h5\n" +
        "  fix  make the tracer Tracer × Point with Point the number of the parcel: " +
        'frame["Tracer"] = frame.groupby(["Tracer", "Point"]).ngroup()',
    );
  });
});

describe("a tracer of one point", () => {
  const times = Array.from({ length: 40 }, (_, i) => 100 * i);

  it("may have a radius that shrinks, bounces once, or carries rounding", () => {
    expect(
      found(
        "parcel_radius",
        times.map((time) => [time, 1 / (1 + time)]),
      ),
    ).toBeNull();
    expect(
      found(
        "parcel_radius",
        times.map((time) => [time, 0.1 + (time - 1500) ** 2]),
      ),
    ).toBeNull();
    expect(
      found(
        "parcel_radius",
        times.map((time, i) => [time, 0.1 + 1e-6 * (i % 2)]),
      ),
    ).toBeNull();
  });

  it("may move through zones, and its radius may go up and down", () => {
    expect(
      found(
        "zone",
        times.map((time, i) => [time, Math.floor(i / 7)]),
      ),
    ).toBeNull();
    expect(
      found(
        "zone",
        times.map((time, i) => [time, i % 8 < 4 ? 3 : 4]),
      ),
    ).toBeNull();
    expect(
      found(
        "radius",
        times.map((time, i) => [time, 8 + Math.sin(2.9 * i)]),
      ),
    ).toBeNull();
  });

  it("may have a dstep that is a length, no number, and lack some values", () => {
    expect(
      found(
        "dstep",
        times.map((time, i) => [time, 0.5 + i]),
      ),
    ).toBeNull();
    expect(
      found(
        "Point",
        times.map((time, i) => [time, i % 2 ? Number.NaN : 2]),
      ),
    ).toBeNull();
  });
});

it("other tracers of that kind are counted", () => {
  const point = new PointColumn("Point", 6);
  for (const [row, value] of [1, 2, 1, 1, 7, 8].entries()) point.add(value, row);
  const grouped = {
    tracers: ["a", "b", "c"],
    order: Int32Array.from([0, 1, 2, 3, 4, 5]),
    starts: Int32Array.of(0, 2, 4, 6),
  };
  const error = pointsError([point], grouped, Float64Array.of(1, 2, 1, 2, 1, 2), { tracerColumn: "Model", where: "x" });
  expect(error!.message).toContain(
    "the rows of tracer a belong to 2 points (`Point` is 1, 2), and 1 other tracer likewise",
  );
  expect(error!.message).toContain('frame["Model"] = frame.groupby(["Model", "Point"]).ngroup()');
});

it("only columns that may tell points are looked at, numbers of points first", () => {
  const columns = [
    "Time",
    "parcel_radius",
    "Point",
    "Av",
    "gasTemp",
    "pointing",
    "cellular",
    "Radfield",
    "zone",
    "POINT",
    "Grid_Point",
  ];
  const texts = { values: ["p1", "p2"], codes: Int32Array.of(0, 1) };
  const labels = (column: string) => {
    if (column === "POINT") throw new DataError("dates");
    return texts;
  };
  const isNumeric = (column: string): boolean => !["POINT", "Grid_Point"].includes(column);
  const found = pointColumns({ columns, rows: 2, isNumeric, labels });
  expect(found.map((column) => [column.name, column.isNumeric])).toEqual([
    ["Point", true],
    ["Grid_Point", false],
    ["parcel_radius", true],
    ["zone", true],
  ]);
});

describe("a column of text", () => {
  const told = (column: string, texts: readonly string[], times: readonly number[]) => {
    const values = [...new Set(texts)].sort();
    const labels = { values, codes: Int32Array.from(texts, (text) => values.indexOf(text)) };
    const frame = { columns: [column], rows: texts.length, isNumeric: () => false, labels: () => labels };
    const order = Int32Array.from(times.keys()).sort((a, b) => times[a]! - times[b]! || a - b);
    const grouped = { tracers: [5], order, starts: Int32Array.of(0, times.length) };
    const where = { tracerColumn: "Tracer", where: "x.h5" };
    return pointsError(pointColumns(frame), grouped, Float64Array.from(times), where)?.message ?? null;
  };
  it("tells points by its texts", () => {
    expect(told("Point", ["p1", "p1", "p2", "p2"], [10, 20, 10, 20])).toBe(
      "the rows of tracer 5 belong to 2 points (`Point` is p1, p2)\n  at   x.h5\n" +
        '  fix  make the tracer Tracer × Point: frame["Tracer"] = frame.groupby(["Tracer", "Point"]).ngroup()',
    );
    // Neighbours in a long list are two places, too.
    const cells = Array.from({ length: 204 }, (_, i) => `c${String(i >> 1).padStart(3, "0")}`);
    expect(told("cell", [...cells, "c100", "c101"], [...cells.keys(), 300, 300])).toContain(
      "102 points (`cell` is c000,",
    );
  });

  it("tells none where one text stands for each tracer, where it is missing, or where a particle moves on", () => {
    expect(told("Point", ["p1", "p1", "p1"], [10, 20, 30])).toBeNull();
    expect(told("Point", ["p1", "nan", ""], [10, 20, 30])).toBeNull();
    expect(told("cell", ["c1", "c1", "c2", "c3"], [10, 20, 30, 40])).toBeNull();
  });
});
