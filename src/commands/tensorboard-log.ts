import { hostname } from "node:os";
import { join } from "node:path";
import { flatten } from "../analysis/inspection/flatten.ts";
import { eventFiles, eventFilesIn } from "../formats/run-folders.ts";
import { appendRecords, cutEventsAfter, eventRecord, firstRecords } from "../formats/tensorboard.ts";
import type { EpochRecord } from "../training/observer.ts";
import { guardedRun } from "./fresh-folder.ts";

/** Writes what the epochs' records have as event files of TensorBoard into a run's folder. A step is an epoch, counted from 1. */
export class TensorBoardLog {
  readonly #folder: string;
  readonly #config: object;
  readonly #now: () => Date;
  #steps = 0;
  /** The file of this process, once something is in it. */
  #path: string | null = null;

  constructor(folder: string, config: object, now: () => Date) {
    [this.#folder, this.#config, this.#now] = [folder, config, now];
  }

  /** Goes on after so many epochs. */
  goOn(epochs: number): void {
    this.#steps = epochs;
  }

  add(record: EpochRecord): void {
    const wall_s = this.#now().getTime() / 1000;
    const step = this.#steps + 1;
    const texts = { hyperparameters: table(this.#config) };
    const head = this.#path === null ? [...firstRecords(wall_s, step), eventRecord({ wall_s, step, texts })] : [];
    guardedRun(this.#folder, () => {
      this.#path ??= this.#begin(wall_s);
      appendRecords(this.#path, [...head, eventRecord({ wall_s, step, scalars: scalarsOf(record) })]);
    });
    this.#steps = step;
  }

  /** Takes out of the earlier files what the training does again. @returns the new one */
  #begin(wall_s: number): string {
    const earlier = eventFilesIn(this.#folder);
    for (const name of earlier) cutEventsAfter(join(this.#folder, name), this.#steps);
    // They are read in the order of their names: also where two begin in one second, or the clock was set back.
    const began = Math.floor(Math.max(wall_s, ...earlier.map((name) => Number(name.split(".")[3]) + 1)));
    return join(this.#folder, `${eventFiles}${String(began).padStart(10, "0")}.${hostname()}.${process.pid}.0`);
  }
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
