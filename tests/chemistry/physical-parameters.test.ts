import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  boundOf,
  boundText,
  indexOfRole,
  offScale,
  onScale,
  scaleText,
  unitOfParameter,
  usualParameters,
} from "../../src/chemistry/physical-parameters.ts";
import { PhysicalScaling } from "../../src/chemistry/scaling.ts";
import { RangeWatch } from "../../src/data/range-watch.ts";
import { checkValues, linearPhysical } from "../../src/inference/arguments.ts";

describe("roles of physical parameters", () => {
  it("are found by name, wherever they stand", () => {
    expect(indexOfRole(["Av", "Density"], "density")).toBe(1);
    expect(indexOfRole(["Av", "nothing"], "gas_temperature")).toBe(-1);
    expect([...usualParameters, "Timestep", "mine"].map(unitOfParameter)).toEqual([
      ...["cm^-3", "Habing", "mag", "K"],
      ...["yr", ""],
    ]);
  });

  it("are what all of src asks for: no other file compares with a name", () => {
    const src = join(import.meta.dirname, "../../src");
    const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const naming = files.filter((name) =>
      /"(Density|Radfield|Av|gasTemp|dustTemp|zeta|Timestep)"/.test(readFileSync(join(src, name), "utf8")),
    );
    // The renaming of UCLCHEM's columns is another thing: it makes names.
    expect(naming).toEqual([join("chemistry", "physical-parameters.ts"), join("chemistry", "species-names.ts")]);
  });
});

const linear = { log: false, offset: 0 };
const shifted = { log: true, offset: 0.5 };

describe("a scale that is not log10", () => {
  it("says what may be scaled, and how", () => {
    expect([linear, shifted].map(boundOf)).toEqual([Number.NEGATIVE_INFINITY, -0.5]);
    expect([linear, shifted].map(boundText)).toEqual(["", "above -0.5"]);
    expect([linear, shifted].map((scale) => scaleText("zeta", scale))).toEqual(["zeta", "log10(zeta + 0.5)"]);
    expect([onScale(linear, -3), onScale(shifted, 9.5), offScale(shifted, 1)]).toEqual([-3, 1, 9.5]);
  });

  it("scales its column alone, and has ranges that log10 has not", () => {
    const scaling = PhysicalScaling.of([
      { name: "a", range: [-10, 30], scale: linear },
      { name: "b", range: [1, 100] },
    ]);
    const scaled = new Float32Array(2);
    scaling.scaleInto([0, 10], scaled);
    expect([...scaled]).toEqual([0.25, 0.5]);
    expect(() => PhysicalScaling.of([{ name: "a", range: [-0.5, 30], scale: shifted }])).toThrow("-0.5 < lower");
  });

  it("is what arguments and conditions are checked by", () => {
    const parameters = [
      { name: "a", range: [-10, 30], scale: linear },
      { name: "b", range: [1, 100] },
    ] as const;
    const check = (data: number[]) => () =>
      checkValues("physical", { data, shape: [1, 2] }, linearPhysical(parameters));
    expect(check([-4, 1])).not.toThrow();
    expect(check([-4, 0])).toThrow("physical parameters are finite and above the bounds of their scales");
    const watch = new RangeWatch(parameters, "trained");
    for (const a of [-10, 0, -12]) watch.add([a, 50], 0, () => "a row");
    expect(watch.lines()).toEqual([
      "a: 1 of 3 rows outside the trained range -10 to 30, down to -12; the first is -12 in a row",
    ]);
  });
});
