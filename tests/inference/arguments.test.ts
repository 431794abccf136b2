import { describe, expect, it } from "vitest";
import {
  checkShape,
  checkValues,
  type Dimension,
  finite,
  linearAbundance,
  type MatrixInput,
  linearPhysical as physicalOf,
} from "../../src/inference/arguments.ts";

const zeros = (...shape: number[]): MatrixInput => ({
  data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
  shape,
});
const linearPhysical = physicalOf([{ name: "Density", range: [1, 2] }]);
const wanted: Dimension[] = ["b", "t", ["physical", 4]];

describe("a shape", () => {
  it("fits with any length where a name alone is wanted", () => {
    checkShape("physical", zeros(1, 1, 4), wanted);
    checkShape("physical", zeros(7, 300, 4), wanted);
    checkShape("physical", { data: [1, 2, 3, 4], shape: [1, 1, 4] }, wanted);
  });

  it.each([
    ["too few dimensions", zeros(8, 4)],
    ["too many", zeros(1, 2, 2, 4)],
    ["another length", zeros(1, 2, 5)],
    ["an empty dimension", zeros(0, 2, 4)],
    ["no whole length", { data: [1, 2, 3, 4, 5, 6], shape: [1.5, 1, 4] }],
    ["a negative length", { data: [1, 2, 3, 4], shape: [-1, -1, 4] }],
  ])("is refused with %s", (_, value) => {
    const shown = `physical has shape [${value.shape.join(", ")}], not [b, t, physical=4]`;
    expect(() => checkShape("physical", value, wanted)).toThrow(shown);
  });

  it("is refused where it does not mean as many values as there are", () => {
    const value = { data: new Float32Array(9), shape: [1, 2, 4] };
    expect(() => checkShape("physical", value, wanted)).toThrowErrorMatchingInlineSnapshot(`
      [DataError: physical holds 9 values, but its shape [1, 2, 4] means 8
        at   physical
        fix  make data and shape agree]
    `);
  });

  // What a plain JavaScript script may give.
  it.each([
    ["nothing", undefined],
    ["null", null],
    ["an array alone", [[1, 2, 3, 4]]],
    ["a number for data", { data: 3, shape: [1, 1, 4] }],
    ["no data", { shape: [1, 1, 4] }],
    ["no shape", { data: [1, 2, 3, 4] }],
    ["a number for shape", { data: [1, 2, 3, 4], shape: 4 }],
  ])("is asked for where %s was given", (_, value) => {
    expect(() => checkShape("physical", value as unknown as MatrixInput, wanted)).toThrow(
      "physical is not an array with a shape\n  at   physical\n  fix  give { data, shape } with shape [b, t, physical=4]",
    );
  });
});

describe("a value", () => {
  const check = (value: unknown, allowed: Parameters<typeof checkValues>[2]) => () =>
    checkValues("x", { data: [1, value as number], shape: [1, 2] }, allowed);
  const { POSITIVE_INFINITY, NEGATIVE_INFINITY, NaN: nan } = Number;

  it.each([
    [
      "an abundance",
      linearAbundance(1e-20),
      [0, -0, 1e-300, -1e-300, -9.9e-21, 1, 1e30],
      [-1e-20, -1e-3, nan, POSITIVE_INFINITY, NEGATIVE_INFINITY],
    ],
    ["a physical parameter", linearPhysical, [1e-300, 1, 1e30], [0, -0, -1, nan, POSITIVE_INFINITY, NEGATIVE_INFINITY]],
    ["a scaled value or latent", finite, [0, -5, 1e30], [nan, POSITIVE_INFINITY, NEGATIVE_INFINITY]],
  ])("that is %s is allowed or refused", (_, allowed, good, bad) => {
    for (const value of good) expect(check(value, allowed), String(value)).not.toThrow();
    for (const value of bad) {
      expect(check(value, allowed), String(value)).toThrow(`x holds ${value}; ${allowed.words}\n  at   x[0, 1]\n`);
    }
  });

  it("that is no number is refused: JSON turns NaN into null, which would pass for 0", () => {
    for (const value of [null, undefined, "0.5", "", true, 1n]) {
      for (const allowed of [linearAbundance(1e-20), linearPhysical, finite]) {
        expect(check(value, allowed), String(value)).toThrow("  at   x[0, 1]\n");
      }
    }
  });

  it("is refused where float32, in which all is computed, cannot hold it", () => {
    expect(check(1e39, finite)).toThrow("x holds 1e+39; ");
    expect(check(-1e39, finite)).toThrow("x holds -1e+39; ");
  });

  it("is named by its index in the array's shape, the first bad one alone", () => {
    const shape = [2, 3, 4];
    for (const at of [0, 3, 4, 11, 12, 23]) {
      const data = new Float64Array(24);
      data.fill(Number.NaN, at);
      // Row-major: 12 values a block, 4 a row.
      const index = [at >= 12 ? 1 : 0, Math.floor((at % 12) / 4), at % 4];
      expect(() => checkValues("latents", { data, shape }, finite)).toThrow(`latents[${index.join(", ")}]`);
    }
  });

  it("is refused with what to do", () => {
    expect(check(-1, linearAbundance(1e-20))).toThrowErrorMatchingInlineSnapshot(`
      [DataError: x holds -1; abundances are finite and not negative
        at   x[0, 1]
        fix  clean the input; values between -1e-20 and 1e-20 are raised to 1e-20, NaN and other negative ones are not guessed]
    `);
    expect(check(0, linearPhysical)).toThrowErrorMatchingInlineSnapshot(`
      [DataError: x holds 0; physical parameters are finite and above 0
        at   x[0, 1]
        fix  give cm^-3, Habing, mag and K, not their logarithms; or pass { scaled: true } with scaled values]
    `);
    expect(check(Number.NaN, finite)).toThrowErrorMatchingInlineSnapshot(`
      [DataError: x holds NaN; values must be finite
        at   x[0, 1]
        fix  clean the input]
    `);
  });
});
