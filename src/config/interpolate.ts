import { nearest } from "../errors.ts";
import { canonicalPath } from "./aliases.ts";
import { type InterpolationPart, parseInterpolation } from "./interpolation-syntax.ts";
import { readScalar } from "./override-values.ts";
import { attempt, configError, type Place, type Problem } from "./problems.ts";
import { formatTime } from "./time-format.ts";
import {
  type ConfigNode,
  child,
  countNodes,
  type MapNode,
  maximumNodes,
  type Path,
  type Scalar,
  type ScalarNode,
} from "./tree.ts";

/** What interpolations may ask of the world. */
export interface InterpolationContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: Date;
}

const maximumDepth = 200;
const maximumText = 1_000_000;

/**
 * Replaces every `${a.b}`, `${.sibling}`, `${..aunt}`, `${oc.env:NAME,default}`, `${oc.decode:text}` and `${now:%Y-%m-%d}`.
 * An interpolation that is a whole value takes the value with its type, mappings and lists too; one within text becomes text.
 * @param problems where interpolations that cannot be resolved are added, each with its place; their values stay as they are
 */
export function interpolate(tree: MapNode, context: InterpolationContext, problems: Problem[]): MapNode {
  return new Interpolator(tree, context, problems).run();
}

/** The paths and nodes of all `???`: values that must be given. */
export function missingValues(node: ConfigNode, path: Path = []): { path: Path; place: Place }[] {
  if (node.kind === "scalar") return node.value === "???" ? [{ path, place: node.place }] : [];
  const children =
    node.kind === "map" ? [...node.entries] : node.items.map((item, index) => [String(index), item] as const);
  return children.flatMap(([key, item]) => missingValues(item, [...path, key]));
}

class Interpolator {
  readonly #tree: MapNode;
  readonly #context: InterpolationContext;
  readonly #problems: Problem[];
  /** Scalars already resolved. Their trees are shared, so that repetition costs nothing. */
  readonly #resolved = new Map<string, ConfigNode>();
  /** Those that cannot be resolved: tried once, told wherever they are needed. */
  readonly #failed = new Map<string, unknown>();
  /** Paths being resolved: one that comes up again is a cycle. */
  readonly #active: string[] = [];

  constructor(tree: MapNode, context: InterpolationContext, problems: Problem[]) {
    this.#tree = tree;
    this.#context = context;
    this.#problems = problems;
  }

  run(): MapNode {
    return this.#whole(this.#tree, [], true) as MapNode;
  }

