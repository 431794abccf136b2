import { readScalar } from "../config/override-values.ts";
import { configError } from "../config/problems.ts";
import { derivedSeed, RandomStream } from "../data/random.ts";
import { type Point, sweptValues } from "./points.ts";

/** What a key is drawn from: values as written, or numbers between two bounds. */
type Domain = { readonly values: readonly string[] } | Interval;

interface Interval {
  readonly low: number;
  readonly high: number;
  /** Uniform in the logarithm. */
  readonly isLog: boolean;
  readonly isInteger: boolean;
}

/** An override, and what its key is drawn from; null where it is as it stands. */
interface Part {
  readonly text: string;
  /** With the `=`. */
  readonly head: string;
  readonly key: string;
  readonly domain: Domain | null;
}

/** So many draws in a row that were there before: nothing new is left. */
const mostRepeated = 1000;

/**
 * The trials of a tuning: trial 0 leaves all keys as they are, the others are drawn, each key on its own. Each draw has a stream of its
 * own by seed, key and trial, so that neither the number of trials nor another key changes it. No two trials are the same; a small
 * space may have fewer than `count`.
 * @param overrides  those with `interval(a, b)`, `int(interval(a, b))`, `tag(log, …)` or what a sweep goes through are drawn from
 * @param optionsOf  the options of the group that a key chooses from
 * @throws ConfigError
 */
export function drawTrials(
  overrides: readonly string[],
  optionsOf: (key: string) => readonly string[],
  { count, seed }: { readonly count: number; readonly seed: number },
): Point[] {
  const parts = overrides.map((text) => partOf(text, optionsOf));
  const keys = parts.flatMap(({ key, domain }) => (domain === null ? [] : [key]));
  const twice = keys.find((key, i) => keys.indexOf(key) !== i);
  if (twice !== undefined) throw configError(`\`${twice}\` is drawn twice`, { override: twice, column: 1 });
  if (keys.length === 0) {
    throw configError(
      "nothing to tune",
      { override: overrides.join(" "), column: 1 },
      "'model.lr=interval(1e-4,1e-2)'",
    );
  }
  const points: Point[] = [
    { overrides: parts.flatMap(({ text, domain }) => (domain === null ? [text] : [])), values: {} },
  ];
  const seen = new Set<string>();
  let repeated = 0;
  for (let draw = 1; seen.size < count && repeated < mostRepeated; draw++) {
    const drawn = parts.map(({ text, head, key, domain }) => {
      if (domain === null) return { text };
      const value = valueIn(domain, new RandomStream(derivedSeed(seed, `tune ${key}`, draw)).uniform());
      return { text: `${head}${value}`, entry: [key, value] as const };
    });
    const values = Object.fromEntries(drawn.flatMap(({ entry }) => (entry ? [entry] : [])));
    const name = JSON.stringify(values);
    repeated = seen.has(name) ? repeated + 1 : 0;
    if (repeated === 0) points.push({ overrides: drawn.map(({ text }) => text), values });
    seen.add(name);
  }
  return points;
}

function partOf(text: string, optionsOf: (key: string) => readonly string[]): Part {
  const equals = text.indexOf("=");
  const head = text.slice(0, equals + 1);
  const key = head.slice(0, -1).replace(/^\+*/, "");
  if (equals < 0) return { text, head, key, domain: null };
  const isInterval = /^\s*(tag|int|interval)\s*\(/.test(text.slice(equals + 1));
  const values = isInterval ? null : sweptValues(text, equals + 1, key, optionsOf);
  return { text, head, key, domain: isInterval ? intervalOf(text, equals + 1) : values && { values } };
}

/** `tag(log, int(interval(16, 512)))`, in the words of Hydra's sweeper for Optuna. @throws ConfigError */
function intervalOf(text: string, offset: number): Domain {
  const refuse = (what: string, fix: string) => configError(what, { override: text, column: offset + 1 }, fix);
  const pattern =
    /^(?<log>tag\(log,)?(?<int>int\()?interval\((?:start=)?(?<low>[^(),]+),(?:end=)?(?<high>[^(),]+)\)(?<end>\)*)$/;
  const { log, int, low, high, end } = pattern.exec(text.slice(offset).replaceAll(/\s/g, ""))?.groups ?? {};
  const [from, to] = [readScalar(low ?? ""), readScalar(high ?? "")];
  const [isLog, isInteger] = [log !== undefined, int !== undefined];
  const isWhole = end?.length === Number(isLog) + Number(isInteger);
  if (!isWhole || typeof from !== "number" || typeof to !== "number") {
    const fix =
      "interval(1e-4, 1e-2), int(interval(64, 512)), tag(log, interval(1e-4, 1e-2)), tag(log, int(interval(64, 512)))";
    throw refuse("this is no interval", fix);
  }
  if (!(from < to && Number.isFinite(to - from)))
    throw refuse("an interval goes from a number to a greater one", "interval(0, 1)");
  if (isLog && from <= 0) throw refuse("a logarithm begins above 0", "tag(log, interval(1e-4, 1e-2))");
  if (isInteger && !(Number.isInteger(from) && Number.isInteger(to)))
    throw refuse("int(…) wants whole numbers", "int(interval(64, 512))");
  return { low: from, high: to, isLog, isInteger };
}

/** @param at in [0, 1) */
function valueIn(domain: Domain, at: number): string {
  if ("values" in domain) return domain.values[Math.floor(at * domain.values.length)]!;
  const { low, high, isLog, isInteger } = domain;
  // Whole numbers have each the same width, the last one too.
  const [from, to] = isInteger ? [low, high + 1] : [low, high];
  const value = isLog ? Math.exp(Math.log(from) + at * Math.log(to / from)) : from + at * (to - from);
  const rounded = isInteger ? Math.floor(value) : Number(value.toPrecision(4));
  return String(Math.min(high, Math.max(low, rounded)));
}
