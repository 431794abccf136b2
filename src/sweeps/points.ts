import { mostPoints, parseSweep } from "../config/override-values.ts";
import { configError } from "../config/problems.ts";

/** One run of a sweep. */
export interface Point {
  readonly overrides: readonly string[];
  /** What is swept over → its value here, as written. */
  readonly values: Readonly<Record<string, string>>;
}

/**
 * The product of all that the overrides sweep over, in Hydra's order: the last one changes fastest. Without a sweep, one point.
 * @param optionsOf the options of the group that a key chooses from, for `glob(…)`; empty where it is no group
 * @throws ConfigError
 */
export function sweepPoints(overrides: readonly string[], optionsOf: (key: string) => readonly string[]): Point[] {
  let points: Point[] = [{ overrides: [], values: {} }];
  for (const text of overrides) {
    const equals = text.indexOf("=");
    const head = text.slice(0, equals + 1);
    const key = head.slice(0, -1).replace(/^\+*/, "");
    const values = equals < 0 ? null : sweptValues(text, equals + 1, key, optionsOf);
    if (values === null) {
      points = points.map((point) => ({ ...point, overrides: [...point.overrides, text] }));
      continue;
    }
    const place = { override: text, column: 1 };
    if (Object.hasOwn(points[0]!.values, key))
      throw configError(`\`${key}\` is swept over twice`, place, "give all values at once");
    if (points.length * values.length > mostPoints) throw configError(`more than ${mostPoints} points`, place);
    points = points.flatMap((point) =>
      values.map((value) => ({
        overrides: [...point.overrides, `${head}${value}`],
        values: { ...point.values, [key]: value },
      })),
    );
  }
  return points;
}

/** What an override sweeps over, from `offset` on, each once; null where there is one value and no more. @throws ConfigError */
export function sweptValues(
  text: string,
  offset: number,
  key: string,
  optionsOf: (key: string) => readonly string[],
): readonly string[] | null {
  const sweep = parseSweep(text, offset);
  if ("values" in sweep) {
    const known = new Set<string | number>();
    for (const value of sweep.values) {
      // 1e-3 is 0.001.
      const isNumber = value.trim() !== "" && Number.isFinite(Number(value));
      if (known.size === known.add(isNumber ? Number(value) : value).size)
        throw configError(`${value} is there twice`, { override: text, column: offset + 1 }, "give each value once");
    }
    return sweep.values.length > 1 || sweep.values[0] !== text.slice(offset).trim() ? sweep.values : null;
  }
  const options = optionsOf(key);
  const fits = (patterns: readonly string[], option: string): boolean =>
    patterns.some((pattern) => expressionOf(pattern).test(option));
  const chosen = options.filter((option) => fits(sweep.include, option) && !fits(sweep.exclude, option));
  if (chosen.length > 0) return chosen;
  const fix =
    options.length > 0 ? `options there are: ${options.join(", ")}` : "glob(…) is for groups: dataset, model, recipe";
  throw configError("nothing fits these patterns", { override: text, column: offset + 1 }, fix);
}

/** `*` and `?`, as a shell has them. */
function expressionOf(pattern: string): RegExp {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`);
}
