import { existsSync, readdirSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";
import { COLLECTION_STYLE, type Document, dump, visit } from "js-yaml";
import type { z } from "zod";
import { compose } from "./compose.ts";
import type { Choice } from "./defaults-list.ts";
import { type InterpolationContext, interpolate, missingValues } from "./interpolate.ts";
import { inCurrentWords } from "./old-keys.ts";
import { type Override, parseOverride } from "./overrides.ts";
import { datasetInputs, packageConfigs } from "./paths.ts";
import { attempt, type Place, type Problem, throwProblems } from "./problems.ts";
import { problemsOf } from "./schema-issues.ts";
import { defaultOfSchema, knownKeys } from "./schema-walk.ts";
import { type ConfigOf, type RootName, rootSchemas } from "./schemas.ts";
import { displayPath, searchPath } from "./search-path.ts";
import {
  type ConfigNode,
  type ConfigValue,
  fromValue,
  getNode,
  type MapNode,
  merge,
  type Path,
  placesOf,
  removeNode,
  setNode,
  toValue,
} from "./tree.ts";

/** What a configuration is made from. */
export interface LoadOptions<R extends RootName> {
  readonly root: R;
  /** As on the command line: `model.lr=5e-4`, `dataset=sample`. */
  readonly overrides: readonly string[];
  /** Folders searched first; then come `<cwd>/configs` and the package's own. */
  readonly configDirs: readonly string[];
  readonly cwd: string;
  readonly env: InterpolationContext["env"];
  readonly now: Date;
  /** A file that stands in for the root's: the composed configuration of an earlier run. */
  readonly from?: string | undefined;
}

/** A configuration, checked, with what is known of where it came from. */
export interface LoadedConfig<R extends RootName = RootName> {
  readonly root: R;
  readonly config: ConfigOf<R>;
  /** As composed, before and after interpolation; of the schemas' defaults only those that interpolate. */
  readonly raw: { readonly composed: ConfigValue; readonly interpolated: ConfigValue };
  /** Key path (`model.lr`) → where it was written. Keys left to their defaults are not there, but for those that interpolate. */
  readonly sources: ReadonlyMap<string, Place>;
  /** What each group of the defaults lists is set to. */
  readonly choices: Readonly<Record<string, Choice>>;
  /** What is read otherwise than it is written, a line each: words of earlier versions. */
  readonly notes: readonly string[];
  /** Plain data of this root, as an earlier version kept them, in the words of this one. */
  inCurrentWords(value: unknown): unknown;
  /** The whole configuration, defaults included; `resolve: false` keeps the interpolations as they were written. */
  toYaml(options: { resolve: boolean }): string;
}

/**
 * Composes, interpolates and checks a configuration. `working_path` comes out absolute.
 * @throws ConfigError telling every problem at once, each with file:line:column or the override
 */
export function loadConfig<R extends RootName>(options: LoadOptions<R>): LoadedConfig<R> {
  const { root, cwd } = options;
  const problems: Problem[] = [];
  const overrides = readOverrides(options.overrides);
  const replaced = options.from === undefined ? undefined : { name: root, path: options.from };
  const source = searchPath(options.configDirs, ["configs", packageConfigs], cwd, replaced);
  const schema = rootSchemas[root];
  const composed = compose(source, root, overrides, problems);
  const { choices } = composed;
  const notes: string[] = [];
  const tree = withPathsOfDataset(withInterpolatedDefaults(composed.tree, schema), options, notes);
  const unresolved: Problem[] = [];
  const interpolated = interpolate(withWorkingPath(tree, options), options, unresolved);
  problems.push(...unresolved);
  const { tree: given, missing } = withoutMissing(interpolated, problems);
  const complete = inCurrentWords(given, schema, notes);
  const result = schema.safeParse(toValue(complete));
  if (!result.success) {
    const found = problemsOf(result.error.issues, schema, complete);
    problems.push(...found.filter((problem) => !isConsequence(problem, missing, unresolved)));
  }
  throwProblems(problems);
  const config = result.data as ConfigOf<R>;
  return {
    root,
    config,
    raw: { composed: toValue(tree), interpolated: toValue(interpolated) },
    sources: placesOf(tree),
    choices,
    notes,
    inCurrentWords: (value) =>
      toValue(inCurrentWords(fromValue(value as ConfigValue, tree.place) as MapNode, schema, [])),
    toYaml: ({ resolve: resolved }) =>
      writeYaml(resolved ? (config as ConfigValue) : withDefaults(config as ConfigValue, tree)),
  };
}

/** Reads every override before any is used, so that all mistakes are told at once. */
function readOverrides(texts: readonly string[]): Override[] {
  const problems: Problem[] = [];
  const overrides = texts.flatMap((text) => attempt(problems, () => parseOverride(text)) ?? []);
  throwProblems(problems);
  return overrides;
}

/** Inputs that a dataset's file names and that lie beside it, written as the other paths are: from `working_path`. */
function withPathsOfDataset(tree: MapNode, context: InterpolationContext & { cwd: string }, notes: string[]): MapNode {
  const folder = getNode(withWorkingPath(tree, context), ["working_path"]);
  const workingPath = resolve(context.cwd, folder?.kind === "scalar" ? String(folder.value) : ".");
  const placed = (key: string, node: ConfigNode): ConfigNode => {
    if (node.kind === "list") return { ...node, items: node.items.map((item) => placed(key, item)) };
    if (node.kind === "map" || typeof node.value !== "string" || !("file" in node.place)) return node;
    const beside = resolve(context.cwd, dirname(node.place.file), node.value);
    const below = resolve(workingPath, node.value);
    if (isAbsolute(node.value) || beside === below || !isThere(beside)) return node;
    if (isThere(below)) notes.push(`${key}: ${displayPath(beside, context.cwd)} is taken, not ${below}`);
    return fromValue(displayPath(beside, workingPath), node.place);
  };
  return datasetInputs.reduce((at, path) => {
    const node = getNode(at, path);
    const result = node === undefined ? { tree: at } : setNode(at, path, placed(path.join("."), node));
    return "tree" in result ? result.tree : at;
  }, tree);
}

/** Of a pattern (`runs/*.dat`): whether a file fits its two ends. */
function isThere(path: string): boolean {
  const [head, tail] = [/^[^*?[]*/.exec(path)![0], /[^*?\]]*$/.exec(path)![0]];
  if (head === path || existsSync(path)) return existsSync(path);
  const folder = dirname(`${head}x`);
  const fits = (name: string): boolean => join(folder, name).startsWith(head) && name.endsWith(tail);
  return existsSync(folder) && readdirSync(folder).some(fits);
}

/** The tree with those of the schema's defaults that interpolate: zod would put them in as they are. */
function withInterpolatedDefaults(tree: MapNode, schema: z.ZodType): MapNode {
  return knownKeys(schema, toValue(tree)).reduce((at, [path, below]) => {
    const value = defaultOfSchema(below);
    const parent = getNode(at, path.slice(0, -1));
    const isWanted = typeof value === "string" && value.includes("${") && parent?.kind === "map";
    if (!isWanted || parent.entries.has(path.at(-1)!)) return at;
    const result = setNode(at, path, fromValue(value, parent.place));
    return "tree" in result ? result.tree : at;
  }, tree);
}

/** `working_path` made absolute first: `${working_path}/outputs` must mean one place, whoever reads it. */
function withWorkingPath(tree: MapNode, context: InterpolationContext & { readonly cwd: string }): MapNode {
  const node = getNode(tree, ["working_path"]);
  const written = node ?? fromValue(".", tree.place);
  // What is wrong with it is reported when the whole configuration is interpolated.
  const resolved = getNode(interpolate(tree, context, []), ["working_path"]) ?? written;
  if (resolved.kind !== "scalar" || typeof resolved.value !== "string" || /^$|^\?\?\?$|\$\{/.test(resolved.value))
    return tree;
  const absolute = fromValue(resolve(context.cwd, resolved.value), written.place);
  const result = setNode(tree, ["working_path"], absolute);
  return "tree" in result ? result.tree : tree;
}

/** The tree without its `???`, each of them a problem. */
function withoutMissing(tree: MapNode, problems: Problem[]): { tree: MapNode; missing: readonly string[] } {
  const values = missingValues(tree);
  if (values.length === 0) return { tree, missing: [] };
  const keys = values.map(({ path }) => path.join("."));
  problems.push({
    what: `${keys.length === 1 ? "a value" : `${keys.length} values`} must be given: ${keys.map((key) => `\`${key}\``).join(", ")}`,
    place: values[0]!.place,
    fix: `give ${keys.map((key) => `${key}=…`).join(" ")}`,
  });
  const inMaps = values.filter(({ path }) => getNode(tree, path.slice(0, -1))?.kind === "map");
  return { tree: inMaps.reduce((at, { path }) => removeNodeAt(at, path), tree), missing: keys };
}

function removeNodeAt(tree: MapNode, path: Path): MapNode {
  const isReachable = path.slice(0, -1).every((_, index) => getNode(tree, path.slice(0, index))?.kind === "map");
  return isReachable ? removeNode(tree, path) : tree;
}

/** A `???` that is missing, an interpolation that is no number: told already. */
function isConsequence({ what, place }: Problem, missing: readonly string[], unresolved: readonly Problem[]): boolean {
  return (
    missing.some((key) => what === `\`${key}\` is missing`) || unresolved.some((problem) => problem.place === place)
  );
}

/** The checked configuration with what the files wrote laid over it: interpolations stand as written. */
function withDefaults(config: ConfigValue, written: MapNode): ConfigValue {
  const place = { file: "", line: 1, column: 1 };
  return toValue(merge(fromValue(config, place), written));
}

/** YAML with short lists in one line. */
export function writeYaml(value: ConfigValue): string {
  return dump(value, { lineWidth: 120, noRefs: true, transform: shortListsInOneLine });
}

function shortListsInOneLine(documents: Document[]): void {
  visit(documents, (node) => {
    if (node.kind !== "sequence" || node.items.length > 10) return;
    if (node.items.every((item) => item.kind === "scalar")) node.style = COLLECTION_STYLE.FLOW;
  });
}
