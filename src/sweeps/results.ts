import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomic } from "../formats/atomic-file.ts";
import { soundFile } from "../formats/checked-content.ts";
import { type FoundPoint, findPoints, type PointStage, readPlan, sweepPaths, sweepVersion } from "./folder.ts";

/** A point with what came of it. */
export interface PointResult {
  readonly point: number;
  readonly state: PointStage;
  readonly exit_code: number | null;
  readonly attempts: number;
  /** What is swept over → its value here. */
  readonly values: Readonly<Record<string, string>>;
  /** The run's own numbers and words; empty where it has not completed. */
  readonly results: Readonly<Record<string, number | string | null>>;
  /** Absolute. */
  readonly run: string;
  readonly log: string;
}

/** Points that differ in their seeds alone: the mean of the objective, with the 95 % interval of Student's t. */
export interface SeedGroup {
  readonly values: Readonly<Record<string, string>>;
  readonly points: readonly number[];
  readonly mean: number;
  /** Null for one seed. */
  readonly low: number | null;
  readonly high: number | null;
}

/** What sweep.json holds. */
export interface SweepResults {
  readonly format_version: number;
  readonly command: string;
  /** The folder, absolute. */
  readonly sweep: string;
  /** What is swept over. */
  readonly keys: readonly string[];
  /** Among `results`, what tells how good a point is, the less the better; null where nothing does. */
  readonly objective: string | null;
  readonly points: readonly PointResult[];
  readonly groups: readonly SeedGroup[];
}

/** Gathers what the points left. Reads their folders only. @throws ConfigError where there is no sweep */
export function collectSweep(folder: string): SweepResults {
  const plan = readPlan(folder);
  const points = findPoints(folder, plan).map((found) => resultOf(folder, found, plan.points[found.index]!.values));
  const objective = objectives.find((name) => points.some(({ results }) => typeof results[name] === "number")) ?? null;
  const keys = Object.keys(plan.points[0]!.values);
  const groups = objective === null ? [] : seedGroups(points, objective);
  return { format_version: sweepVersion, command: plan.command, sweep: folder, keys, objective, points, groups };
}

/** Writes sweep.json and sweep.csv. */
export function writeResults(folder: string, results: SweepResults): void {
  writeFileAtomic(sweepPaths.results(folder), `${JSON.stringify(results, null, 1)}\n`);
  writeFileAtomic(join(folder, "sweep.csv"), csvOf(results));
}

const objectives = ["best_metric", "emulation_dex", "reconstruction_dex"];
const ofTraining = ["best_metric", "metric", "best_epoch", "epochs", "steps", "parameters", "seconds", "reason"];

const record = z.record(z.string(), z.unknown());

function resultOf(folder: string, { index, stage, state }: FoundPoint, values: PointResult["values"]): PointResult {
  const run = sweepPaths.run(folder, index);
  const summary = stage === "completed" ? soundFile(record, join(run, "summary.json")) : null;
  const scored = summary && soundFile(record, join(run, "metrics.json"));
  return {
    point: index,
    state: stage,
    exit_code: stage === "completed" ? 0 : (state?.exit_code ?? null),
    attempts: state?.attempt ?? 0,
    values,
    results: { ...(summary && plainOf(summary)), ...(scored && errorsOf(scored)) },
    run,
    log: sweepPaths.log(folder, index),
  };
}

/** Numbers and words of a summary, those of a preprocessing's splits with their names. */
function plainOf(summary: Readonly<Record<string, unknown>>): Record<string, number | string | null> {
  const counts = ["train", "val", "test"].flatMap((split) => {
    const { tracers, rows } = (summary[split] ?? {}) as { tracers?: number; rows?: number };
    return tracers === undefined || rows === undefined
      ? []
      : [
          [`${split}_tracers`, tracers],
          [`${split}_rows`, rows],
        ];
  });
  const known = ofTraining.flatMap((key) => (key in summary ? [[key, summary[key]]] : []));
  return Object.fromEntries([...known, ...counts]);
}

/** Mean errors in dex of each kind of prediction. */
function errorsOf({ predictions }: Readonly<Record<string, unknown>>): Record<string, number> {
  type Errors = { overall?: { all?: { dex?: { mean?: number } }; above_floor?: { dex?: { mean?: number } } | null } };
  const entries = Object.entries((predictions ?? {}) as Record<string, Errors>).flatMap(([kind, { overall }]) => [
    [`${kind}_dex`, overall?.all?.dex?.mean],
    [`${kind}_dex_above_floor`, overall?.above_floor?.dex?.mean],
  ]);
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** The members of an ensemble differ in their seeds alone. */
const isSeed = (key: string): boolean => /(^|\.)seed$|^member$/.test(key);

/** What points that differ in their seeds alone have in common. */
export function kindOf(values: PointResult["values"]): string {
  return JSON.stringify(Object.entries(values).filter(([key]) => !isSeed(key)));
}

function seedGroups(points: readonly PointResult[], objective: string): SeedGroup[] {
  const groups = new Map<string, PointResult[]>();
  for (const point of points) {
    if (typeof point.results[objective] !== "number") continue;
    const key = kindOf(point.values);
    groups.set(key, [...(groups.get(key) ?? []), point]);
  }
  return [...groups.values()].map((members) => {
    const scores = members.map(({ results }) => results[objective] as number);
    const n = scores.length;
    const mean = scores.reduce((a, b) => a + b, 0) / n;
    const variance = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0) / Math.max(1, n - 1);
    const half = n > 1 ? student(n - 1) * Math.sqrt(variance / n) : null;
    return {
      values: Object.fromEntries(Object.entries(members[0]!.values).filter(([key]) => !isSeed(key))),
      points: members.map(({ point }) => point),
      mean,
      low: half === null ? null : mean - half,
      high: half === null ? null : mean + half,
    };
  });
}

/** The 97.5 % quantile of Student's t (Abramowitz and Stegun 1964, table 26.10); from 30 degrees on by their 26.7.5. */
function student(degrees: number): number {
  const table = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
    2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045,
  ];
  const z = 1.959964;
  return table[degrees - 1] ?? z + (z ** 3 + z) / (4 * degrees);
}

/** A line for each point: what was swept over, then all results that some point has. */
function csvOf({ keys, points }: SweepResults): string {
  const names = [...new Set(points.flatMap(({ results }) => Object.keys(results)))];
  const rows = points.map(({ point, state, exit_code, attempts, values, results, run }) => [
    ...[point, state, exit_code, attempts, ...keys.map((key) => values[key])],
    ...[...names.map((name) => results[name]), run],
  ]);
  return csvText([["point", "state", "exit_code", "attempts", ...keys, ...names, "run"], ...rows]);
}

/** Rows of a table as CSV; what is not there is empty. */
export function csvText(rows: readonly (readonly unknown[])[]): string {
  const cell = (value: unknown): string => {
    const text = String(value ?? "");
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => `${row.map(cell).join(",")}\n`).join("");
}
