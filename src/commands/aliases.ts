const keyOfOverride = /^(\+\+|\+|~)?([A-Za-z_][\w-]*)(?==|$)/;

/**
 * Replaces short names by the full keys that they stand for: `train_split=0.8` → `dataset.preprocessing.train_split=0.8`.
 * Prefixes (`+`, `++`, `~`) and values stay as they are; so does every other override.
 */
export function expandAliases(
  overrides: readonly string[],
  aliases: Readonly<Record<string, string>> | undefined,
): readonly string[] {
  if (aliases === undefined) return overrides;
  return overrides.map((override) =>
    override.replace(keyOfOverride, (word, prefix: string | undefined, key: string) =>
      Object.hasOwn(aliases, key) ? `${prefix ?? ""}${aliases[key]}` : word,
    ),
  );
}
