import { nearest } from "../errors.ts";
import { canonicalTree, hydraFix } from "./aliases.ts";
import { applyOverride } from "./apply-override.ts";
import type { Choice, GroupEntry } from "./defaults-list.ts";
import { expandDefaults, type GroupRequest, type Layer, type Mount, overrideKey } from "./expand.ts";
import { printValue } from "./override-values.ts";
import type { Override } from "./overrides.ts";
import { configError, type Place, type Problem } from "./problems.ts";
import type { ConfigSource } from "./search-path.ts";
import { type ConfigValue, emptyMap, fromValue, getNode, type MapNode, merge, setNode } from "./tree.ts";

/** A configuration put together from its files and overrides; nothing interpolated, nothing checked. */
export interface Composition {
  readonly tree: MapNode;
  /** What each group of the defaults lists is set to: `datasets` → `grav`. */
  readonly choices: Readonly<Record<string, Choice>>;
  /** What chooses among a group's files → the group: `datasets` and `dataset` → `datasets`. */
  readonly groups: Readonly<Record<string, string>>;
}

/**
 * Puts a configuration together as Hydra 1.3 does: the root's defaults list from top to bottom, the last one wins, mappings
 * merge, lists are replaced; then the overrides in their order.
 *
 * A key without dots selects an option of a group where it is the group (`datasets=grav`) or names the place at which a group of
 * the defaults lists goes (`dataset=grav`; in config_emulator.yaml `model=emulator` for `models@model=emulator`).
 * @param problems where overrides that cannot be applied are added
 * @throws ConfigError for what makes going on pointless: a file or option that is missing or cannot be read
 */
export function compose(
  source: ConfigSource,
  root: string,
  overrides: readonly Override[],
  problems: Problem[],
): Composition {
  const groups = new GroupOverrides(source, overrides, problems);
  const { layers, mounts } = expandDefaults(source, root, (mount) => groups.request(mount), groups.appended);
  groups.reportUnused(mounts);
  let tree = emptyMap({ file: root, line: 1, column: 1 });
  for (const layer of layers) tree = addLayer(tree, layer, problems);
  for (const override of groups.others) tree = applyOverride(tree, override, problems);
  return {
    tree: withDatasetName(tree, mounts),
    choices: Object.fromEntries(mounts.map(({ key, choice }) => [key, choice])),
    groups: Object.fromEntries(
      mounts.flatMap(({ key, package: place, group }) => [place, key].filter(Boolean).map((word) => [word, group])),
    ),
  };
}

/** `dataset.name`, where nothing sets it: what its file is called, `sample` of datasets/sample.yaml; without such a file to be given. */
function withDatasetName(tree: MapNode, mounts: readonly Mount[]): MapNode {
  const dataset = getNode(tree, ["dataset"]);
  // A run's own configuration is composed of no files; one of an earlier version has no name, and needs none.
  if (mounts.length === 0 || dataset?.kind !== "map" || dataset.entries.has("name")) return tree;
  const choice = mounts.find(({ package: place }) => place === "dataset")?.choice ?? "???";
  const name = [choice].flat().join("-").replaceAll("/", "-");
  return merge(tree, fromValue({ dataset: { name } }, dataset.place)) as MapNode;
}

function addLayer(tree: MapNode, layer: Layer, problems: Problem[]): MapNode {
  const root = emptyMap(layer.content.place);
  const mounted = layer.package.length === 0 ? { tree: layer.content } : setNode(root, layer.package, layer.content);
  if ("blockedAt" in mounted) throw new Error(`a package of ${layer.name} has no name`);
  return merge(tree, canonicalTree(mounted.tree, problems)) as MapNode;
}

/** The overrides that choose among files, told from those that set keys. */
class GroupOverrides {
  /** Of groups that the defaults lists do not have: `+group=option`. */
  readonly appended: readonly GroupEntry[];
  readonly #overrides: readonly Override[];
  readonly #source: ConfigSource;
  readonly #problems: Problem[];
  readonly #used = new Set<Override>();