  /** The node with everything below it resolved. `collect`: go on after a problem. */
  #whole(node: ConfigNode, path: Path, collect: boolean): ConfigNode {
    if (node.kind === "scalar") {
      if (!collect) return this.#scalar(node, path);
      return attempt(this.#problems, () => this.#scalar(node, path)) ?? node;
    }
    if (node.kind === "list") {
      return this.#bounded({
        ...node,
        items: node.items.map((item, index) => this.#whole(item, [...path, String(index)], collect)),
      });
    }
    const entries = [...node.entries].map(([key, item]) => [key, this.#whole(item, [...path, key], collect)] as const);
    return this.#bounded({ ...node, entries: new Map(entries) });
  }

  #scalar(node: ScalarNode, path: Path): ConfigNode {
    if (typeof node.value !== "string" || !node.value.includes("${")) return node;
    const key = path.join(".");
    const known = this.#resolved.get(key);
    if (known) return known;
    if (this.#failed.has(key)) throw this.#failed.get(key);
    if (this.#active.includes(key)) {
      const cycle = [...this.#active.slice(this.#active.indexOf(key)), key].join(" → ");
      throw configError(`interpolation goes in a circle: ${cycle}`, node.place);
    }
    if (this.#active.length >= maximumDepth)
      throw configError(`more than ${maximumDepth} interpolations in a chain`, node.place);
    this.#active.push(key);
    try {
      const parts = parseInterpolation(node.value, node.place);
      const resolved = this.#parts(parts, path, node.place);
      this.#resolved.set(key, resolved);
      return resolved;
    } catch (error) {
      this.#failed.set(key, error);
      throw error;
    } finally {
      this.#active.pop();
    }
  }

  #parts(parts: readonly InterpolationPart[], path: Path, place: Place): ConfigNode {
    const [first] = parts;
    if (parts.length === 1 && first && typeof first !== "string") return { ...this.#part(first, path, place), place };
    return { kind: "scalar", value: this.#text(parts, path, place), place };
  }

  #text(parts: readonly InterpolationPart[], path: Path, place: Place): string {
    let text = "";
    for (const part of parts) {
      if (typeof part === "string") text += part;
      else {
        const node = this.#part(part, path, place);
        if (node.kind !== "scalar")
          throw configError(
            `\`${part.text}\` is a ${node.kind === "map" ? "mapping" : "list"} and cannot stand within text`,
            place,
          );
        text += String(node.value);
      }
      if (text.length > maximumText)
        throw configError(`more than ${maximumText} characters of interpolated text`, place);
    }
    return text;
  }

  #part(part: Exclude<InterpolationPart, string>, path: Path, place: Place): ConfigNode {
    if (part.kind === "key") return this.#lookUp(part, path, place);
    const scalar = (value: Scalar): ConfigNode => ({ kind: "scalar", value, place });
    const argument = (index: number): string | undefined => {
      const given = part.arguments[index];
      return given && this.#text(given, path, place);
    };
    switch (part.resolver) {
      case "oc.env":
        return scalar(this.#environment(argument(0) ?? "", () => argument(1), place));
      case "oc.decode":
        return scalar(readScalar((argument(0) ?? "").trim()));
      case "now":
        return scalar(formatTime(this.#context.now, argument(0) ?? "", place));
      default: {
        const known = ["oc.env", "oc.decode", "now"];
        const near = nearest(part.resolver, known);
        const fix = `${near ? `did you mean \`${near}\`? ` : ""}there are: ${known.join(", ")}`;
        throw configError(`unknown resolver \`${part.resolver}\` in \`${part.text}\``, place, fix);
      }
    }
  }

  #environment(name: string, defaultValue: () => string | undefined, place: Place): string | null {
    const value = Object.hasOwn(this.#context.env, name) ? this.#context.env[name] : undefined;
    if (value !== undefined) return value;
    const fallback = defaultValue();
    if (fallback === undefined) {
      throw configError(
        `the environment variable \`${name}\` is not set`,
        place,
        `set it, or give a default: \${oc.env:${name},default}`,
      );
    }
    return fallback === "null" ? null : fallback;
  }

  /** Follows a key from the root, or from the mapping that the dots name; interpolations on the way are resolved. */
  #lookUp(part: { keys: Path; up: number; text: string }, from: Path, place: Place): ConfigNode {
    if (part.up > from.length) throw configError(`\`${part.text}\` has more dots than the key has parents`, place);
    const base = part.up === 0 ? [] : from.slice(0, from.length - part.up);
    const path = canonicalPath([...base, ...part.keys]);
    let node: ConfigNode = this.#tree;
    let at: Path = [];
    let isResolved = false;
    for (const key of path) {
      if (node.kind === "scalar" && !isResolved) {
        node = this.#scalar(node, at);
        isResolved = true;
      }
      const below = child(node, key);
      if (!below) throw this.#notFound(part.text, at, key, node, place);
      node = below;
      at = [...at, key];
    }
    // What stands above the interpolation holds it.
    if (from.length >= at.length && at.every((key, index) => key === from[index])) {
      throw configError(
        `interpolation goes in a circle: ${from.join(".")} → ${at.join(".") || "the whole configuration"}`,
        place,
      );
    }
    const found = isResolved ? node : this.#whole(node, at, false);
    if (found.kind === "scalar" && found.value === "???") {
      throw configError(
        `\`${part.text}\` needs \`${at.join(".")}\`, which must be given`,
        place,
        `give ${at.join(".")}=value`,
      );
    }
    return found;
  }

  #notFound(text: string, at: Path, key: string, parent: ConfigNode, place: Place) {
    const near = nearest(key, parent.kind === "map" ? parent.entries.keys() : []);
    const where = at.length === 0 ? "the configuration" : `\`${at.join(".")}\``;
    const fix = near && `did you mean \`${[...at, near].join(".")}\`?`;
    return configError(`\`${text}\` leads nowhere: ${where} has no key \`${key}\``, place, fix);
  }

  #bounded<T extends ConfigNode>(node: T): T {
    if (countNodes(node) <= maximumNodes) return node;
    throw configError(`more than ${maximumNodes} values once the interpolations are written out`, node.place);
  }
}
