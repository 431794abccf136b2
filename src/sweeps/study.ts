import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomic } from "../formats/atomic-file.ts";
import { checkedJson, soundFile } from "../formats/checked-content.ts";
import { epochRecord } from "../training/epoch-log.ts";
import { isCompleted, readState, type SweepPlan, sweepPaths, sweepVersion } from "./folder.ts";

const Study = z.object({
  format_version: z.literal(sweepVersion),
  objective: z.enum(["dex", "cost", "both"]),
  seed: z.int(),
  rungs: z.int(),
  /** Epochs of a whole training of each trial. */
  epochs: z.array(z.int()),
  /** Words that are the same for all trials, as typed. */
  fixed: z.array(z.string()),
});

/** What a tuning is, beside the plan of its trials: tune.json. */
export type Study = z.output<typeof Study>;
export type Objective = Study["objective"];

/** A tuning: a sweep whose points are trials, the first of them the default. */
export interface Tuning {
  readonly folder: string;
  readonly plan: SweepPlan;
  readonly study: Study;
}

export function writeStudy(folder: string, study: Omit<Study, "format_version">): void {
  writeFileAtomic(studyPath(folder), `${JSON.stringify({ format_version: sweepVersion, ...study }, null, 1)}\n`);
}

/** @throws DataError where the file is absent or damaged */
export function readStudy(folder: string): Study {
  const where = studyPath(folder);
  const text = existsSync(where) ? readFileSync(where, "utf8") : "";
  return checkedJson(Study, text, { where, fix: "give the folder of a tuning: tuning/<date>/<time>" });
}

const studyPath = (folder: string): string => join(folder, "tune.json");

/** What a trial has come to within so many epochs. */
export interface Progress {
  readonly epochs: number;
  /** Mean validation error of the best epoch so far; infinite without one. */
  readonly dex: number;
  /** Whether there is nothing left to do up to there. */
  readonly isReached: boolean;
  readonly isCompleted: boolean;
  /** Its loss or gradient was no number any more: the same would come of it again. */
  readonly hasDiverged: boolean;
}

/** Reads what a trial's run left: its epochs are its score, so that a tuning that was killed decides as it would have. */
export function progressOf(folder: string, trial: number, epochs = Number.POSITIVE_INFINITY): Progress {
  const path = join(sweepPaths.run(folder, trial), "epochs.jsonl");
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").slice(0, -1) : [];
  const records = lines.slice(0, epochs).map((line) => epochRecord(JSON.parse(line), path));
  let best: (typeof records)[number] | undefined;
  for (const record of records) if (record.metric < (best?.metric ?? Number.POSITIVE_INFINITY)) best = record;
  const isDone = isCompleted(folder, trial);
  const state = readState(folder, trial);
  return {
    epochs: records.length,
    dex: best?.dex ?? Number.POSITIVE_INFINITY,
    isReached: isDone || records.length >= epochs,
    isCompleted: isDone,
    hasDiverged: state?.state === "failed" && state.exit_code === 5,
  };
}

const costPath = (folder: string, trial: number): string => join(folder, "costs", `${trial}.json`);

/** Microseconds of a step, as measured before; null where it was not. */
export function knownCost(folder: string, trial: number): number | null {
  return soundFile(z.object({ cost_us: z.number() }), costPath(folder, trial))?.cost_us ?? null;
}

/** A measurement is kept: whoever takes the tuning up decides by the same number. */
export function writeCost(folder: string, trial: number, cost_us: number): void {
  writeFileAtomic(costPath(folder, trial), `${JSON.stringify({ cost_us })}\n`);
}

/** What is compared, the first before the others. */
export function scoreOf(objective: Objective, dex: number, cost: number): number[] {
  return { dex: [dex], cost: [cost, dex], both: [dex, cost] }[objective];
}
