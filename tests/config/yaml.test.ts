// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations of the configuration, not of JavaScript.
import fc from "fast-check";
import { dump } from "js-yaml";
import { describe, expect, it } from "vitest";
import { formatPlace } from "../../src/config/problems.ts";
import { placesOf, toValue } from "../../src/config/tree.ts";
import { parseYaml } from "../../src/config/yaml.ts";

const read = (text: string) => toValue(parseYaml(text, "f.yaml"));
const places = (text: string) =>
  Object.fromEntries([...placesOf(parseYaml(text, "f.yaml"))].map(([key, place]) => [key, formatPlace(place)]));

function failure(text: string): string {
  try {
    parseYaml(text, "f.yaml");
  } catch (error) {
    expect((error as Error).name).toBe("ConfigError");
    return (error as Error).message;
  }
  throw new Error("was accepted");
}

describe("parseYaml", () => {
  it("reads YAML 1.2", () => {
    expect(read("a: 1e-3\nb: yes\nc: 012\nd: ~\ne:\nf: [x, 'y', 1.5]\ng: {h: true}\ni: 2026-11-23\n")).toEqual({
      a: 0.001,
      b: "yes",
      c: 12,
      d: null,
      e: null,
      f: ["x", "y", 1.5],
      g: { h: true },
      i: "2026-11-23",
    });
  });

  it.each(["", "\n", "# only a comment\n", "---\n", "\ufeff", "null"])("takes %j for an empty mapping", (text) => {
    expect(read(text)).toEqual({});
  });

  it("knows where every key stands", () => {
    expect(places("# c\na: 1\nb:\n  c: [1, {d: 2}]\n  'e f': x\n")).toEqual({
      a: "f.yaml:2:1",
      b: "f.yaml:3:1",
      "b.c": "f.yaml:4:3",
      "b.c.0": "f.yaml:4:7",
      "b.c.1": "f.yaml:4:10",
      "b.c.1.d": "f.yaml:4:11",
      "b.e f": "f.yaml:5:3",
    });
  });

  it("counts lines that end in CR LF, and columns after a byte order mark", () => {
    expect(places("a: 1\r\nb: 2\r\n")).toEqual({ a: "f.yaml:1:1", b: "f.yaml:2:1" });
  });

  it("writes aliases out", () => {
    expect(read("a: &x {b: 1}\nc: *x\nd: [*x]\n")).toEqual({ a: { b: 1 }, c: { b: 1 }, d: [{ b: 1 }] });
  });

  it("reads what js-yaml writes", () => {
    const key = fc.string({ minLength: 1 }).filter((text) => !/\.|^(__proto__|constructor|prototype|<<)$/.test(text));
    const value = fc.oneof(
      fc.string(),
      fc.double({ noNaN: true }),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.string()),
    );
    fc.assert(
      fc.property(fc.dictionary(key, fc.oneof(value, fc.dictionary(key, value))), (written) => {
        expect(read(dump(written))).toEqual(written);
      }),
    );
  });

  it("keeps every object without a prototype", () => {
    const value = read("a: {toString: 1}") as { a: object };
    expect(Object.getPrototypeOf(value)).toBeNull();
    expect(Object.getPrototypeOf(value.a)).toBeNull();
  });
});

describe("a file that cannot be used", () => {
  it("tells line and column", () => {
    const texts = [
      "a: [1\nb: 2\n",
      "a: 1\na: 2\n",
      "x: {y: 1, y: 2}\n",
      "- 1\n",
      "just text\n",
      "a: 1\n---\nb: 2\n",
      "x:\n  __proto__:\n    polluted: true\n",
      "a.b: 1\n",
      "? [a]\n: 1\n",
      "<<: {a: 1}\n",
      "a: *nowhere\n",
      "a: &x [*x]\n",
      "a: !!python/object x\n",
      "a: !custom {b: 1}\n",
      "a: !!binary aGk=\n",
      "a:\n\t- 1\n",
    ];
    expect(
      texts
        .map(failure)
        .map((text) => text.replace(/\n {2}fix.*$/s, ""))
        .join("\n"),
    ).toMatchInlineSnapshot(`
      "f.yaml is not valid YAML: deficient indentation
        at   f.yaml:2:1
      duplicate key \`a\`
        at   f.yaml:2:1
      duplicate key \`x.y\`
        at   f.yaml:1:11
      f.yaml is not a mapping
        at   f.yaml:1:1
      f.yaml is not a mapping
        at   f.yaml:1:1
      f.yaml holds 2 YAML documents
        at   f.yaml:1:1
      \`__proto__\` may not be used as a key
        at   f.yaml:2:3
      a key may not contain a dot: \`a.b\`; write nested keys instead
        at   f.yaml:1:1
      a key must be a plain name
        at   f.yaml:1:3
      merge keys (\`<<\`) are not supported
        at   f.yaml:1:1
      the alias \`*nowhere\` has no anchor \`&nowhere\` before it
        at   f.yaml:1:1
      the alias \`*x\` has no anchor \`&x\` before it
        at   f.yaml:1:8
      f.yaml is not valid YAML: unknown scalar tag !<tag:yaml.org,2002:python/object>
        at   f.yaml:1:1
      unknown tag \`!custom\`
        at   f.yaml:1:1
      f.yaml is not valid YAML: unknown scalar tag !<tag:yaml.org,2002:binary>
        at   f.yaml:1:1
      f.yaml is not valid YAML: tab characters must not be used in indentation
        at   f.yaml:2:1"
    `);
  });

  it("is one whose aliases blow up", () => {
    const levels = Array.from(
      { length: 30 },
      (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(", ")}]`,
    );
    const started = performance.now();
    expect(failure(`a0: &a0 [x, x]\n${levels.join("\n")}\n`)).toMatchInlineSnapshot(`
      "more than 100000 values once the aliases are written out
        at   f.yaml:6:1"
    `);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it("is one that is nested too deeply", () => {
    expect(failure(`a: ${"[".repeat(50_000)}`)).toContain("f.yaml:1:");
    expect(failure(Array.from({ length: 1000 }, (_, i) => `${" ".repeat(i)}a:\n`).join(""))).toContain("f.yaml:");
  });

  it.each(["__proto__", "constructor", "prototype"])("is one with a key %s, however it is written", (key) => {
    for (const text of [`${key}: 1`, `a: {'${key}': 1}`, `a:\n  - b: {"${key}": {polluted: true}}`]) {
      expect(failure(text)).toContain(`\`${key}\` may not be used as a key`);
    }
  });

  it("never changes a prototype", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            "__proto__",
            "constructor",
            "prototype",
            "polluted",
            ": ",
            "\n",
            "  ",
            "{",
            "}",
            "&a ",
            "*a",
            "[",
            "]",
            "1",
            "? ",
            "- ",
          ),
        ),
        (parts) => {
          try {
            read(parts.join(""));
          } catch (error) {
            expect((error as Error).name).toBe("ConfigError");
          }
          expect(({} as Record<string, unknown>).polluted).toBeUndefined();
        },
      ),
      { numRuns: 500 },
    );
  });
});
