import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { printValue } from "../config/override-values.ts";
import { SweepError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic-file.ts";
import { isCompletedRun } from "../formats/run-folders.ts";
import { readPlan, sweepPaths } from "../sweeps/folder.ts";
import { collectSweep, type PointResult, type SweepResults, writeResults } from "../sweeps/results.ts";
import { isStudy } from "../sweeps/study.ts";
import type { CommandContext } from "./command.ts";
import { printable } from "./printable.ts";
import { forTerminal } from "./report-lines.ts";
import { formatNumber, formatTable } from "./tables.ts";

/** `seed=3 model=latent_rnn` */
export function labelOf(values: PointResult["values"]): string {
  return (
    Object.entries(values)
      .map(([key, value]) => `${key}=${value}`)
      .join(" ") || "no sweep"
  );
}

/** The command that takes up a sweep or tuning. */
export function resumeOf(folder: string, command: string, { cwd }: Pick<CommandContext, "cwd">): string {
  const what = isStudy(folder) ? `tune ${command}` : `${command} -m`;
  return `astrochem ${what} --resume ${relative(cwd, folder) || folder}`;
}

/** How a point failed: its exit code, its log, and the error that is told there. */
export function failureOf(folder: string, index: number, code: number | null | undefined, cwd: string): string {
  const log = sweepPaths.log(folder, index);
  const told = `exit code ${code ?? "none"}, ${relative(cwd, log)}`;
  const reason = lastErrorIn(log);
  return reason === null ? told : `${told}: ${reason}`;
}

/** The last error of a run that a log tells, in one line; null where there is none, or no log. */
function lastErrorIn(log: string): string | null {
  let text: string;
  try {
    text = readFileSync(log, "utf8");
  } catch {
    return null;
  }
  const errors = [...text.matchAll(/^error: (?!point \d+ ended with exit code)(.+)$/gm)];
  return errors.at(-1)?.[1]?.slice(0, 200) ?? null;
}

/** Tells which jobs Slurm was given of a sweep; none where its queue has all that is to be done. */
export function tellSubmitted(folder: string, jobs: readonly string[], { stdout, json, cwd }: CommandContext): void {
  const place = relative(cwd, folder) || folder;
  const what = `submitted as ${jobs.length === 1 ? "job" : "jobs"} ${jobs.join(", ")}`;
  const told = jobs.length === 0 ? "nothing to submit: Slurm's queue has the points that are not done" : what;
  stdout.write(`${json ? JSON.stringify({ sweep: folder, jobs }) : `${told}\nastrochem sweep status ${place}`}\n`);
}

/**
 * Gathers the results, writes sweep.json, sweep.csv and sweep.html, and prints them.
 * @throws SweepError where points failed, with the exit code of the first
 */
export async function collectAndTell(folder: string, context: CommandContext): Promise<void> {
  const { stdout, cwd, json } = context;
  const results = collectSweep(folder);
  writeResults(folder, results);
  const { sweepPage } = await import("../sweeps/page.ts");
  writeFileAtomic(join(folder, "sweep.html"), await sweepPage(results));
  const place = relative(cwd, folder) || folder;
  if (json) stdout.write(`${printable(JSON.stringify(results))}\n`);
  else stdout.write(`${forTerminal(printable(`${describe(results)}\n\n${place}/sweep.html`), stdout)}\n`);
  const missing = results.points.filter(({ state }) => state !== "completed");
  const failed = missing.filter(({ state }) => state === "failed");
  if (missing.length === 0) return joinParts(folder, context);
  const lines = missing.slice(0, 20).map(({ point, values, state, exit_code }) => {
    const how = state === "failed" ? failureOf(folder, point, exit_code, cwd) : state;
    return `  point ${point} (${labelOf(values)}): ${how}`;
  });
  if (missing.length > 20) lines.push(`  and ${missing.length - 20} more: sweep.csv`);
  const what = `${missing.length} of ${results.points.length} points did not complete`;
  throw new SweepError([what, ...lines].join("\n"), failed[0]?.exit_code || 3, {
    fix: `see the logs; then ${resumeOf(folder, results.command, context)}`,
  });
}

/**
 * Joins the shards of a preprocessing, or the members of an ensemble, which are all there, unless that is done.
 * @throws SweepError with the exit code of the run that joins them
 */
async function joinParts(folder: string, context: CommandContext): Promise<void> {
  const { joiningOf } = await import("../sweeps/plan.ts");
  const plan = readPlan(folder);
  for (const [i, { words, points }] of joiningOf(plan).entries()) {
    const run = sweepPaths.joining(folder, i);
    if (isCompletedRun(run)) continue;
    const configs = plan.config_dirs.flatMap((each) => ["--config-dir", each]);
    const own = [
      ...plan.flags,
      ...configs,
      ...(plan.command === "train-emulator"
        ? points.flatMap((point) => ["--join", sweepPaths.run(folder, point)])
        : []),
      ...words,
      `run_dir=${printValue(run)}`,
      ...(context.json ? ["--json"] : []),
    ];
    const code = await context.runProgram!([plan.command, ...own], plan.cwd);
    if (code === 0) continue;
    const fix = `see above; then astrochem sweep collect ${relative(context.cwd, folder) || folder}`;
    throw new SweepError("what the points made could not be joined", code, { fix });
  }
}

function describe({ points, groups, keys, objective }: SweepResults): string {
  const shown = points.slice(0, 100);
  const table = formatTable<PointResult>(
    [
      { title: "point", value: ({ point }) => point },
      ...keys.map((key) => ({ title: key, value: ({ values }: PointResult) => values[key]! })),
      { title: "state", value: ({ state }) => state },
      ...(objective === null
        ? []
        : [{ title: objective, value: ({ results }: PointResult) => results[objective] ?? "" }]),
    ],
    shown,
  );
  const more = points.length > shown.length ? [`and ${points.length - shown.length} more`] : [];
  const seeds = groups
    .filter(({ low }) => low !== null)
    .map(
      ({ values, points: members, mean, low, high }) =>
        `${labelOf(values)}: ${objective} ${formatNumber(mean)} [${formatNumber(low!)}, ${formatNumber(high!)}] over ${members.length} seeds`,
    );
  return [table, ...more, ...(seeds.length > 0 ? ["", ...seeds, "[…]: 95 % of Student's t"] : [])].join("\n");
}
