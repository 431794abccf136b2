import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ConfigError } from "../../src/errors.ts";
import { checkedContent, checkedJson, soundFile, soundJson } from "../../src/formats/checked-content.ts";

const schema = z.looseObject({ steps: z.int(), cpu: z.looseObject({ model: z.string() }) });
const origin = { where: "run/environment.json", fix: "restore it" };

describe("what a file holds", () => {
  it("comes back whole where it is right", () => {
    expect(checkedJson(schema, '{"steps": 1, "cpu": {"model": "a"}, "more": 2}', origin)).toEqual({
      ...{ steps: 1, cpu: { model: "a" }, more: 2 },
    });
  });

  it("is told by file, key and remedy where it is not", () => {
    expect(() => checkedContent(schema, { steps: 1.5, cpu: {} }, origin)).toThrowErrorMatchingInlineSnapshot(`
      [DataError: run/environment.json is damaged: \`steps\`: Invalid input: expected int, received number; \`cpu.model\`: Invalid input: expected string, received undefined
        at   run/environment.json
        fix  restore it]
    `);
    expect(() => checkedContent(schema, null, { ...origin, failure: ConfigError })).toThrow(ConfigError);
    expect(() => checkedJson(schema, "{", origin)).toThrow("run/environment.json is not JSON");
  });

  it("is nothing where it may be damaged without harm", () => {
    expect(soundJson(schema, '{"steps": 1, "cpu": {"model": "a"}}')).toEqual({ steps: 1, cpu: { model: "a" } });
    for (const text of ["{", "null", '{"steps": "1", "cpu": {"model": "a"}}'])
      expect(soundJson(schema, text)).toBeNull();
    expect(soundFile(schema, "no/such/file.json")).toBeNull();
  });
});
