import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FittedTracers } from "../../src/analysis/fitted-tracers.ts";
import { chooseNearest } from "../../src/analysis/nearest-choice.ts";
import { NearestHistory } from "../../src/analysis/nearest-history.ts";

describe("the nearest history", () => {
  it("is the one with the least mean squared difference over the rows that both have", () => {
    const nearest = new NearestHistory(2, 3);
    nearest.add(Float32Array.of(0, 0, 1, 1, 2, 2));
    nearest.add(Float32Array.of(0, 0, 1, 1)); // shorter, as near where it has rows
    nearest.add(Float32Array.of(5, 5, 5, 5, 5, 5));
    expect(nearest.find(Float32Array.of(0, 0, 1, 1, 2, 2.5))).toBe(1);
    expect(nearest.find(Float32Array.of(4, 5, 5, 4, 5, 5))).toBe(2);
    expect(nearest.find(Float32Array.of(0, 0, 1, 1))).toBe(0);
  });

  it("looks at some of the parameters where it is told to", () => {
    const nearest = new NearestHistory(2, 2, [1]);
    nearest.add(Float32Array.of(0, 5, 0, 5));
    nearest.add(Float32Array.of(9, 1, 9, 1));
    expect(nearest.find(Float32Array.of(0, 2, 0, 1))).toBe(1);
  });

  it("compares long histories at rows spread over their length", () => {
    const nearest = new NearestHistory(1, 1000);
    const ramp = (slope: number): Float32Array => Float32Array.from({ length: 1000 }, (_, row) => slope * row);
    for (const slope of [0, 1, 2]) nearest.add(ramp(slope));
    expect([ramp(0.4), ramp(0.6), ramp(9)].map((history) => nearest.find(history))).toEqual([0, 1, 2]);
  });

  it("is the one that a look at every row of every history finds, the first of equals", () => {
    const longest = 40;
    const history = fc
      .integer({ min: 1, max: longest })
      .chain((rows) => fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 2 * rows, maxLength: 2 * rows }));
    fc.assert(
      fc.property(fc.array(history, { minLength: 1, maxLength: 12 }), history, (known, asked) => {
        const nearest = new NearestHistory(2, longest);
        for (const each of known) nearest.add(Float32Array.from(each));
        const distances = known.map((each) => {
          const length = Math.min(each.length, asked.length);
          return each.slice(0, length).reduce((sum, value, i) => sum + (value - asked[i]!) ** 2, 0) / length;
        });
        expect(nearest.find(Float32Array.from(asked))).toBe(distances.indexOf(Math.min(...distances)));
      }),
    );
  });
});

describe("the choice of its parameters", () => {
  /** One species, which the first parameter alone decides; the second is larger and means nothing. */
  const known = (count: number, noise: number): FittedTracers => {
    const tracers = new FittedTracers(2, 1, 4);
    for (let k = 0; k < count; k++) {
      const row = [k / count, noise * ((7 * k) % count)];
      tracers.add(new Float32Array(4).fill(row[0]!), Float32Array.from([...row, ...row, ...row, ...row]));
    }
    return tracers;
  };

  it("takes those by which each training tracer is predicted best by another one", () => {
    const choice = chooseNearest(known(20, 1), 20);
    // The neighbour along the first parameter is 1/20 of 20 dex away.
    expect(choice.columns).toEqual([0]);
    expect(choice.dex).toBeCloseTo(1, 5);
    expect(choice.dex_by_all).toBeGreaterThan(2);
  });

  it("takes all where fewer are no better, and where there are too few tracers to tell", () => {
    expect(chooseNearest(known(20, 0), 20).columns).toEqual([0, 1]);
    expect(chooseNearest(known(2, 1), 20)).toEqual({ columns: [0, 1], dex: null, dex_by_all: null });
  });
});
