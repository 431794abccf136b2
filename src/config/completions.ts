import { compose } from "./compose.ts";
import type { LoadOptions } from "./load.ts";
import { type Override, parseOverride } from "./overrides.ts";
import { packageConfigs } from "./paths.ts";
import { attempt } from "./problems.ts";
import { describeType } from "./schema-text.ts";
import { knownKeys } from "./schema-walk.ts";
import { type RootName, rootSchemas } from "./schemas.ts";
import { type ConfigSource, searchPath } from "./search-path.ts";
import { toValue } from "./tree.ts";

/**
 * The overrides that may begin with `current`: groups and keys one level at a time (`model.`, `model.lr=`), options of a group
 * (`dataset=sample`), values where few are possible.
 * @param options `overrides`: those before it, as far as they can be read
 */
export function overrideCompletions(current: string, options: Omit<LoadOptions<RootName>, "from">): string[] {
  const source = searchPath(options.configDirs, ["configs", packageConfigs], options.cwd);
  const { groups, tree } = composed(source, options);
  const keys = knownKeys(rootSchemas[options.root], toValue(tree)).map(
    ([path, schema]) => [path.join("."), schema] as const,
  );
  const [, prefix, key, value] = /^(\+\+|\+|~)?([^=]*)(=.*)?$/s.exec(current)!;
  if (value === undefined) {
    const depth = key!.split(".").length;
    const level = (name: string): string => name.split(".").slice(0, depth).join(".");
    // `models@model` has a short form, `model`.
    const choosers = Object.keys(groups).filter((name) => !name.includes("@"));
    const names = [...choosers, ...keys.map(([name]) => level(name))].filter((name) => name.startsWith(key!));
    const forms = names.flatMap((name) => {
      const isMapping = keys.some(([each]) => each.startsWith(`${name}.`));
      return [...(isMapping ? [`${name}.`] : []), ...(choosers.includes(name) || !isMapping ? [`${name}=`] : [])];
    });
    return [...new Set(forms)].map((name) => `${prefix ?? ""}${name}`);
  }
  const schema = keys.find(([name]) => name === key)?.[1];
  const words = schema === undefined || key! in groups ? [] : describeType(schema).split(/ \| | or /);
  // `number > 0` says what may stand there, and is none of it.
  const values =
    key! in groups
      ? source.options(groups[key!]!)
      : words.every((word) => /^[\w-]+$/.test(word)) && words.length > 1
        ? words
        : [];
  return values.map((each) => `${prefix ?? ""}${key}=${each}`).filter((each) => each.startsWith(current));
}

/** With what was typed before, or, where that cannot be composed, without. */
function composed(source: ConfigSource, { root, overrides }: Pick<LoadOptions<RootName>, "root" | "overrides">) {
  const before = overrides.flatMap((text): Override[] => attempt([], () => [parseOverride(text)]) ?? []);
  return attempt([], () => compose(source, root, before, [])) ?? compose(source, root, [], []);
}
