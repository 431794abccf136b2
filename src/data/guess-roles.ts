import { setImmediate as nextTurn } from "node:timers/promises";
import { type ColumnReading, readColumnName } from "../chemistry/column-names.ts";
import { conditionRoles, hasRole, unitFactor, unitOfParameter } from "../chemistry/physical-parameters.ts";
import { DataError } from "../errors.ts";
import { type Frame, placeOfFrame } from "./frame-reader.ts";

/** What the columns of a raw file are. */
export interface GuessedRoles {
  /** Our name → the file's. */
  readonly sources: Readonly<Record<string, string>>;
  /** Those that `preprocess` does not know by itself. */
  readonly columns: Record<string, string>;
  /** Our name → the file's unit, where it is another. */
  readonly units: Record<string, string>;
  /** Conditions of the file, in our order; they may still be constant, or no number. */
  readonly conditions: readonly string[];
  readonly species: readonly string[];
  /** Columns of the file that nothing is known of. */
  readonly unknown: readonly string[];
  /** What was decided, and what of it is doubtful. */
  readonly notes: readonly Note[];
}

/** A decision: what, and why. */
export interface Note {
  readonly what: string;
  readonly why: string;
  readonly isDoubtful?: boolean;
}

const conditionNames = conditionRoles.filter((name) => name !== "Time" && name !== "Model");
/** Nothing is older than the universe, in years. */
const oldest_yr = 1.4e10;
/** No H nuclei are as rare as this a cm^3; grams are. */
const rarest_cm3 = 1e-8;

/** Tells the columns apart by their names and, for time, tracer and units, by their values. @throws DataError where there is no time or no tracer */
export async function guessRoles(frame: Frame): Promise<GuessedRoles> {
  const found = new Map<string, { column: string; reading: ColumnReading }>();
  const [species, unknown, notes]: [string[], string[], Note[]] = [[], [], []];
  const columns: Record<string, string> = {};
  const hasNumericTime = frame.columns.some((each) => readColumnName(each)?.name === "Time" && frame.isNumeric(each));
  for (const column of frame.columns) {
    const reading = readColumnName(column);
    const name = reading?.name ?? "";
    const other = found.get(name);
    // Dates and texts are no times: reading says what to do.
    if (name === "Time" && !hasNumericTime) frame.read(0, 0, [column], new Float64Array(0));
    const isUsable = name === "Model" || frame.isNumeric(column);
    // Of a table a cell can be mended, and a file of other columns be left out: reading says which.
    if (reading !== undefined && !isUsable && frame.placeOf !== undefined)
      frame.read(0, 0, [column], new Float64Array(0));
    if (reading === undefined || !isUsable) unknown.push(column);
    else if (other === undefined || (reading.isOurs && !other.reading.isOurs)) {
      found.set(name, { column, reading });
      if (other !== undefined) unknown.push(other.column);
    } else unknown.push(column);
  }
  for (const [name, { column, reading }] of found) {
    if (reading.isSpecies) species.push(name);
    if (!reading.isOurs) columns[name] = column.trim();
  }
  for (const name of ["Time", "Model"]) {
    if (found.has(name)) continue;
    const column = await byValues(name, frame, unknown, found.get("Time")?.column);
    columns[name] = column.trim();
    found.set(name, { column, reading: { name, isSpecies: false, unit: undefined, isOurs: false, isSure: false } });
    unknown.splice(unknown.indexOf(column), 1);
    const why = name === "Time" ? "it alone grows from row to row" : "it alone changes where the time goes back";
    notes.push({ what: `${name}: column \`${column}\``, why: `no name says so, but ${why}`, isDoubtful: true });
  }
  const conditions = conditionNames.filter((name) => found.has(name));
  const units: Record<string, string> = {};
  const measured = ["Time", ...conditions].map((name) => ({ name, ...found.get(name)! }));
  const largest = await largestOf(
    frame,
    measured.map(({ column }) => column),
  );
  for (const [i, { name, column, reading }] of measured.entries()) {
    const { unit, note } = unitOf(name, column.trim(), reading.unit, largest[i]!);
    if (unit !== undefined) units[name] = unit;
    notes.push(note);
  }
  if (!notes.some(({ what }) => what.startsWith("Model")))
    notes.push({ what: `Model: column \`${found.get("Model")!.column.trim()}\``, why: "by its name" });
  const sources = Object.fromEntries([...found].map(([name, { column }]) => [name, column]));
  return { sources, columns, units, conditions, species, unknown, notes };
}

