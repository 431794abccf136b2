import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AbundanceScaling, LatentScaling, PhysicalScaling } from "../../src/chemistry/scaling.ts";
import { ConfigError, NumericsError } from "../../src/errors.ts";
import { golden } from "../helpers/fixtures.ts";
import { expectClose } from "../helpers/tensors.ts";

const { tensors } = golden("scaling");
const array = (name: string): Float32Array => tensors.get(name)!.data as Float32Array;
const ranges = {
  // Not in the order of the columns: ranges are found by name.
  gasTemp: [13, 133],
  Density: [68481, 1284211415],
  Radfield: [1e-4, 26],
  Av: [0.1, 6914],
} as const;
const tolerance = { relative: 1e-5, absolute: 1e-6 };

function applied(
  f: (source: ArrayLike<number>, target: Float32Array) => void,
  source: ArrayLike<number>,
): Float32Array {
  const target = new Float32Array(source.length);
  f(source, target);
  return target;
}

describe("scaling equals the original's", () => {
  it("for abundances, there and back", () => {
    const scaling = new AbundanceScaling({ lower: 1e-20, upper: 1 });
    const scaled = applied(scaling.scaleInto.bind(scaling), array("abundances"));
    expectClose(scaled, array("abundances_scaled"), tolerance);
    const back = applied(scaling.unscaleInto.bind(scaling), array("abundances_scaled"));
    const expected = array("abundances_roundtrip");
    for (let i = 0; i < back.length; i++) expect(Math.abs(back[i]! / expected[i]! - 1)).toBeLessThan(1e-5);
  });

  it("for physical parameters, paired by name", () => {
    const scaling = new PhysicalScaling(["Density", "Radfield", "Av", "gasTemp"], ranges);
    expectClose(applied(scaling.scaleInto.bind(scaling), array("physical")), array("physical_scaled"), tolerance);
  });

  it("for latents, there and back", () => {
    const scaling = new LatentScaling([-0.17, 7.25]);
    expectClose(applied(scaling.scaleInto.bind(scaling), array("latents")), array("latents_scaled"), tolerance);
    expectClose(
      applied(scaling.unscaleInto.bind(scaling), array("latents_scaled")),
      array("latents_roundtrip"),
      tolerance,
    );
  });
});

describe("AbundanceScaling", () => {
  it("clips what lies outside, zero included", () => {
    const scaling = new AbundanceScaling({ lower: 1e-20, upper: 1 });
    expect([...applied(scaling.scaleInto.bind(scaling), [0, 1e-30, 1e-10, 2])]).toEqual([0, 0, 0.5, 1]);
  });

  it("keeps NaN, so that a check behind it still finds it", () => {
    const scaling = new AbundanceScaling({ lower: 1e-20, upper: 1 });
    expect(applied(scaling.scaleInto.bind(scaling), [Number.NaN])).toEqual(Float32Array.of(Number.NaN));
  });

  it("comes back within float32 for any range", () => {
    const range = fc.tuple(fc.integer({ min: -30, max: -2 }), fc.integer({ min: -1, max: 2 }));
    fc.assert(
      fc.property(range, fc.double({ min: 0, max: 1, noNaN: true }), ([low, high], scaled) => {
        const scaling = new AbundanceScaling({ lower: 10 ** low, upper: 10 ** high });
        const linear = applied(scaling.unscaleInto.bind(scaling), [scaled]);
        expect(applied(scaling.scaleInto.bind(scaling), linear)[0]).toBeCloseTo(scaled, 5);
      }),
    );
  });
});

describe("PhysicalScaling", () => {
  it("comes back within float32, outside of the ranges too, in place or not", () => {
    const scaling = new PhysicalScaling(["Density", "Av"], ranges);
    const row = fc.tuple(
      fc.double({ min: 1, max: 1e12, noNaN: true }),
      fc.double({ min: 1e-4, max: 1e6, noNaN: true }),
    );
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 4 }), (rows) => {
        const values = Float32Array.from(rows.flat());
        const scaled = applied(scaling.scaleInto.bind(scaling), values);
        const back = applied(scaling.unscaleInto.bind(scaling), scaled);
        for (let i = 0; i < values.length; i++) expect(Math.abs(back[i]! / values[i]! - 1)).toBeLessThan(1e-5);
        scaling.scaleInto(values, values);
        expect(values).toEqual(scaled);
      }),
    );
  });

  it("scales the bounds to 0 and 1", () => {
    const scaling = new PhysicalScaling(["gasTemp", "Density"], ranges);
    expectClose(applied(scaling.scaleInto.bind(scaling), [13, 68481, 133, 1284211415]), [0, 0, 1, 1], tolerance);
  });

  it.each([
    [0, 1],
    [-1, 1],
    [2, 2],
    [3, 2],
    [Number.NaN, 1],
    [1, Number.POSITIVE_INFINITY],
  ])("refuses the range [%d, %d]", (lower, upper) => {
    expect(() => new PhysicalScaling(["Av"], { Av: [lower, upper] })).toThrow(ConfigError);
    expect(() => new AbundanceScaling({ lower, upper })).toThrow(ConfigError);
  });

  it("names a parameter without a range", () => {
    expect(() => new PhysicalScaling(["Density", "toString"], ranges)).toThrow(
      "the physical parameter toString has no range",
    );
  });
});

describe("LatentScaling", () => {
  it("scales each component by its own shift and scale, there and back", () => {
    const scaling = new LatentScaling({ shift: [1, -2], scale: [2, 0.5] });
    const scaled = applied(scaling.scaleInto.bind(scaling), [3, -1, 1, -2]);
    expect([...scaled]).toEqual([1, 2, 0, 0]);
    expect([...applied(scaling.unscaleInto.bind(scaling), scaled)]).toEqual([3, -1, 1, -2]);
  });

  it("refuses a component without a width", () => {
    expect(() => new LatentScaling({ shift: [0, 0], scale: [1, 0] })).toThrow(NumericsError);
  });

  it.each([
    [1, 1],
    [2, 1],
    [Number.NaN, 1],
    [Number.NEGATIVE_INFINITY, 1],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ])("refuses the range [%d, %d], which would make every latent NaN", (min, max) => {
    expect(() => new LatentScaling([min, max])).toThrow(NumericsError);
  });
});
