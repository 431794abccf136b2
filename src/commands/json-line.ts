/** JSON has no NaN or Infinity: such values become null, and `nonfinite` says what they were, by their path. */
export function toJsonLine(record: object): string {
  const nonfinite: Record<string, string> = {};
  const visit = (value: unknown, path: string): void => {
    if (typeof value === "number" && !Number.isFinite(value)) nonfinite[path] = String(value);
    if (typeof value !== "object" || value === null) return;
    for (const [key, inner] of Object.entries(value)) visit(inner, path === "" ? key : `${path}.${key}`);
  };
  visit(record, "");
  return JSON.stringify(Object.keys(nonfinite).length > 0 ? { ...record, nonfinite } : record);
}
