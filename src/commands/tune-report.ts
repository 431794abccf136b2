import { join, relative } from "node:path";
import { shellWord } from "../analysis/inspection/shell-word.ts";
import { valueAt } from "../config/difference.ts";
import { type LoadedConfig, loadConfig, writeYaml } from "../config/load.ts";
import { parseValue, printValue } from "../config/override-values.ts";
import type { TrainingRoot } from "../config/schemas.ts";
import type { ConfigValue } from "../config/tree.ts";
import { counted } from "../counted.ts";
import { writeFileAtomic } from "../formats/atomic-file.ts";
import { type SweepPlan, sweepPaths } from "../sweeps/folder.ts";
import { bestOf, epochsOfRung, paretoFront, trialsOfRung } from "../sweeps/halving.ts";
import { csvText } from "../sweeps/results.ts";
import { knownCost, progressOf, readRung, type Study, scoreOf, type Tuning } from "../sweeps/study.ts";
import type { CommandContext } from "./command.ts";
import { printable } from "./printable.ts";
import { forTerminal } from "./report-lines.ts";
import { formatNumber, formatTable } from "./tables.ts";

/** A trial with what came of it. */
interface TrialResult {
  readonly trial: number;
  /** `stopped`: others were better. */
  readonly state: "completed" | "stopped" | "failed" | "unfinished";
  readonly epochs: number;
  /** On the validation tracers; null where there is none. */
  readonly dex: number | null;
  readonly cost_us: number | null;
  readonly values: Readonly<Record<string, string>>;
  readonly run: string;
}

/** What trials.json holds. */
interface TuningResults {
  readonly command: string;
  /** The folder, absolute. */
  readonly tuning: string;
  readonly objective: Study["objective"];
  readonly seed: number;
  /** Of the drawn trials, those that are trained in each rung, and how far. */
  readonly rungs: readonly { readonly trials: number; readonly epochs: number }[];
  readonly is_over: boolean;
  /** Trial 0 is the default. Null where none was trained whole. */
  readonly best: number | null;
  /** The best for each objective and all between; one trial where there is one objective. */
  readonly front: readonly number[];
  /** Trial of the front → the words that train it; the default has none. */
  readonly commands: Readonly<Record<string, string>>;
  readonly trials: readonly TrialResult[];
}

/**
 * Writes trials.json, trials.csv and a configuration for each trial of the front, and prints them.
 * @param isOver  whether the last rung was decided
 */
export function reportTuning(tuning: Tuning, isOver: boolean, context: CommandContext): void {
  const { folder, plan, study } = tuning;
  const trials = plan.points.map((_, trial) => resultOf(tuning, trial, isOver, context));
  const scores = new Map<number, readonly number[]>();
  for (const { trial, state, dex, cost_us } of trials) {
    if (state !== "completed" || dex === null || (study.objective !== "dex" && cost_us === null)) continue;
    scores.set(trial, scoreOf(study.objective, dex, cost_us ?? 0));
  }
  const best = bestOf(scores, 1)[0] ?? null;
  const front = study.objective === "both" ? paretoFront(scores) : [best].filter((trial) => trial !== null);
  const commands = front.filter((trial) => trial > 0).map((trial) => [trial, writeTuned(tuning, trial, context)]);
  const results: TuningResults = {
    command: plan.command,
    tuning: folder,
    objective: study.objective,
    seed: study.seed,
    rungs: Array.from({ length: study.rungs }, (_, rung) => ({
      trials: trialsOfRung(trials.length - 1, rung),
      epochs: epochsOfRung(study.epochs[0]!, rung, study.rungs),
    })),
    is_over: isOver,
    best,
    front,
    commands: Object.fromEntries(commands),
    trials,
  };
  writeFileAtomic(join(folder, "trials.json"), `${JSON.stringify({ format_version: 1, ...results }, null, 1)}\n`);
  writeFileAtomic(join(folder, "trials.csv"), csvOf(results));
  const text = context.json
    ? JSON.stringify(results)
    : forTerminal(printable(describe(results, context)), context.stdout);
  context.stdout.write(`${text}\n`);
}

