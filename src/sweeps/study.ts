import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { writeFileAtomic } from "../formats/atomic-file.ts";
import { checkedJson, soundFile } from "../formats/checked-content.ts";
import { epochRecord } from "../training/epoch-log.ts";
import { isCompleted, readState, type SweepPlan, sweepPaths, sweepVersion } from "./folder.ts";
import { epochsOfRung } from "./halving.ts";

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

export const isStudy = (folder: string): boolean => existsSync(studyPath(folder));

/** Epochs in all that a trial has at the end of a rung: the default is trained whole beside the first one. */
export function epochsUpTo({ epochs, rungs }: Study, trial: number, rung: number): number {
  return trial === 0 ? epochs[0]! : epochsOfRung(epochs[trial]!, rung, rungs);
}

const RungFile = z.object({
  format_version: z.literal(sweepVersion),
  /** How often its trials were begun since somebody began or took up the tuning. */
  tries: z.int(),
  /** [trial, its score], of the drawn trials that did not fail; null while the rung is not decided. */
  scores: z.array(z.tuple([z.int(), z.array(z.number())])).nullable(),
  failed: z.array(z.int()),
});

/** A rung as rungs/<r>.json has it. What was decided stays, whatever becomes of trials that had failed. */
export type RungState = Omit<z.output<typeof RungFile>, "format_version">;

const rungPath = (folder: string, rung: number): string => join(folder, "rungs", `${rung}.json`);

export function readRung(folder: string, rung: number): RungState {
  return soundFile(RungFile, rungPath(folder, rung)) ?? { tries: 0, scores: null, failed: [] };
}

export function writeRung(folder: string, rung: number, state: RungState): void {
  writeFileAtomic(rungPath(folder, rung), `${JSON.stringify({ format_version: sweepVersion, ...state })}\n`);
}

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
  /** It ended with some other error. */
  readonly hasFailed: boolean;
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
  const hasEnded = state?.state === "failed" && !isDone;
  return {
    epochs: records.length,
    dex: best?.dex ?? Number.POSITIVE_INFINITY,
    isReached: isDone || records.length >= epochs,
    isCompleted: isDone,
    hasDiverged: hasEnded && state.exit_code === 5,
    hasFailed: hasEnded && state.exit_code !== 5,
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
