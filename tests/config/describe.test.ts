import { describe, expect, it } from "vitest";
import { z } from "zod";
import { configTables, describeConfig, describeKeys } from "../../src/config/describe.ts";
import { loadConfig } from "../../src/config/load.ts";

describe("describeKeys", () => {
  it("gives key, type, default and meaning", () => {
    const schema = z.strictObject({
      a: z.number().gt(0).lt(1).default(0.5).describe("Half."),
      b: z.strictObject({ c: z.int().min(1).nullable().default(null).describe("Nested.") }).describe("Group."),
      d: z.enum(["x", "y"]).describe("Choice."),
      e: z.tuple([z.number(), z.string()]).optional().describe("Pair."),
      f: z.record(z.string(), z.array(z.boolean())).describe("Many."),
    });
    expect(describeKeys(schema)).toEqual([
      { key: "a", type: "number > 0, < 1", default: "0.5", meaning: "Half." },
      { key: "b.c", type: "integer ≥ 1 or null", default: "null", meaning: "Nested." },
      { key: "d", type: "x | y", default: "required", meaning: "Choice." },
      { key: "e", type: "[number, text]", default: "derived", meaning: "Pair." },
      { key: "f", type: "mapping of name to list of true | false", default: "required", meaning: "Many." },
    ]);
  });
});

describe("describeConfig", () => {
  const sections = describeConfig();

  it("explains every key", () => {
    for (const { title, keys } of sections) {
      for (const { key, meaning } of keys) expect(meaning, `${title}: ${key}`).not.toBe("");
    }
  });

  it("has every key that a composed configuration has", () => {
    const known = new Set(sections.flatMap(({ keys }) => keys.map(({ key }) => key.split(".").at(-1)!)));
    const { config } = loadConfig({
      root: "config_emulator",
      overrides: [],
      configDirs: [],
      cwd: "/",
      env: {},
      now: new Date(0),
    });
    const { dataset, autoencoder, model, recipe, launcher, logger, ...top } = config;
    const { preprocessing, abundances_clipping, ...rest } = dataset;
    const phases = recipe.phases.flatMap(({ loss, ...phase }) => [loss, phase]);
    for (const part of [
      top,
      launcher,
      logger,
      rest,
      preprocessing,
      abundances_clipping,
      autoencoder,
      model,
      recipe,
      ...phases,
    ]) {
      for (const key of Object.keys(part)) expect(known).toContain(key);
    }
  });

  it("says of a union's keys whose they are", () => {
    const phases = describeConfig().find(({ title }) => title === "`recipe`: emulator, each of the `phases`")!;
    const row = (key: string) => phases.keys.find((each) => each.key === key)!;
    expect(row("loss.name")).toMatchObject({ type: "original | l1 | huber | mse | exponential", default: "original" });
    expect(row("loss.name").meaning).toContain("; l1: |d|; huber: ");
    expect(row("loss.corner").meaning).toMatch(/^Of huber: the error at which/);
    expect(row("loss.worst_weight").meaning).toMatch(/^Of l1, huber, mse, exponential: /);
    expect(row("loss.of")).toMatchObject({ type: "abundances | latents", default: "abundances" });
  });

  it("writes tables of four columns", () => {
    const rows = configTables()
      .split("\n")
      .filter((line) => line.startsWith("|"));
    for (const row of rows) expect(row.replaceAll("\\|", "").split("|")).toHaveLength(6);
    expect(configTables()).toContain("| `model_name` | emulator | required | Which model this is. |");
  });
});
