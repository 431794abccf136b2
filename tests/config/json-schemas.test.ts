import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { editorSchemas } from "../../src/config/json-schemas.ts";
import { packageConfigs } from "../../src/config/paths.ts";
import { toValue } from "../../src/config/tree.ts";
import { parseYaml } from "../../src/config/yaml.ts";

const schemas = editorSchemas();
const files = readdirSync(packageConfigs, { recursive: true, encoding: "utf8" });

describe("the JSON Schemas for editors", () => {
  it("are those that the package ships: `npm run readme` makes them", () => {
    const folder = join(packageConfigs, "schemas");
    expect(readdirSync(folder).sort()).toEqual(Object.keys(schemas).sort());
    for (const [name, text] of Object.entries(schemas)) expect(readFileSync(join(folder, name), "utf8")).toBe(text);
  });

  it.each(files.filter((name) => name.endsWith(".yaml")))("know every key of %s, which names one", (name) => {
    const path = join(packageConfigs, name);
    const text = readFileSync(path, "utf8");
    const schema = /^# yaml-language-server: \$schema=(\S+)\n/.exec(text)?.[1];
    expect(schema).toBeDefined();
    const shipped = JSON.parse(readFileSync(resolve(dirname(path), schema!), "utf8"));
    const members = (shipped.anyOf ?? [shipped]) as { properties: object; additionalProperties: boolean }[];
    const keys = Object.keys(toValue(parseYaml(text, name)) as object);
    expect(members.some(({ properties }) => keys.every((key) => key in properties))).toBe(true);
    for (const member of members) expect(member).toMatchObject({ additionalProperties: false });
  });

  it("require no key of one file and let any value be an interpolation", () => {
    const { properties, required } = JSON.parse(schemas["dataset.json"]!);
    expect(required).toBeUndefined();
    expect(properties.preprocessing.anyOf[0].properties.train_split.anyOf).toEqual([
      { type: "number", minimum: 0, exclusiveMaximum: 1 },
      { type: "string", pattern: "^\\$\\{" },
    ]);
  });
});
