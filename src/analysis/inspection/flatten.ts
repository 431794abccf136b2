const [mostEntries, deepest, longestList] = [400, 12, 8];

/**
 * The entries of nested settings or results by their paths: `model.lr` → 0.001. Of long lists and of what lies too deep only the
 * size is told; what comes after 400 entries is left out.
 */
export function flatten(value: unknown): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  const visit = (inner: unknown, path: string, depth: number): void => {
    if (entries.length >= mostEntries) return;
    if (typeof inner !== "object" || inner === null) {
      entries.push([path, inner]);
    } else if (Array.isArray(inner)) {
      const isShort = inner.length <= longestList && inner.every((each) => typeof each !== "object");
      entries.push([path, isShort ? inner : `${inner.length} entries`]);
    } else if (depth >= deepest) {
      entries.push([path, `${Object.keys(inner).length} entries`]);
    } else {
      for (const [key, each] of Object.entries(inner)) visit(each, path === "" ? key : `${path}.${key}`, depth + 1);
    }
  };
  if (value !== null && value !== undefined) visit(value, "", 0);
  return Object.fromEntries(entries);
}
