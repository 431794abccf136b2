import { hostname } from "node:os";
import { join } from "node:path";
import { flatten } from "../analysis/inspection/flatten.ts";
import { eventFiles, eventFilesIn } from "../formats/run-folders.ts";
import { appendRecords, cutEventsAfter, eventRecord, firstRecords } from "../formats/tensorboard.ts";
import type { EpochRecord } from "../training/observer.ts";
import { guardedRun } from "./fresh-folder.ts";

/**
 * Writes what an epoch's record has as an event file of TensorBoard into a run's folder. A step is an epoch, counted from 1. Of
 * earlier files, what comes after the epochs that are done is taken away: the training does it again.
 * @param done  epochs
 * @returns     to be called with each record
 */
export function tensorBoardLog(
  folder: string,
  { config, done, now }: { readonly config: object; readonly done: number; readonly now: () => Date },
): (record: EpochRecord) => void {
  const seconds = (): number => now().getTime() / 1000;
  const earlier = eventFilesIn(folder);
  guardedRun(folder, () => {
    for (const name of earlier) cutEventsAfter(join(folder, name), done);
  });
  // They are read in the order of their names: also where two begin in one second, or the clock was set back.
  const began = Math.max(seconds(), ...earlier.map((name) => Number(name.split(".")[3]) + 1));
  const path = join(
    folder,
    `${eventFiles}${String(Math.floor(began)).padStart(10, "0")}.${hostname()}.${process.pid}.0`,
  );
  let head: Uint8Array[] | null = [
    ...firstRecords(seconds(), done + 1),
    eventRecord({ wall_s: seconds(), step: done + 1, texts: { hyperparameters: table(config) } }),
  ];
  return (record) => {
    const event = eventRecord({ wall_s: seconds(), step: record.epoch + 1, scalars: scalarsOf(record) });
    guardedRun(path, () => appendRecords(path, [...(head ?? []), event]));
    head = null;
  };
}

/** Every number of a record but the epoch, under headings. */
function scalarsOf(record: EpochRecord): Record<string, number> {
  const { epoch, ...rest } = record;
  const numbers = Object.entries(flatten(rest)).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number",
  );
  return Object.fromEntries(numbers.map(([key, value]) => [tagOf(key), value]));
}

function tagOf(key: string): string {
  if (key.startsWith("train_loss.")) return key.replace(".", "/");
  const isError = ["mean", "std", "max", "dex", "metric"].includes(key);
  return `${isError ? "validation" : "training"}/${key}`;
}

/** The configuration as a table of Markdown. */
function table(config: object): string {
  const text = (value: unknown): string =>
    (typeof value === "string" ? value : JSON.stringify(value)).replaceAll("|", "\\|").replaceAll("\n", " ");
  const rows = Object.entries(flatten(config)).map(([key, value]) => `| ${key} | ${text(value)} |`);
  return ["| key | value |", "|---|---|", ...rows].join("\n");
}
