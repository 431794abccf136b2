import { setImmediate as nextTurn } from "node:timers/promises";
import { AbundanceUnits } from "../../chemistry/abundance-units.ts";
import { timestepColumn, unitOfParameter } from "../../chemistry/physical-parameters.ts";
import type { Frame } from "../../data/frame.ts";
import { placeOfFrame } from "../../data/frame-reader.ts";
import { pointColumns } from "../../data/points.ts";
import { timeStepAttribute } from "../../data/time-steps.ts";
import { AstrochemError, DataError } from "../../errors.ts";
import { type ColumnRoles, columnRoles, type NamedColumn, summarizeSpecies } from "./column-roles.ts";
import { ColumnStatistics, type WatchedColumn } from "./column-statistics.ts";
import type { ColumnSummary, FrameInspection, ValueSummary } from "./inspection.ts";
import { problemOf } from "./problem-of.ts";
import type { InspectionOptions, InspectionSettings } from "./settings.ts";
import { inspectOrder } from "./tracer-order.ts";
import { TracerStatistics } from "./tracer-statistics.ts";

/** Values of a block in memory at once: 32 MB. */
const valuesAtOnce = 2 ** 22;
/** Beyond so many columns a frame is no set of tracers, and looking each one up takes too long. */
const mostColumns = 20_000;
/** Deflate shrinks to a thousandth at best: what claims to be greater was never written. */
const greatestRatio = 1100;
const shownBadColumns = 20;
const shownTypeProblems = 4;
/** Unknown columns whose median is told: a sample of each takes half a megabyte. */
const mostSampled = 20;

/** A frame's inspection, and its tracers' ids for a comparison with another frame's. */
export interface InspectedFrame {
  readonly inspection: FrameInspection;
  /** Null where they are texts, or were not read. */
  readonly ids: ReadonlySet<number> | null;
}

/**
 * Looks at a frame from end to end, block by block.
 * @param fileBytes size of the file
 * @throws DataError where the file is damaged
 */
export async function inspectFrame(
  frame: Frame,
  fileBytes: number,
  options: InspectionOptions,
): Promise<InspectedFrame> {
  const { settings, isQuick } = options;
  if (frame.columns.length > mostColumns) {
    throw new DataError(`${frame.columns.length} columns are more than ${mostColumns}`, { where: placeOfFrame(frame) });
  }
  const roles = columnRoles(frame.columns, settings);
  const numeric = new Set<string>();
  const unreadable = new Map<string, string>();
  for (const column of frame.columns) {
    const problem = problemOfReading(frame, column);
    if (problem === null) numeric.add(column);
    else unreadable.set(column, problem);
  }
  const present = new Set(roles.physical.map(({ name }) => name));
  const structure = {
    key: frame.key,
    form: formOf(frame.columns, roles),
    rows: frame.rows,
    columns: frame.columns,
    text_columns: [...unreadable.keys()],
    repeated_columns: roles.repeated,
    species: summarizeSpecies(
      roles.species.map(({ name }) => name),
      settings.species,
      settings.naming,
    ),
    unknown_columns: roles.unknown.map(({ column }) => column),
    // The step is derived from the times.
    missing_physical: settings.phys.filter((name) => !present.has(name) && name !== timestepColumn),
    attributes: attributesOf(frame),
  };
  const typeProblems = problemsOfTypes(roles, unreadable);
  if (isQuick || frame.rows === 0) {
    const inspection = { ...structure, tracers: null, physical: [], values: null, problems: typeProblems, doubts: [] };
    return { inspection, ids: null };
  }
  checkPlausible(frame, numeric.size, fileBytes);
  const { columns, tracers, ids, problems, doubts } = await readValues(frame, roles, numeric, options);
  const inspection = {
    ...structure,
    tracers,
    ...sortColumns(columns, roles, settings),
    problems: [...typeProblems, ...problems],
    doubts,
  };
  return { inspection, ids };
}