function unitOf(
  name: string,
  column: string,
  written: string | undefined,
  largest: number,
): { unit: string | undefined; note: Note } {
  const factor = written === undefined ? undefined : unitFactor(name, written);
  const what = `${name}: column \`${column}\``;
  if (written !== undefined && factor !== undefined)
    return { unit: factor === 1 ? undefined : written, note: { what, why: `its name says so, in ${written}` } };
  const guess =
    name === "Time" && largest > oldest_yr
      ? { unit: "s", why: "its values are more years than the universe is old" }
      : hasRole(name, "density") && largest < rarest_cm3
        ? { unit: "g cm^-3", why: "its values are too small for numbers of nuclei" }
        : undefined;
  const unread = written === undefined ? "" : `; the unit \`${written}\` is not known`;
  if (guess !== undefined)
    return { unit: guess.unit, note: { what: `${what}, in ${guess.unit}`, why: guess.why + unread, isDoubtful: true } };
  return {
    unit: undefined,
    note: {
      what,
      why: `by its name, in ${unitOfParameter(name) || "its own unit"}${unread}`,
      isDoubtful: unread !== "",
    },
  };
}

async function largestOf(frame: Frame, columns: readonly string[]): Promise<Float64Array> {
  const largest = new Float64Array(columns.length).fill(Number.NEGATIVE_INFINITY);
  for await (const { values } of blocksOf(frame, columns)) {
    for (const [at, value] of values.entries()) {
      if (value > largest[at % columns.length]!) largest[at % columns.length] = value;
    }
  }
  return largest;
}

/** Blocks of rows of some columns. `values`: [rows, columns], overwritten by the next block. */
export async function* blocksOf(
  frame: Frame,
  columns: readonly string[],
): AsyncGenerator<{ readonly start: number; readonly rows: number; readonly values: Float64Array }> {
  const atOnce = Math.min(frame.rows, frame.blockRows);
  const block = new Float64Array(atOnce * columns.length);
  for (let start = 0; start < frame.rows; start += atOnce) {
    const rows = Math.min(atOnce, frame.rows - start);
    frame.read(start, rows, columns, block);
    yield { start, rows, values: block.subarray(0, rows * columns.length) };
    await nextTurn();
  }
}

/** How a column goes from row to row: how often up and down, and in which rows it goes down or, for ids, changes. */
async function courseOf(frame: Frame, column: string) {
  let [previous, up, isWhole] = [Number.NaN, 0, true];
  const [drops, changes]: [number[], number[]] = [[], []];
  for await (const { start, values } of blocksOf(frame, [column])) {
    for (const [i, value] of values.entries()) {
      if (value > previous) up++;
      if (value < previous) drops.push(start + i);
      if (start + i > 0 && value !== previous) changes.push(start + i);
      if (!Number.isInteger(value)) isWhole = false;
      previous = value;
    }
  }
  return { up, drops, changes, isWhole };
}

/** The one column of those without a known name whose values are a time's, or a tracer's. @throws DataError */
async function byValues(
  name: string,
  frame: Frame,
  unknown: readonly string[],
  time: string | undefined,
): Promise<string> {
  const numeric = unknown.filter((column) => frame.isNumeric(column)).slice(0, 64);
  const isFitting = async (column: string): Promise<boolean> => {
    const { up, drops, changes, isWhole } = await courseOf(frame, column);
    if (name === "Time") return up + drops.length === frame.rows - 1 && drops.length < frame.rows / 2 && up > 0;
    const { drops: restarts } = await courseOf(frame, time!);
    return isWhole && restarts.length > 0 && changes.join() === restarts.join();
  };
  const fitting: string[] = [];
  for (const column of numeric) if (await isFitting(column)) fitting.push(column);
  if (fitting.length === 1) return fitting[0]!;
  const role = name === "Time" ? "the time" : "the tracer";
  const which = fitting.length > 1 ? `: ${fitting.join(" or ")}?` : "";
  throw new DataError(`no column is ${role}${which}`, {
    where: placeOfFrame(frame),
    fix:
      name === "Time"
        ? "call it Time in the file"
        : `add it in Python: frame["Tracer"] = (frame[${JSON.stringify(time?.trim())}].diff() < 0).cumsum()`,
  });
}
