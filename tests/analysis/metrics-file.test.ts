import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { metricsJson, readMetrics } from "../../src/analysis/metrics-file.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";

const folder = testFolder();

describe("metrics.json", () => {
  it("has a line a top-level key, numbers of six digits and whole integers", () => {
    const text = metricsJson({ a: { x: 1 / 3, count: 123_456_789 }, b: [1.5, null, 1e-13 / 3] });
    expect(text).toBe('{\n"a": {"x":0.333333,"count":123456789},\n"b": [1.5,null,3.33333e-14]\n}\n');
  });

  it("cannot hold what JSON would turn into null", () => {
    expect(() => metricsJson({ a: { max: Number.NaN } })).toThrow("metrics: max is NaN");
  });

  it("is refused where it is absent, no JSON, or something else", async () => {
    const path = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const files = [
      join(folder, "absent"),
      path("text.json", "{"),
      path("null.json", "null"),
      path("other.json", '{"format": "something"}'),
      path("new.json", '{"format": "astrochem-metrics", "format_version": 99}'),
      path("few.json", '{"format": "astrochem-metrics", "format_version": 1, "provenance": {}}'),
    ];
    const told: string[] = [];
    for (const file of files) told.push((await thrownBy(() => readMetrics(file), folder)).split("\n")[0]!);
    expect(told.map((line) => line.replace(/not JSON: .*/, "not JSON"))).toEqual([
      "DataError: there is no …/absent/metrics.json",
      "DataError: …/text.json is not JSON",
      "DataError: …/null.json holds no metrics of astrochem",
      "DataError: …/other.json holds no metrics of astrochem",
      "DataError: …/new.json has metrics format 99; this version reads 1",
      expect.stringMatching(/^DataError: …\/few.json is damaged: `provenance.rows_hash`: .*`predictions`: /),
    ]);
  });
});
