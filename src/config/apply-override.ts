import { nearest } from "../errors.ts";
import { canonicalPath, canonicalTree } from "./aliases.ts";
import { printValue } from "./override-values.ts";
import { type Override, pathOf } from "./overrides.ts";
import type { Problem } from "./problems.ts";
import {
  type ConfigNode,
  childrenOf,
  emptyMap,
  fromValue,
  getNode,
  type MapNode,
  merge,
  type Path,
  removeNode,
  setNode,
  toValue,
} from "./tree.ts";

/**
 * The tree with an override applied. A key that nobody knows is set like any other: the schema reports it, with the nearest name.
 * @param problems where an override that cannot be applied is added; the tree then stays as it was
 */
export function applyOverride(tree: MapNode, override: Override, problems: Problem[]): MapNode {
  const path = canonicalPath(pathOf(override));
  const place = { override: override.text, column: override.column };
  const report = (what: string, fix?: string): MapNode => {
    problems.push({ what, place, fix });
    return tree;
  };
  const current = getNode(tree, path);
  if (override.kind === "delete") return remove(tree, path, override, current, report);
  const node = canonicalNode(path, fromValue(override.value ?? null, place), problems);
  const bothMaps = current?.kind === "map" && node.kind === "map";
  if (override.kind === "add" && current && !bothMaps) {
    const got = printValue(toValue(current));
    return report(`\`${override.key}\` is there already: ${got}`, "leave out the `+`, or write `++`");
  }
  const result = setNode(tree, path, bothMaps ? merge(current, node) : node);
  if ("tree" in result) return result.tree;
  const blocking = result.blockedAt.join(".");
  return report(
    `\`${override.key}\` cannot be set: \`${blocking}\` is ${printValue(toValue(getNode(tree, result.blockedAt)!))}`,
  );
}

/** `dataset={parameters: […]}` has the second name within its value. */
function canonicalNode(path: Path, node: ConfigNode, problems: Problem[]): ConfigNode {
  const alone = setNode(emptyMap(node.place), path, node);
  return ("tree" in alone && getNode(canonicalTree(alone.tree, problems), path)) || node;
}

function remove(
  tree: MapNode,
  path: Path,
  override: Override,
  current: ConfigNode | undefined,
  report: (what: string, fix?: string) => MapNode,
): MapNode {
  const parent = getNode(tree, path.slice(0, -1));
  if (!current || !parent) return report(`there is no \`${override.key}\` to remove`, suggest(tree, path));
  if (parent.kind !== "map") return report(`\`${override.key}\` is part of a list`, "give the whole list: key=[…]");
  const value = printValue(toValue(current));
  if (override.value !== undefined && printValue(override.value) !== value) {
    return report(
      `\`${override.key}\` is ${value}, not ${printValue(override.value)}`,
      `to remove it all the same: ~${override.key}`,
    );
  }
  return removeNode(tree, path);
}

/** The nearest key beside the one that is missing. */
function suggest(tree: MapNode, path: Path): string | undefined {
  const parent = getNode(tree, path.slice(0, -1));
  const near =
    parent &&
    nearest(
      path.at(-1)!,
      childrenOf(parent).map(([key]) => key),
    );
  return near === undefined ? undefined : `did you mean ~${[...path.slice(0, -1), near].join(".")}?`;
}
