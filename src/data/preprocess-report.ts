import { renameColumn } from "../chemistry/species-names.ts";
import { counted } from "../counted.ts";
import type { ColumnPlan } from "./preprocess-columns.ts";
import type { RawIndex } from "./raw-index.ts";

/** Told what happens, with the numbers beside the sentence. */
export type Log = (message: string, details?: object) => void;

/** Rows done of the rows to do, over all passes. */
export type Progress = (done: number, total: number) => void;

/** Adds up the rows of all passes over them: indexing, sorting where needed, writing. */
export class Meter {
  #done = 0;
  #total: number;
  readonly #progress: Progress;

  constructor(rows: number, progress: Progress) {
    this.#total = 2 * rows;
    this.#progress = progress;
  }

  /** One more pass than thought. */
  expect(rows: number): void {
    this.#total += rows;
  }

  readonly advance = (rows: number): void => {
    this.#done += rows;
    this.#progress(this.#done, this.#total);
  };
}

/** What became of the raw columns. */
export function logColumns(plan: ColumnPlan, log: Log): void {
  log(`renamed ${counted(plan.renamed, "column")}`, { renamed: plan.renamed });
  if (plan.respelt.length > 0) {
    log(`read ${listed(plan.respelt)} under the species list's spelling`, { respelt: plan.respelt });
  }
  if (plan.rivals.length > 0) {
    const names = plan.rivals.map((name) => `${renameColumn(name)} beside ${name}`);
    log(`took columns by their own names: ${names.join(", ")}; not renamed`, { rivals: plan.rivals });
  }
  log(`dropped ${listed(plan.dropped)}`, { dropped: plan.dropped });
  if (plan.ignored.length > 0) log(`left out ${listed(plan.ignored)} that nothing asks for`, { ignored: plan.ignored });
}

/** What became of the rows. */
export function logTracers(index: RawIndex, isAdded: Uint8Array, rows: number, oneRowTracers: number, log: Log): void {
  const tracers = index.tracers.length;
  const startRows = isAdded.reduce((sum, flag) => sum + flag, 0);
  log(`sorted ${counted(tracers, "tracer")} and added ${counted(startRows, "start row")}: ${counted(rows, "row")}`, {
    tracers,
    startRows,
    rows,
  });
  if (oneRowTracers > 0) log(`${counted(oneRowTracers, "tracer")} with a single row`, { oneRowTracers });
  if (index.tracers.every((id) => Number.isInteger(id))) return;
  log("the tracer ids are not integers: Model is their position in ascending order, /tracers lists them", { tracers });
}

function listed(names: readonly string[]): string {
  const tail = names.length > 12 ? " …" : "";
  return names.length === 0
    ? "no columns"
    : `${counted(names.length, "column")} (${names.slice(0, 12).join(", ")}${tail})`;
}