/** Reads every row once. */
async function readValues(
  frame: Frame,
  roles: ColumnRoles,
  numeric: ReadonlySet<string>,
  { settings, progress }: InspectionOptions,
) {
  const watched = watchedColumns(roles, settings).filter(({ column }) => numeric.has(column));
  const time = roles.metadata.find(({ name, column }) => name === "Time" && numeric.has(column));
  const problems: string[] = [];
  const { tracer, codes } = tracerColumn(frame, roles, numeric, problems);
  const statistics = new ColumnStatistics(watched);
  const listed = watched.filter(({ rounding }) => rounding > 0);
  const units = new AbundanceUnits(listed.map(({ name }) => name));
  const ids = new TracerStatistics(tracer === undefined ? 0 : frame.rows);
  const columns = watched.map(({ column }) => column);
  const idAt = tracer !== undefined && codes === null ? columns.push(tracer.column) - 1 : -1;
  const timeAt = time === undefined ? -1 : columns.push(time.column) - 1;
  const width = columns.length;
  const blockRows = rowsAtOnce(frame, width);
  const block = new Float64Array(Math.min(blockRows, frame.rows) * width);
  for (let start = 0; start < frame.rows; start += blockRows) {
    const count = Math.min(blockRows, frame.rows - start);
    frame.read(start, count, columns, block);
    statistics.add(block, width, count, start);
    units.add(block, { rows: count, width, offset: watched.length - listed.length, firstRow: start });
    for (let row = 0; tracer !== undefined && row < count; row++) {
      const id = codes === null ? block[row * width + idAt]! : codes[start + row]!;
      ids.add(id, timeAt < 0 ? Number.NaN : block[row * width + timeAt]!);
    }
    progress(start + count, frame.rows);
    await nextTurn();
  }
  const summaries = statistics.summaries();
  const tracers = tracer === undefined ? null : ids.summary(tracer.column);
  const varying = new Set(summaries.filter(({ min, max }) => min !== max).map(({ column }) => column));
  const mayHavePoints = pointColumns(frame).some(({ name, isNumeric }) => !isNumeric || varying.has(name));
  const isOrdered = tracers?.unsorted_rows === 0 && !mayHavePoints;
  const order = isOrdered || !tracer || !time ? null : await inspectOrder(frame, tracer.column, time.column);
  if (order !== null && order.problem !== null) problems.push(order.problem);
  return {
    columns: summaries,
    tracers,
    ids: tracer === undefined || codes !== null ? null : new Set(ids.ids()),
    problems,
    doubts: [units.doubt((row) => `row ${row}`), order?.doubt ?? null].filter((doubt) => doubt !== null),
  };
}

/** The column of ids; of texts their codes. Ids that cannot be read are a problem, but not of the other columns. */
function tracerColumn(
  frame: Frame,
  { metadata }: ColumnRoles,
  numeric: ReadonlySet<string>,
  problems: string[],
): { tracer: NamedColumn | undefined; codes: Int32Array | null } {
  const tracer = metadata.find(({ name }) => name === "Model");
  if (tracer === undefined || numeric.has(tracer.column)) return { tracer, codes: null };
  try {
    return { tracer, codes: frame.labels(tracer.column).codes };
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    problems.push(problemOf(error));
    return { tracer: undefined, codes: null };
  }
}

/** Physical parameters, times, other conditions, unknown columns, then abundances, each with the limits it should keep. */
function watchedColumns(roles: ColumnRoles, { ranges, clipping }: InspectionSettings): WatchedColumn[] {
  const watch =
    (lower: number, upper: number, isSampled: boolean, rounding = 0) =>
    (each: NamedColumn) => ({ ...each, lower, upper, isSampled, rounding });
  const unlimited = watch(0, Number.POSITIVE_INFINITY, true);
  return [
    ...roles.physical.map((each) => {
      const [lower, upper] = ranges[each.name] ?? [0, Number.POSITIVE_INFINITY];
      return watch(float32Below(lower), float32Above(upper), true)(each);
    }),
    ...roles.metadata.filter(({ name }) => name === "Time").map(unlimited),
    ...roles.ignored.map(unlimited),
    ...roles.unknown.map((each, i) => watch(0, Number.POSITIVE_INFINITY, i < mostSampled)(each)),
    ...roles.species.map(watch(float32Below(clipping.lower), float32Above(clipping.upper), false, clipping.lower)),
  ];
}

/** Values are mostly float32: a limit that no float32 meets exactly must not make its own nearest value an outlier. */
function float32Below(limit: number): number {
  return Math.min(limit, Math.fround(limit));
}

