import { printValue } from "./override-values.ts";
import { configError, type Place } from "./problems.ts";
import { type ConfigNode, type MapNode, toValue } from "./tree.ts";

/** What a group may be set to: one option, several, none, or `???` (must be chosen). */
export type Choice = string | readonly string[] | null;

/** One entry of a `defaults` list. */
export type DefaultEntry =
  | { readonly kind: "self"; readonly place: Place }
  | {
      readonly kind: "config";
      readonly path: string;
      readonly package: string | undefined;
      readonly optional: boolean;
      readonly place: Place;
    }
  | GroupEntry;

/** `group@package: option`. */
export interface GroupEntry {
  readonly kind: "group";
  readonly group: string;
  readonly package: string | undefined;
  readonly choice: Choice;
  readonly optional: boolean;
  readonly override: boolean;
  readonly place: Place;
}

/**
 * The `defaults` list of a file, with `_self_` at the end where the file does not say where it stands (as Hydra 1.2 does).
 * @throws ConfigError with the place of an entry that cannot be read
 */
export function readDefaults(tree: MapNode): DefaultEntry[] {
  const list = tree.entries.get("defaults");
  if (!list || (list.kind === "scalar" && list.value === null)) return [{ kind: "self", place: tree.place }];
  if (list.kind !== "list") {
    throw configError("`defaults` is not a list", list.place, "write `- group: option` below it");
  }
  const entries = list.items.map(readEntry);
  const selves = entries.filter((entry) => entry.kind === "self");
  if (selves.length > 1)
    throw configError("`_self_` stands twice in `defaults`", selves[1]!.place, "keep one of the two");
  return selves.length === 1 ? entries : [...entries, { kind: "self", place: tree.place }];
}

/** The file's own keys, without the `defaults` list. */
export function ownContent(tree: MapNode): MapNode {
  const entries = new Map(tree.entries);
  entries.delete("defaults");
  return { ...tree, entries };
}

function readEntry(node: ConfigNode): DefaultEntry {
  const { place } = node;
  if (node.kind === "scalar" && typeof node.value === "string") {
    if (node.value === "_self_") return { kind: "self", place };
    const { name, package: packageName, optional } = readTarget(node.value, place);
    return { kind: "config", path: name, package: packageName, optional, place };
  }
  const [entry, ...others] = node.kind === "map" ? [...node.entries] : [];
  if (!entry || others.length > 0) {
    const got = printValue(toValue(node));
    throw configError(
      `an entry of \`defaults\` cannot be read: ${got}`,
      place,
      "write `- group: option`, `- name` or `- _self_`",
    );
  }
  const [key, value] = entry;
  const { name, package: packageName, optional, override } = readTarget(key, value.place);
  return {
    kind: "group",
    group: name,
    package: packageName,
    choice: readChoice(key, value),
    optional,
    override,
    place: value.place,
  };
}

/** `[optional] [override] name[@package]`. */
function readTarget(text: string, place: Place) {
  const words = text.trim().split(/\s+/);
  const target = words.pop()!;
  const optional = words.includes("optional");
  const override = words.includes("override");
  const match = /^(\/?[\w-]+(?:\/[\w-]+)*)(?:@([\w-]+(?:\.[\w-]+)*))?$/.exec(target);
  if (!match || words.length !== Number(optional) + Number(override)) {
    throw configError(
      `\`${text}\` names no group`,
      place,
      "write `group`, `group@package`, `optional group` or `override group`; interpolation is not possible here",
    );
  }
  return { name: match[1]!, package: match[2], optional, override };
}

function readChoice(key: string, node: ConfigNode): Choice {
  const value = toValue(node);
  if (value === null || typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw configError(`\`${key}\` wants the name of an option, not ${printValue(value)}`, node.place);
}
