import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { DataError } from "../../errors.ts";
import { flatten } from "./flatten.ts";
import { readEpochs } from "./inspect-run.ts";

/**
 * The log of a training's epochs as CSV: a line an epoch, a column a key (`train_loss.total`), in the order of the first record.
 * @param path a run's folder, its `epochs.jsonl`, or the log beside weights
 * @throws DataError where there is no such log
 */
export function epochsCsv(path: string): string {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const file = isFolder ? join(path, "epochs.jsonl") : path;
  if (!existsSync(file)) {
    const fix = "give the folder of a training's run, its epochs.jsonl, or the .json beside its weights";
    throw new DataError(`there is no log of epochs: ${file}`, { where: path, fix });
  }
  const rows = readEpochs(file).map(flatten);
  const columns = [...new Set(rows.flatMap(Object.keys))].filter((key) => !key.startsWith("nonfinite."));
  // JSON has no NaN: the record says elsewhere what the null was.
  const cells = rows.map((row) => columns.map((key) => cell(row[key] ?? row[`nonfinite.${key}`] ?? "")));
  return [columns.map(cell), ...cells].map((line) => `${line.join(",")}\n`).join("");
}

function cell(value: unknown): string {
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