function float32Above(limit: number): number {
  return Math.max(limit, Math.fround(limit));
}

function sortColumns(
  columns: readonly ColumnSummary[],
  roles: ColumnRoles,
  { ranges }: InspectionSettings,
): Pick<FrameInspection, "physical" | "values"> {
  const speciesColumns = new Set(roles.species.map(({ column }) => column));
  const species = columns.filter(({ column }) => speciesColumns.has(column));
  const physical = columns
    .filter(({ column }) => !speciesColumns.has(column))
    .map((column) => ({
      ...column,
      unit: unitOfParameter(column.name),
      range: ranges[column.name] ?? null,
    }));
  return { physical, values: species.length > 0 ? totals(species) : null };
}

function totals(species: readonly ColumnSummary[]): ValueSummary {
  const sum = (key: "nan" | "infinite" | "negative" | "zero" | "below" | "above"): number =>
    species.reduce((total, column) => total + column[key], 0);
  const badness = ({ nan, infinite, negative }: ColumnSummary): number => nan + infinite + negative;
  const extreme = (values: readonly (number | null)[], of: (a: number, b: number) => number): number | null =>
    values.reduce((best, value) => (best === null || value === null ? (best ?? value) : of(best, value)), null);
  return {
    nan: sum("nan"),
    infinite: sum("infinite"),
    negative: sum("negative"),
    zero: sum("zero"),
    below_clipping: sum("below"),
    above_clipping: sum("above"),
    smallest: extreme(
      species.map(({ smallest_positive }) => smallest_positive),
      Math.min,
    ),
    largest: extreme(
      species.map(({ max }) => max),
      Math.max,
    ),
    bad_columns: species
      .filter((column) => badness(column) > 0)
      .sort((a, b) => badness(b) - badness(a))
      .slice(0, shownBadColumns),
  };
}

function formOf(columns: readonly string[], { metadata }: ColumnRoles): FrameInspection["form"] {
  const names = new Set(metadata.map(({ name }) => name));
  if (!names.has("Model") || !names.has("Time")) return "other";
  return columns.includes("Index") && columns.includes("Model") ? "clean" : "raw";
}

/** Why a column cannot be read as numbers; null where it can. */
function problemOfReading(frame: Frame, column: string): string | null {
  try {
    frame.read(0, 0, [column], new Float64Array(0));
    return null;
  } catch (error) {
    if (error instanceof AstrochemError) return problemOf(error);
    throw error;
  }
}

/** Times, conditions and abundances must be numbers. Of many such columns the first ones are told. */
function problemsOfTypes(
  { metadata, physical, species }: ColumnRoles,
  unreadable: ReadonlyMap<string, string>,
): string[] {
  const times = metadata.filter(({ name }) => name === "Time");
  const problems = [...times, ...physical, ...species].flatMap(({ column }) => unreadable.get(column) ?? []);
  const rest = problems.length - shownTypeProblems;
  return rest <= 0 ? problems : [...problems.slice(0, shownTypeProblems), `${rest} more columns hold no numbers`];
}

function attributesOf(frame: Frame): Record<string, string> {
  const names = ["astrochem_format_version", "astrochem_hash", "astrochem_settings", timeStepAttribute];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = frame.attribute(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function rowsAtOnce(frame: Frame, width: number): number {
  const fitting = Math.max(1, Math.floor(valuesAtOnce / Math.max(1, width)));
  if (frame.blockRows <= fitting) return frame.blockRows;
  // Whole chunks, or each would be decompressed again and again.
  return fitting < frame.chunkRows ? Math.min(frame.chunkRows, 4 * fitting) : fitting - (fitting % frame.chunkRows);
}

/** A file of a few bytes can claim any number of rows, and reading would give zeros for ever. */
function checkPlausible(frame: Frame, columns: number, fileBytes: number): void {
  const claimed = frame.rows * Math.max(1, columns);
  if (claimed <= 2 ** 27 || claimed <= greatestRatio * fileBytes) return;
  throw new DataError(
    `the frame claims ${frame.rows} rows of ${columns} columns, but the file has ${fileBytes} bytes only`,
    { where: placeOfFrame(frame), fix: "it is damaged, or was never written to its end: make or copy it again" },
  );
}
