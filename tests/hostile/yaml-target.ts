import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { loadConfig } from "../../src/config/load.ts";
import { packageConfigs } from "../../src/config/paths.ts";
import { mutateText, type TextMutation, textMutations } from "./mutations.ts";
import { demand, target } from "./target.ts";

const files = ["config.yaml", "datasets/grav.yaml", "datasets/sample.yaml", "models/autoencoder.yaml"];
const texts = files.map((name) => readFileSync(join(packageConfigs, name), "utf8"));

/** The interpolation of a key or a resolver. */
const ask = (key: string): string => `$\u007b${key}}`;
const doubling = (line: (i: number) => string): string => Array.from({ length: 40 }, (_, i) => line(i)).join("\n");

/** Traps that are long or that grow when they are written out. */
const bombs: readonly string[] = [
  `x: ${"[".repeat(100)}`,
  `x: ${"{a: ".repeat(5000)}`,
  "- ".repeat(5000),
  `${"  ".repeat(200)}x: 1`,
  `k${"x".repeat(20_000)}: 1`,
  `x: "${"\\\\x".repeat(5000)}"`,
  `a0: &a0 [x, x]\n${doubling((i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`)}`,
  `b0: xxxxxxxxxx\n${doubling((i) => `b${i + 1}: "${ask(`b${i}`)}${ask(`b${i}`)}"`)}`,
  `c0: [x, x]\n${doubling((i) => `c${i + 1}: ["${ask(`c${i}`)}", "${ask(`c${i}`)}"]`)}`,
  `d: ${"d".repeat(100_000)}\ne: [${`"${ask("d")}x",`.repeat(30_000)}]`,
  `f: [${"x,".repeat(20_000)}]`,
  Array.from({ length: 3000 }, (_, i) => `g${i}: 1`).join("\n"),
  doubling((i) => `h${i}: ${ask(`h${i + 1}`)}`),
  `i: "${"${".repeat(1000)}"`,
  `j: ${"&a ".repeat(50)}1`,
];

/** Tokens that YAML, interpolation or the merging of mappings could trip over. */
export const yamlTokens: readonly string[] = [
  ...["__proto__: {polluted: 1}", "constructor: {prototype: {polluted: 1}}", "<<: *a", "<<: {a: 1}", "&a", "*a"],
  ...["&a [*a]", "&a {b: *a}", "!!js/function 'function () { process.exit(9) }'", "!!binary aGk=", "!<x>"],
  ...["!!python/object/apply:os.system ['touch was-run']", "---", "...", "%YAML 9.9", "%TAG ! x", "? {a: 1}", "? [x]"],
  ..."| >- ' \" # \t \0 \u0085 \ufeff \ud800 [ ] { } : , null ~ true .inf -.inf .nan 1e999 0x7fffffffffffffff 0o17".split(
    " ",
  ),
  ...["seed", "model.lr", "..x", "oc.env:HOME", "oc.env:NONE,x", "oc.decode:1e9", "now:%Y", "x.y.z", ""].map(ask),
  ...["${", ask(`oc.env:NONE,${ask("oc.env:NONE,x")}`), "defaults: [a]", "defaults: [config]", "defaults: [/config]"],
  ...["defaults: ['../../x']", "defaults: [{datasets: ../../etc/passwd}]", "working_path: /", "working_path: '\\0'"],
  ...["seed: -1", "seed: 1e400", "cache_dir: []", "device: {a: b}", "device: cpuu", "# @package ../../x"],
  ...["# @package __proto__", "species: [a, a]", "phys: ['__proto__']"],
  ...bombs,
];

interface Case {
  readonly file: number;
  readonly recipe: readonly TextMutation[];
  readonly raw: string | null;
}

/** Configuration files with damage and traps in them. */
export const yamlTarget = target<Case>({
  name: "yaml",
  exitCodes: [2],
  cases: fc.record({
    file: fc.nat({ max: files.length - 1 }),
    recipe: textMutations(yamlTokens),
    raw: fc.oneof(
      { weight: 5, arbitrary: fc.constant(null) },
      fc.array(fc.constantFrom(...yamlTokens), { minLength: 1, maxLength: 8 }).map((tokens) => tokens.join("\n")),
    ),
  }),
  attack({ file, recipe, raw }, folder) {
    for (const [i, name] of files.entries()) {
      mkdirSync(join(folder, name, ".."), { recursive: true });
      writeFileSync(join(folder, name), i === file ? (raw ?? mutateText(texts[i]!, recipe)) : texts[i]!);
    }
    attackConfig([], [folder]);
  },
});

/** Composes, and writes down what came of it. */
export function attackConfig(overrides: readonly string[], configDirs: readonly string[]): void {
  try {
    const loaded = loadConfig({
      ...{ root: "config", overrides, configDirs, cwd: "/nowhere", env: { HOME: "/home/x" } },
      now: new Date(0),
    });
    demand(loaded.toYaml({ resolve: true }).length + loaded.toYaml({ resolve: false }).length < 5e7, "endless YAML");
    demand(Object.getPrototypeOf(loaded.config) === Object.prototype, "another prototype");
  } catch (error) {
    demand(String((error as Error).message).length < 2e5, "an endless message");
    throw error;
  } finally {
    demand(!("polluted" in {}), "the prototype of all objects was changed");
  }
}
