import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { indexOfRole, unitOfParameter, usualParameters } from "../../src/chemistry/physical-parameters.ts";

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
      /"(Density|Av|gasTemp|dustTemp|zeta)"/.test(readFileSync(join(src, name), "utf8")),
    );
    expect(naming).toEqual([join("chemistry", "physical-parameters.ts")]);
  });
});
