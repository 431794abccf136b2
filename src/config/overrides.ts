import { parseValue } from "./override-values.ts";
import { configError } from "./problems.ts";
import { badKey, type ConfigValue, type Path } from "./tree.ts";

/** What an override does: `key=value`, `+key=value`, `++key=value`, `~key`. */
export type OverrideKind = "change" | "add" | "force" | "delete";

/** One override of the command line, read. */
export interface Override {
  readonly kind: OverrideKind;
  /** The dotted key or the group, `model.lr` or `models`, without a package. */
  readonly key: string;
  /** What stands after `@`: the place where a group's option goes. */
  readonly package: string | undefined;
  /** Undefined for `~key` without a value. */
  readonly value: ConfigValue | undefined;
  /** As the user wrote it. */
  readonly text: string;
  /** Where the key begins, from 1. */
  readonly column: number;
}

/** The dotted key as a path. */
export function pathOf(override: Override): Path {
  return override.key.split(".");
}

const maximumDepth = 64;
const prefixes = { "++": "force", "+": "add", "~": "delete", "": "change" } as const;

/**
 * Reads an override: Hydra's grammar (OverrideParser.g4), `[+ | ++ | ~] key[@package][=value]`.
 * @throws ConfigError with the column
 */
export function parseOverride(text: string): Override {
  const prefix = /^(\+\+|\+|~)?/.exec(text)![0] as keyof typeof prefixes;
  const kind = prefixes[prefix];
  const equals = text.indexOf("=");
  const keyEnd = equals < 0 ? text.length : equals;
  const whole = text.slice(prefix.length, keyEnd);
  const at = whole.indexOf("@");
  const key = at < 0 ? whole : whole.slice(0, at);
  const packageName = at < 0 ? undefined : whole.slice(at + 1);
  checkKey(text, key, prefix.length);
  if (packageName !== undefined) checkPackage(text, packageName, prefix.length + at + 1);
  if (equals < 0 && kind !== "delete") {
    const place = { override: text, column: text.length + 1 };
    throw configError(`\`=\` expected after the key \`${whole}\``, place, "write key=value; key= sets empty text");
  }
  const value = equals < 0 ? undefined : parseValue(text, equals + 1);
  return { kind, key, package: packageName, value, text, column: prefix.length + 1 };
}

/** A dotted key or a group with slashes: names of letters, digits, `_`, `$` and, but for the first character, `-`. */
function checkKey(text: string, key: string, offset: number): void {
  if (key === "") throw configError("the key is missing", { override: text, column: offset + 1 }, "write key=value");
  if (key.includes("/") && key.includes(".")) {
    const place = { override: text, column: offset + key.indexOf("/") + 1 };
    throw configError(`\`${key}\` mixes dots and slashes`, place, "keys have dots, `model.lr`; groups have slashes");
  }
  checkNames(text, key, offset, key.includes("/") ? "/" : ".");
}

function checkPackage(text: string, name: string, offset: number): void {
  if (name !== "") checkNames(text, name, offset, ".");
  else throw configError("the package after `@` is missing", { override: text, column: offset + 1 });
}

function checkNames(text: string, dotted: string, offset: number, separator: string): void {
  const names = dotted.split(separator);
  if (names.length > maximumDepth) {
    throw configError(`nested deeper than ${maximumDepth} levels`, { override: text, column: offset + 1 });
  }
  let start = offset;
  for (const name of names) {
    const bad = badKey(name);
    if (bad) throw configError(bad, { override: text, column: start + 1 });
    // A leading dash is a flag that the command line did not know.
    const wrong = name.search(/^-|[^\w$-]/);
    if (wrong >= 0) {
      const place = { override: text, column: start + wrong + 1 };
      throw configError(
        `unexpected \`${name[wrong]}\` in the key`,
        place,
        "write key=value, for example model.lr=5e-4",
      );
    }
    start += name.length + 1;
  }
}
