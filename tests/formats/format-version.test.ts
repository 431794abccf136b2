import { describe, expect, it } from "vitest";
import { DataError } from "../../src/errors.ts";
import { checkVersion, type FileFormat, latestVersion, migrate } from "../../src/formats/format-version.ts";

const renameAge: FileFormat["migrations"][number] = ({ age, ...rest }) => ({ ...rest, age_yr: age });
const addUnit: FileFormat["migrations"][number] = (record) => ({ ...record, unit: "yr" });
const format: FileFormat = { name: "test format", migrations: [renameAge, addUnit] };

const refusal = (found: unknown): string => {
  try {
    checkVersion(format, found, "file.json", (what, hint) => new DataError(what, hint));
  } catch (error) {
    return String(error);
  }
  return "accepted";
};

describe("a file format with a past", () => {
  it("has one version more than migrations", () => {
    expect(latestVersion(format)).toBe(3);
    expect(latestVersion({ name: "young format", migrations: [] })).toBe(1);
  });

  it("takes every older version through the steps that it lacks, and only these", () => {
    const latest = { format_version: 3, age_yr: 5, unit: "yr", other: [1] };
    expect(migrate(format, { format_version: 1, age: 5, other: [1] }, 1)).toEqual(latest);
    expect(migrate(format, { format_version: 2, age_yr: 5, other: [1] }, 2)).toEqual(latest);
    expect(migrate(format, { format_version: 3, age_yr: 5, unit: "kyr", other: [1] }, 3)).toEqual({
      ...latest,
      unit: "kyr",
    });
  });

  it("refuses a newer version by its number", () => {
    expect([1, 2, 3].map(refusal)).toEqual(["accepted", "accepted", "accepted"]);
    expect(refusal(4)).toMatchInlineSnapshot(`
      "DataError: file.json has test format 4; this version reads 1 to 3
        at   file.json
        fix  use the version of astrochem that wrote it, or a newer one"
    `);
  });

  it("refuses what is no version", () => {
    const damaged = [0, -1, 1.5, 2 ** 60, "1", "x".repeat(1000), null, undefined, {}, []];
    for (const found of damaged) expect(refusal(found)).toMatch(/^DataError: file\.json names no version of the test/);
    expect(refusal("x".repeat(1000)).length).toBeLessThan(250);
  });
});
