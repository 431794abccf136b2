import type { Frame } from "../data/frame.ts";
import type { Inference } from "../inference/inference.ts";
import { meanErrors } from "../inference/state-errors.ts";
import { plannedGroups } from "../inference/tracer-groups.ts";
import { trustSignals } from "../models/trust.ts";
import { arrayOf, type Findings, foundIn, type Part } from "./findings.ts";

/** Errors above are large, dex: a factor of 2. */
const large = 0.3;
/** States that are emulated at most. */
const mostRows = 65_536;
/** Ends of the bins of expected error, and the thresholds of the curve, dex. */
const ends = [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2];

/** How far the expected errors of a calibrated surrogate can be relied on. Errors of states, dex: means over the species above 1e-12. */
export interface Reliability {
  /** The part of states that are to be off by no more than expected, and the part that are. */
  readonly level: number;
  readonly coverage: number;
  readonly states: number;
  readonly mean_error_dex: number;
  readonly mean_expected_dex: number;
  /** States that are off by more than that; of them the part whose expected error is above it, too, and the same of all others: false alarms. */
  readonly threshold_dex: number;
  readonly large: number;
  readonly flagged: number | null;
  readonly false_alarms: number | null;
  /** The same two parts for other thresholds of the expected error. */
  readonly curve: readonly {
    readonly expected_dex: number;
    readonly flagged: number | null;
    readonly false_alarms: number | null;
  }[];
  /** States by expected error, those of none left out. */
  readonly bins: readonly {
    readonly from_dex: number;
    readonly to_dex: number | null;
    readonly states: number;
    readonly mean_expected_dex: number;
    readonly mean_error_dex: number;
    readonly coverage: number;
  }[];
  /** The part of the states that have each of the flags. */
  readonly flags: Readonly<Record<string, number>>;
}

/**
 * Emulates tracers with their expected errors, which are held against the true ones.
 * @param runs  the tracers; at most 65,536 states of them, spread evenly
 * @returns     null for a surrogate that is not calibrated
 */
export function reliabilityPart(
  surrogate: Inference,
  frame: Frame,
  runs: readonly { readonly start: number; readonly rows: number }[],
): Part | null {
  if (surrogate.trustLevel === null) return null;
  const groups = plannedGroups(frame, surrogate, { mostRows, runs });
  const { physicalParameters, species } = surrogate;
  return {
    name: "reliability",
    blocks: groups.length,
    async *look(at) {
      const { count, steps, physical, starts, truth } = groups[at]!();
      const { data, trust } = await surrogate.emulate(
        { data: physical, shape: [count, steps, physicalParameters.length] },
        { data: starts.map((x) => Math.max(x, 0)), shape: [count, species.length] },
        { conserve: true, trust: true },
      );
      const { expectedError, flags } = trust!;
      const errors = Float64Array.from(meanErrors(data, truth, surrogate));
      yield { errors, expected: Float64Array.from(expectedError), flags: Int32Array.from(flags) };
    },
  };
}

/** How far the surrogate's expected errors can be relied on; null without a part. @param level part of the states that are to be covered */
export async function reliabilityOf(
  part: Part | null,
  findings: Findings | null,
  level: number | null,
  checkpoint: () => Promise<void>,
): Promise<Reliability | null> {
  if (part === null || level === null) return null;
  const [errors, expected, flags]: [number[], number[], number[]] = [[], [], []];
  for await (const [, found] of foundIn(part, findings, checkpoint)) {
    for (const error of arrayOf(found, "errors", Float64Array)) errors.push(error);
    for (const error of arrayOf(found, "expected", Float64Array)) expected.push(error);
    for (const bits of arrayOf(found, "flags", Int32Array)) flags.push(bits);
  }
  return reliability(errors, expected, flags, level);
}

/** The figures of states, of which each has an error, an expected error, both in dex, and flags. */
export function reliability(
  errors: readonly number[],
  expected: readonly number[],
  flags: readonly number[],
  level: number,
): Reliability {
  const all = [...errors.keys()];
  const mean = (of: readonly number[], values: readonly number[]): number =>
    of.reduce((sum, i) => sum + values[i]!, 0) / of.length;
  const part = (of: readonly number[], holds: (i: number) => boolean): number | null =>
    of.length === 0 ? null : of.filter(holds).length / of.length;
  const isCovered = (i: number): boolean => errors[i]! <= expected[i]!;
  const [bad, good] = [all.filter((i) => errors[i]! > large), all.filter((i) => !(errors[i]! > large))];
  const alarms = (expected_dex: number) => ({
    flagged: part(bad, (i) => expected[i]! > expected_dex),
    false_alarms: part(good, (i) => expected[i]! > expected_dex),
  });
  const bins = [0, ...ends].flatMap((from_dex, k) => {
    const to_dex = ends[k] ?? null;
    const own = all.filter((i) => expected[i]! >= from_dex && (to_dex === null || expected[i]! < to_dex));
    if (own.length === 0) return [];
    const means = { mean_expected_dex: mean(own, expected), mean_error_dex: mean(own, errors) };
    return [{ from_dex, to_dex, states: own.length, ...means, coverage: part(own, isCovered)! }];
  });
  return {
    level,
    coverage: part(all, isCovered)!,
    states: all.length,
    mean_error_dex: mean(all, errors),
    mean_expected_dex: mean(all, expected),
    threshold_dex: large,
    large: bad.length,
    ...alarms(large),
    curve: ends.map((expected_dex) => ({ expected_dex, ...alarms(expected_dex) })),
    bins,
    flags: Object.fromEntries(trustSignals.map(({ name, bit }) => [name, part(all, (i) => (flags[i]! & bit) !== 0)!])),
  };
}

/** In a sentence or two. */
export function describeReliability(found: Reliability): string {
  const { level, coverage, states, threshold_dex, large: bad, flagged, false_alarms } = found;
  const percent = (value: number): string => `${(100 * value).toFixed(value > 0.995 || value < 0.005 ? 1 : 0)} %`;
  const covered = `${percent(coverage)} of the states are off by no more than expected (${percent(level)} were to be).`;
  if (flagged === null) return `${covered} None is off by more than ${threshold_dex} dex.`;
  const alarms = false_alarms === null ? "" : `, and ${percent(false_alarms)} of the others`;
  const share = percent(bad / states);
  return `${covered} Of the ${share} that are off by more than ${threshold_dex} dex, ${percent(flagged)} are expected to be${alarms}.`;
}