function resultOf(
  { folder, plan, study }: Tuning,
  trial: number,
  isOver: boolean,
  context: CommandContext,
): TrialResult {
  const { epochs, dex, isCompleted, hasDiverged, hasFailed } = progressOf(folder, trial);
  const isOut = Array.from({ length: study.rungs }, (_, rung) => readRung(folder, rung).failed.includes(trial));
  const left = isOver ? "stopped" : "unfinished";
  const values = trial === 0 ? defaultsOf({ folder, plan, study }, context) : plan.points[trial]!.values;
  return {
    trial,
    state: isCompleted ? "completed" : hasDiverged || hasFailed || isOut.includes(true) ? "failed" : left,
    epochs,
    dex: Number.isFinite(dex) ? dex : null,
    cost_us: knownCost(folder, trial),
    values,
    run: sweepPaths.run(folder, trial),
  };
}

const rootOf = (plan: SweepPlan): TrainingRoot => (plan.command === "train-emulator" ? "config_emulator" : "config");

/** A trial's configuration, composed as its run composes it. */
function composed({ plan }: Tuning, trial: number, { env, now }: CommandContext): LoadedConfig<TrainingRoot> {
  const { cwd, config_dirs: configDirs, points } = plan;
  return loadConfig({ root: rootOf(plan), overrides: points[trial]!.overrides, configDirs, cwd, env, now: now() });
}

/** What the default has for the keys that are drawn. */
function defaultsOf(tuning: Tuning, context: CommandContext): TrialResult["values"] {
  const { config, choices } = composed(tuning, 0, context);
  const keys = Object.keys(tuning.plan.points[1]?.values ?? {});
  return Object.fromEntries(
    keys.map((key) => {
      const group = Object.entries(choices).find(([name]) => groupKey(name) === key)?.[1];
      const value = group ?? valueAt(config, key);
      return [key, value === undefined ? "" : printValue(value as ConfigValue)];
    }),
  );
}

/** `recipes/emulator@recipe` → `recipe`, `models` → `model`. */
const groupKey = (name: string): string => name.split("@").at(-1)!.replace(/s$/, "");

/**
 * Writes what was drawn as files of the groups `model` and `recipe`; keys of neither stay words.
 * @returns the command line that trains it
 */
function writeTuned(tuning: Tuning, trial: number, context: CommandContext): string {
  const { folder, plan, study } = tuning;
  const { choices } = composed(tuning, trial, context);
  const values = Object.keys(plan.points[trial]!.values);
  const wordOf = (key: string): string =>
    plan.points[trial]!.overrides.find((text) => text.replace(/^\+*/, "").startsWith(`${key}=`))!;
  const name = `tuned-${trial}`;
  const [left, chosen] = [new Set(values), [] as string[]];
  for (const [group, base] of Object.entries(choices)) {
    const part = groupKey(group);
    const keys = values.filter((key) => key.startsWith(`${part}.`));
    if (!["model", "recipe"].includes(part) || keys.length === 0 || typeof base !== "string") continue;
    const lines = keys.map((key) => [
      key.slice(part.length + 1),
      parseValue(wordOf(key), wordOf(key).indexOf("=") + 1),
    ]);
    const own = nested(Object.fromEntries(lines) as Record<string, ConfigValue>);
    const header = part === "model" ? "# @package _global_.model\n" : "";
    const comment = `# Trial ${trial} of ${relative(plan.cwd, folder) || folder}, chosen on validation tracers.\n`;
    const body = writeYaml({ defaults: [base, "_self_"], ...own });
    writeFileAtomic(join(folder, "configs", group.split("@")[0]!, `${name}.yaml`), `${header}${comment}${body}`);
    for (const key of [...keys, part]) left.delete(key);
    chosen.push(part);
  }
  const isReplaced = (text: string): boolean => chosen.some((part) => new RegExp(`^\\+*(\\S*@)?${part}s?=`).test(text));
  const words = [
    ...study.fixed.filter((text) => !isReplaced(text)),
    ...chosen.map((part) => `${part}=${name}`),
    ...[...left].map(wordOf),
  ];
  const dirs = [...(chosen.length > 0 ? [join(folder, "configs")] : []), ...plan.config_dirs];
  const flags = dirs.flatMap((dir) => ["--config-dir", relative(plan.cwd, dir) || dir]);
  return ["astrochem", plan.command, ...flags, ...words].map(shellWord).join(" ");
}

