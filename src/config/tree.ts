import type { Place } from "./problems.ts";

/** A value of the configuration as plain data. Objects have no prototype, so that no key can reach one. */
export type ConfigValue = Scalar | readonly ConfigValue[] | { readonly [key: string]: ConfigValue };
export type Scalar = null | boolean | number | string;

/** The configuration with the place of every key. Immutable; trees share their parts. */
export type ConfigNode = ScalarNode | ListNode | MapNode;
export interface ScalarNode {
  readonly kind: "scalar";
  readonly value: Scalar;
  readonly place: Place;
}
export interface ListNode {
  readonly kind: "list";
  readonly items: readonly ConfigNode[];
  readonly place: Place;
}
export interface MapNode {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, ConfigNode>;
  readonly place: Place;
}

/** A key path: `model.lr` is ["model", "lr"]; the index of a list's item is a key like any other. */
export type Path = readonly string[];

/** More nodes than this, aliases and interpolations written out, are an attack or an accident. */
export const maximumNodes = 100_000;

/** Names by which a key could reach a prototype in code that is less careful than ours. */
const forbiddenKeys: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Why a key cannot be used, or undefined for a good one. */
export function badKey(key: string): string | undefined {
  if (key === "") return "a key may not be empty";
  if (forbiddenKeys.has(key)) return `\`${key}\` may not be used as a key`;
  if (key.includes(".")) return `a key may not contain a dot: \`${key}\`; write nested keys instead`;
  return undefined;
}

export function emptyMap(place: Place): MapNode {
  return { kind: "map", entries: new Map(), place };
}

/** `over` laid on `base`: mappings merge key by key, anything else is replaced. */
export function merge(base: ConfigNode, over: ConfigNode): ConfigNode {
  if (base.kind !== "map" || over.kind !== "map") return over;
  const entries = new Map(base.entries);
  for (const [key, node] of over.entries) {
    const below = entries.get(key);
    entries.set(key, below ? merge(below, node) : node);
  }
  return { kind: "map", entries, place: over.place };
}

/** The node one key down; undefined where there is none. */
export function child(node: ConfigNode, key: string): ConfigNode | undefined {
  if (node.kind === "map") return node.entries.get(key);
  if (node.kind === "list" && /^(0|[1-9]\d*)$/.test(key)) return node.items[Number(key)];
  return undefined;
}

/** The node at `path`; undefined where there is none. */
export function getNode(root: ConfigNode, path: Path): ConfigNode | undefined {
  let node: ConfigNode | undefined = root;
  for (const key of path) node = node && child(node, key);
  return node;
}

/**
 * A copy of `root` with `node` at `path`; missing mappings on the way are made.
 * @returns the path of what stands in the way (a scalar, or an index outside of its list) where it cannot be done
 */
export function setNode(root: MapNode, path: Path, node: ConfigNode): { tree: MapNode } | { blockedAt: Path } {
  const place = (parent: ConfigNode, depth: number): ConfigNode | Path => {
    const key = path[depth];
    if (key === undefined) return node;
    const below = child(parent, key);
    if (parent.kind === "scalar" || (parent.kind === "list" && !below)) return path.slice(0, depth);
    const replaced = place(below ?? emptyMap(node.place), depth + 1);
    return isPath(replaced) ? replaced : withChild(parent, key, replaced);
  };
  const result = place(root, 0);
  return isPath(result) ? { blockedAt: result } : { tree: result as MapNode };
}

/** A copy of `root` without the key at `path`, which must be there and in a mapping. */
export function removeNode(root: MapNode, path: Path): MapNode {
  const [key, ...rest] = path;
  const entries = new Map(root.entries);
  if (rest.length === 0) entries.delete(key!);
  else entries.set(key!, removeNode(root.entries.get(key!) as MapNode, rest));
  return { ...root, entries };
}

/** Plain data as a tree, all of it written at `place`. */
export function fromValue(value: ConfigValue, place: Place): ConfigNode {
  if (Array.isArray(value)) return { kind: "list", items: value.map((item) => fromValue(item, place)), place };
  if (value !== null && typeof value === "object") {
    const entries = Object.entries(value).map(([key, item]) => [key, fromValue(item, place)] as const);
    return { kind: "map", entries: new Map(entries), place };
  }
  return { kind: "scalar", value: value as Scalar, place };
}

/** The tree as plain data. */
export function toValue(node: ConfigNode): ConfigValue {
  switch (node.kind) {
    case "scalar":
      return node.value;
    case "list":
      return node.items.map(toValue);
    case "map": {
      const value: Record<string, ConfigValue> = Object.create(null);
      for (const [key, item] of node.entries) value[key] = toValue(item);
      return value;
    }
  }
}

/** The place of every key path below `node`. */
export function placesOf(node: ConfigNode): Map<string, Place> {
  const places = new Map<string, Place>();
  const walk = (below: ConfigNode, path: Path): void => {
    if (path.length > 0) places.set(path.join("."), below.place);
    for (const [key, item] of childrenOf(below)) walk(item, [...path, key]);
  };
  walk(node, []);
  return places;
}

/** Keys and nodes one level down. */
export function childrenOf(node: ConfigNode): (readonly [string, ConfigNode])[] {
  if (node.kind === "map") return [...node.entries];
  if (node.kind === "list") return node.items.map((item, index) => [String(index), item] as const);
  return [];
}

const sizes = new WeakMap<ConfigNode, number>();

/** How many nodes the tree has when its shared parts are written out; linear in what it has as it is. */
export function countNodes(node: ConfigNode): number {
  const known = sizes.get(node);
  if (known !== undefined) return known;
  const size = childrenOf(node).reduce((sum, [, item]) => sum + countNodes(item), 1);
  sizes.set(node, size);
  return size;
}

function withChild(parent: ConfigNode, key: string, node: ConfigNode): ConfigNode {
  if (parent.kind === "list") return { ...parent, items: parent.items.with(Number(key), node) };
  return { ...(parent as MapNode), entries: new Map((parent as MapNode).entries).set(key, node) };
}

function isPath(result: ConfigNode | Path): result is Path {
  return Array.isArray(result);
}