  constructor(source: ConfigSource, overrides: readonly Override[], problems: Problem[]) {
    this.#source = source;
    this.#problems = problems;
    this.#overrides = overrides;
    this.appended = overrides
      .filter((override) => override.kind === "add" && this.#isGroup(override))
      .map(appendedEntry);
  }

  /** Those that set keys. Ask once the defaults lists are expanded. */
  get others(): readonly Override[] {
    return this.#overrides.filter((override) => !this.#used.has(override) && !this.#isGroup(override));
  }

  /** What is asked of a group; of several overrides the last one counts. */
  request(mount: Mount): GroupRequest | undefined {
    const asking = this.#overrides.filter((override) => this.#asks(override, mount));
    for (const override of asking) this.#used.add(override);
    const override = asking.at(-1);
    if (!override) return undefined;
    const place = placeOf(override);
    if (override.kind !== "delete") return { choice: readChoice(override), place };
    const current = printValue(mount.choice);
    if (override.value !== undefined && printValue(override.value) !== current) {
      throw configError(
        `\`${mount.key}\` is ${current}, not ${printValue(override.value)}`,
        place,
        `to leave it out: ~${mount.key}`,
      );
    }
    return { choice: "delete", place };
  }

  reportUnused(mounts: readonly Mount[]): void {
    for (const override of this.#overrides) {
      if (this.#used.has(override) || !this.#isGroup(override) || override.kind === "add") continue;
      this.#problems.push(override.kind === "force" ? forcedGroup(override) : unmatched(override, mounts));
    }
  }

  #isGroup(override: Override): boolean {
    if (override.package !== undefined || override.key.includes("/")) return true;
    return !override.key.includes(".") && this.#source.options(override.key).length > 0;
  }

  #asks(override: Override, mount: Mount): boolean {
    if (override.kind !== "change" && override.kind !== "delete") return false;
    if (this.#isGroup(override)) return keyOf(override) === mount.key;
    // The short form: the place where the group goes. A mapping is no option but sets the keys that it has.
    return override.kind === "change" && override.key === mount.package && isOption(override.value);
  }
}

function isOption(value: ConfigValue | undefined): boolean {
  return value === null || typeof value === "string";
}

function keyOf({ key, package: packageName }: Override): string {
  return packageName === undefined ? key : overrideKey(key, packageName);
}

function placeOf(override: Override): Place {
  return { override: override.text, column: override.column };
}

function readChoice(override: Override): Choice {
  const { value } = override;
  if (value === null || typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw configError(
    `\`${keyOf(override)}\` is a group and wants the name of an option, not ${printValue(value ?? "")}`,
    placeOf(override),
    `write ${keyOf(override)}=name; its keys are set one by one, with dots`,
  );
}

function appendedEntry(override: Override): GroupEntry {
  const { key, package: packageName } = override;
  const target = { group: `/${key}`, package: packageName, choice: readChoice(override) };
  return { kind: "group", ...target, optional: false, override: false, place: placeOf(override) };
}

function forcedGroup(override: Override): Problem {
  const key = keyOf(override);
  return {
    what: `\`++\` does not work with the group \`${key}\``,
    place: placeOf(override),
    fix: `write ${key}= or +${key}=`,
  };
}

function unmatched(override: Override, mounts: readonly Mount[]): Problem {
  const key = keyOf(override);
  const known = mounts.flatMap((mount) => [mount.key, mount.package]).filter((name) => name !== "");
  const ofGroup = mounts.filter(({ group }) => group === override.key).map((mount) => mount.key);
  const near = ofGroup.length > 0 ? ofGroup.join(" or ") : nearest(key, known);
  const suggestion = near === undefined ? "" : `did you mean ${near}? `;
  return {
    what: `no defaults list has the group \`${key}\``,
    place: placeOf(override),
    fix:
      hydraFix(key) ?? `${suggestion}groups there are: ${[...new Set(known)].join(", ")}; to add one: +${key}=option`,
  };
}
