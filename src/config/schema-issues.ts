import type { z } from "zod";
import { nearest } from "../errors.ts";
import { hydraFix } from "./aliases.ts";
import { printValue } from "./override-values.ts";
import type { Place, Problem } from "./problems.ts";
import { describeType } from "./schema-text.ts";
import { childrenOfSchema, knownKeys, membersOf, schemaAt, valueBelow } from "./schema-walk.ts";
import { type ConfigNode, type ConfigValue, child, getNode, type MapNode, type Path, toValue } from "./tree.ts";

/** Says what zod found in our words: the key, what may stand there, what stands there, where it was written. */
export function problemsOf(issues: readonly z.core.$ZodIssue[], schema: z.ZodType, tree: MapNode): Problem[] {
  const value = toValue(tree);
  return issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(schema, tree, value, path, key));
    return [wrongValue(issue, schema, tree, value, path)];
  });
}

function unknownKey(schema: z.ZodType, tree: MapNode, value: ConfigValue, parent: Path, key: string): Problem {
  const path = [...parent, key];
  const parentSchema = schemaAt(schema, parent, value);
  const children = parentSchema && childrenOfSchema(parentSchema, valueAt(value, parent));
  const siblings = children?.kind === "names" ? [...children.schemas.keys()] : [];
  const near = nearest(key, siblings);
  // The original's documentation writes `train_split` for `dataset.preprocessing.train_split`.
  const elsewhere = knownKeys(schema, value).find(([known]) => known.at(-1) === key)?.[0];
  const meant = near === undefined ? elsewhere : [...parent, near];
  const owners = (parentSchema && membersOf(parentSchema))?.members.filter(([, member]) => key in member.shape) ?? [];
  if (owners.length > 0) {
    const names = owners.map(([name]) => name).join(", ");
    return {
      what: `\`${path.join(".")}\` belongs to ${names} alone`,
      place: placeAt(tree, path),
      fix: `leave it out, or name that: the keys here are ${siblings.join(", ")}`,
    };
  }
  const suggestion = meant ? `did you mean \`${meant.join(".")}\`? ` : "";
  return {
    what: `unknown key \`${path.join(".")}\``,
    place: placeAt(tree, path),
    fix:
      hydraFix(key) ??
      `${suggestion}known keys${parent.length > 0 ? ` of ${parent.join(".")}` : ""}: ${siblings.join(", ")}`,
  };
}

function wrongValue(
  issue: Exclude<z.core.$ZodIssue, z.core.$ZodIssueUnrecognizedKeys>,
  schema: z.ZodType,
  tree: MapNode,
  value: ConfigValue,
  path: Path,
): Problem {
  const key = path.join(".");
  const place = placeAt(tree, path);
  const node = getNode(tree, path);
  const keySchema = schemaAt(schema, path, value);
  if (issue.code === "custom")
    return { what: `\`${key}\` ${issue.message}`, place, fix: node && `it is ${shown(node)}` };
  const allowed = allowedAt(issue, keySchema);
  if (!node) {
    const meaning = keySchema?.description;
    return { what: `\`${key}\` is missing`, place, fix: `give ${key}=… (${allowed})${meaning ? `: ${meaning}` : ""}` };
  }
  return { what: `\`${key}\` must be ${allowed}, got ${shown(node)}`, place, fix: remedy(issue, node, key) };
}

function allowedAt(issue: z.core.$ZodIssue, schema: z.ZodType | undefined): string {
  if (issue.code === "invalid_union" && "options" in issue && Array.isArray(issue.options))
    return issue.options.join(" | ");
  // Lengths are the one thing that a type in words does not say.
  if (issue.code === "too_small" && issue.origin === "string") return "text that is not empty";
  if (issue.code === "too_small" && issue.origin === "array" && issue.minimum === 1) return "a list that is not empty";
  return schema ? describeType(schema) : issue.message;
}

function remedy(issue: z.core.$ZodIssue, node: ConfigNode, key: string): string | undefined {
  if (node.kind !== "scalar") return undefined;
  const got = node.value;
  if (issue.code === "invalid_type" && issue.expected === "string" && got !== null)
    return `quote it: "${key}='${got}'"`;
  const options = issue.code === "invalid_value" ? issue.values.map(String) : [];
  const near = nearest(String(got), options);
  return near && `did you mean ${near}?`;
}

function shown(node: ConfigNode): string {
  const text = printValue(toValue(node));
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}

/** Where the key stands, or the nearest of those around it. */
function placeAt(tree: MapNode, path: Path): Place {
  let node: ConfigNode = tree;
  for (const key of path) {
    const below = child(node, key);
    if (!below) break;
    node = below;
  }
  return node.place;
}

function valueAt(value: ConfigValue, path: Path): ConfigValue | undefined {
  return path.reduce<ConfigValue | undefined>(valueBelow, value);
}
