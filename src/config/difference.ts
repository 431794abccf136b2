/**
 * The keys, as paths, in which two configurations differ.
 * @param isIgnored  keys that are of no account
 */
export function differingKeys(a: unknown, b: unknown, isIgnored: (key: string) => boolean, path = ""): string[] {
  if (path !== "" && isIgnored(path)) return [];
  if (isMap(a) && isMap(b)) {
    const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();
    return keys.flatMap((key) => differingKeys(a[key], b[key], isIgnored, path === "" ? key : `${path}.${key}`));
  }
  return JSON.stringify(a) === JSON.stringify(b) ? [] : [path];
}

/** What stands at a dotted key; undefined where there is nothing. */
export function valueAt(from: unknown, key: string): unknown {
  return key.split(".").reduce<unknown>((at, part) => (isMap(at) ? at[part] : undefined), from);
}

/** Whether a value is an object with keys, no list. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
