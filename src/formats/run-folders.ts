import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { soundFile } from "./checked-content.ts";

/** Run folders below `outputs`, the newest first; none where there are no outputs. */
export function runFoldersIn(outputs: string): string[] {
  const list = (folder: string): string[] => {
    try {
      return readdirSync(folder).sort().reverse();
    } catch {
      return [];
    }
  };
  const days = list(outputs).filter((name) => /^\d{4}-\d{2}-\d{2}$/.test(name));
  return days.flatMap((day) => list(join(outputs, day)).map((run) => join(outputs, day, run)));
}

/** Whether a run has come to its end, by its own summary. */
export function isCompletedRun(folder: string): boolean {
  return soundFile(z.object({ outcome: z.literal("completed") }), join(folder, "summary.json")) !== null;
}

/** So many of the newest runs are looked through: more would be slow on a network disk. */
const newest = 200;

/** The best weights of the runs of a command below `outputs`, the newest first. */
export function bestWeightsOfRuns(outputs: string, command: string): string[] {
  return runFoldersIn(outputs)
    .filter((folder) => new RegExp(`-${command}(-\\d+)?$`).test(folder))
    .slice(0, newest)
    .map((folder) => join(folder, "checkpoints", "best.safetensors"))
    .filter((path) => existsSync(path));
}

/** How TensorBoard knows its files. */
export const eventFiles = "events.out.tfevents.";

/** Names of a run's event files, in their order. */
export function eventFilesIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith(eventFiles))
    .sort();
}