/** `{ "a.b": 1 }` → `{ a: { b: 1 } }` */
function nested(flat: Readonly<Record<string, ConfigValue>>): Record<string, ConfigValue> {
  const result: Record<string, ConfigValue> = {};
  for (const [key, value] of Object.entries(flat)) {
    const path = key.split(".");
    let at = result;
    for (const part of path.slice(0, -1)) {
      at[part] ??= {};
      at = at[part] as Record<string, ConfigValue>;
    }
    at[path.at(-1)!] = value;
  }
  return result;
}

/** A line for each trial, as sweep.csv has one for each point. */
function csvOf({ trials }: TuningResults): string {
  const keys = Object.keys(trials[0]!.values);
  const rows = trials.map(({ trial, state, epochs, dex, cost_us, values, run }) => [
    ...[trial, state, epochs, dex, cost_us],
    ...[...keys.map((key) => values[key]), run],
  ]);
  return csvText([["trial", "state", "epochs", "dex", "cost_us", ...keys, "run"], ...rows]);
}

function describe(
  { trials, best, front, commands, objective, is_over }: TuningResults,
  { cwd }: CommandContext,
): string {
  const withCost = objective !== "dex";
  const ranked = trials.toSorted(
    (a, b) => b.epochs - a.epochs || (a.dex ?? Number.POSITIVE_INFINITY) - (b.dex ?? Number.POSITIVE_INFINITY),
  );
  const table = formatTable<TrialResult>(
    [
      { title: "trial", value: ({ trial }) => (trial === 0 ? "default" : String(trial)) },
      ...Object.keys(trials[0]!.values).map((key) => ({
        title: key,
        value: ({ values }: TrialResult) => values[key]!,
      })),
      { title: "state", value: ({ state }) => state },
      { title: "epochs", value: ({ epochs }) => epochs },
      { title: "validation, dex", value: ({ dex }) => dex ?? "" },
      ...(withCost ? [{ title: "µs a step", value: ({ cost_us }: TrialResult) => cost_us ?? "" }] : []),
    ],
    ranked.slice(0, 100),
  );
  const errorOf = (trial: number): string => {
    const { dex, cost_us } = trials[trial]!;
    const parts = [
      dex === null ? "no error" : `${formatNumber(dex)} dex`,
      withCost && cost_us !== null && `${formatNumber(cost_us)} µs a step`,
    ];
    return parts.filter(Boolean).join(", ");
  };
  const said = front.map((trial) => `${trial === 0 ? "the default" : `trial ${trial}`}: ${errorOf(trial)}`);
  const verdict =
    best === null
      ? ["no trial was trained whole"]
      : front.length > 1
        ? ["no trial is both better and quicker than these:", ...said]
        : best === 0
          ? [`no trial is better than the default: ${errorOf(0)}`]
          : [`best: ${said[0]}; the default: ${errorOf(0)}`];
  const wholes = trials.filter(({ state }) => state === "completed").length;
  const failed = trials.filter(({ state }) => state === "failed").map(({ trial }) => trial);
  const out =
    failed.length === 0
      ? []
      : [`${counted(failed.length, "trial")} failed: ${failed.join(", ")}; see logs/<trial>.log`];
  const early = is_over ? [] : [`the tuning is not over: ${counted(wholes, "trial")} trained whole`];
  const chose =
    "these errors are of the validation tracers, which chose: score others before you believe the difference (split=test)";
  const place = relative(cwd, trials[0]!.run.replace(/[\\/]0$/, ""));
  return [table, "", ...verdict, ...out, ...early, ...Object.values(commands), chose, `${place}/trials.csv`].join("\n");
}
