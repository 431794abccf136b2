import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { here } from "../../../src/formats/process-place.ts";

/** What a run folder is to say. */
interface RunFiles {
  readonly command?: string;
  readonly overrides?: readonly string[];
  readonly maxEpochs?: number | null;
  readonly maxMinutes?: number | null;
  readonly members?: number;
  /** Whether a process works in it: this one. */
  readonly isHeld?: boolean;
}

/** Makes a run folder as a training that has begun leaves it. */
export function writeRun(folder: string, run: RunFiles = {}): void {
  const {
    command = "train-emulator",
    overrides = [],
    maxEpochs = 10,
    maxMinutes = null,
    members = 1,
    isHeld = true,
  } = run;
  mkdirSync(folder, { recursive: true });
  if (isHeld) writeFileSync(join(folder, ".lock"), JSON.stringify({ ...here, pid: process.pid }));
  writeFileSync(join(folder, "environment.json"), JSON.stringify({ format_version: 1, command, overrides }));
  const config = {
    members,
    model: { max_epochs: maxEpochs, max_minutes: maxMinutes },
    recipe: { phases: [{ epochs: null }] },
  };
  writeFileSync(join(folder, "config.yaml"), JSON.stringify(config));
  logTo(folder, "run started");
}

/** Adds an epoch, counted from 0, of 2 s. */
export function epochTo(folder: string, epoch: number, changes: object = {}): void {
  appendFileSync(join(folder, "epochs.jsonl"), `${JSON.stringify({ ...epochRecord(epoch), ...changes })}\n`);
}

function epochRecord(epoch: number) {
  const dex = 0.5 / (epoch + 1);
  return {
    ...{ format_version: 1, epoch, phase: 0, mean: 4 * dex, std: 1, max: 9, dex, metric: dex, dropout: 0 },
    ...{ learning_rate: 1e-3, train_loss: { total: 2 * dex, reconstruction: dex, worst: 0, conservation: 0 } },
    ...{ improved: true, stagnant_epochs: 0, skipped_steps: 0, seconds_training: 1.5, seconds_validation: 0.5 },
    items_per_second: 1200 + epoch,
  };
}

export function logTo(folder: string, msg: string, level = 30): void {
  appendFileSync(join(folder, "run.log"), `${JSON.stringify({ level, time: "2026-11-27T10:15:00.000Z", msg })}\n`);
}

export function endRun(folder: string, outcome: string): void {
  writeFileSync(join(folder, "summary.json"), JSON.stringify({ format_version: 1, outcome }));
}
