import type {
  ColumnSummary,
  FrameInspection,
  PhysicalColumn,
  TracerSummary,
} from "../analysis/inspection/inspection.ts";
import { counted } from "../counted.ts";
import { printableLine } from "./printable.ts";
import { factLines } from "./report-lines.ts";
import { type Column, formatNumber, formatTable } from "./tables.ts";

const mostColumns = 24;

/** One frame of a data file, in 80 columns. */
export function frameText(frame: FrameInspection): string {
  const sections = [
    frame.key === ""
      ? factLines(frameFacts(frame))
      : `/${printableLine(frame.key)}\n${factLines(frameFacts(frame), "  ")}`,
    frame.physical.length > 0 ? physicalTable(frame.physical) : "",
    badColumns(frame),
  ];
  return sections.filter((section) => section !== "").join("\n\n");
}

function frameFacts(frame: FrameInspection): (readonly [string, string])[] {
  const { tracers, values, species, attributes } = frame;
  const facts: (readonly [string, string] | false)[] = [
    ["rows", `${formatNumber(frame.rows)} × ${formatNumber(frame.columns.length)} columns`],
    ["species", phasesText(frame)],
    species.not_listed.length > 0 && ["not listed", listText(species.not_listed)],
    species.missing.length > 0 && ["missing species", listText(species.missing)],
    frame.unknown_columns.length > 0 && ["unknown columns", listText(frame.unknown_columns)],
    frame.text_columns.length > 0 && ["not numbers", listText(frame.text_columns)],
    frame.repeated_columns.length > 0 && ["repeated columns", listText(frame.repeated_columns)],
    frame.missing_physical.length > 0 && ["missing conditions", listText(frame.missing_physical)],
    ...(tracers === null ? [] : tracerFacts(tracers)),
    values !== null && ["abundances", abundancesText(values)],
    ...frame.problems.map((problem): readonly [string, string] => ["problem", problem]),
    ...frame.doubts.map((doubt): readonly [string, string] => ["doubtful", doubt]),
    attributes.astrochem_hash !== undefined && ["hash", attributes.astrochem_hash.slice(0, 16)],
  ];
  return facts.filter((fact) => fact !== false);
}

function phasesText({ species: { count, gas, surface, bulk } }: FrameInspection): string {
  return `${formatNumber(count)}: ${gas} gas, ${surface} surface (#), ${bulk} bulk (@)`;
}

function tracerFacts(tracers: TracerSummary): (readonly [string, string])[] {
  const { count, rows, time, spacing } = tracers;
  const number = (value: number): string => formatNumber(value);
  const each =
    rows.min === rows.max
      ? `${counted(rows.min, "row")} each`
      : `${number(rows.min)} to ${number(rows.max)} rows each, median ${number(rows.median)}`;
  const steps =
    spacing === null
      ? "no steps"
      : number(spacing.min) === number(spacing.max)
        ? `a row every ${number(spacing.median)} yr`
        : `a row every ${number(spacing.median)} yr (median; ${number(spacing.min)} to ${number(spacing.max)})`;
  const order = [
    tracers.is_interleaved ? "tracers interleaved" : "tracer after tracer",
    tracers.unsorted_rows > 0 ? `${counted(tracers.unsorted_rows, "row")} out of order in time` : "sorted by time",
    tracers.duplicate_rows > 0
      ? `${counted(tracers.duplicate_rows, "duplicate row")}${tracers.duplicates_are_exact ? "" : " next to each other"}`
      : `no duplicates${tracers.duplicates_are_exact ? "" : " next to each other"}`,
    tracers.rows_without_id > 0 && `${counted(tracers.rows_without_id, "row")} without an id`,
  ].filter((part) => part !== false);
  return [
    ["tracers", `${tracers.is_complete ? "" : "more than "}${number(count)}, ${each}`],
    ["time", time === null ? "none" : `${number(time.min)} to ${number(time.max)} yr, ${steps}`],
    ["order", order.join(", ")],
  ];
}

function abundancesText(values: NonNullable<FrameInspection["values"]>): string {
  const { smallest, largest } = values;
  const limits =
    smallest === null || largest === null ? "none above 0" : `${formatNumber(smallest)} to ${formatNumber(largest)}`;
  const counts: [string, number][] = [
    ["NaN", values.nan],
    ["infinite", values.infinite],
    ["negative", values.negative],
    ["zero", values.zero],
    ["below the clipping", values.below_clipping],
    ["above the clipping", values.above_clipping],
  ];
  const told = counts.filter(([, count]) => count > 0).map(([name, count]) => `${formatNumber(count)} ${name}`);
  return [limits, ...(told.length > 0 ? told : ["none missing or clipped"])].join(", ");
}

function physicalTable(physical: readonly PhysicalColumn[]): string {
  const limit = (value: number | null): string => (value === null ? "" : short(value));
  const columns: Column<PhysicalColumn>[] = [
    { title: "condition", value: ({ column }) => printableLine(column, 12) },
    { title: "unit", value: ({ unit }) => unit },
    { title: "min", value: ({ min }) => limit(min) },
    { title: "median", value: ({ median }) => limit(median) },
    { title: "max", value: ({ max }) => limit(max) },
    { title: "range", value: ({ range }) => (range === null ? "" : `${short(range[0])} to ${short(range[1])}`) },
    { title: "outside", value: ({ range, below, above }) => (range === null ? "" : short(below + above)) },
    { title: "bad", value: ({ nan, infinite, negative }) => short(nan + infinite + negative) },
  ];
  const rest = physical.length - mostColumns;
  const more = rest > 0 ? `\n… and ${formatNumber(rest)} more columns` : "";
  return formatTable(columns, physical.slice(0, mostColumns)) + more;
}

/** Seven characters at most, so that a table of eight columns fits. */
function short(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return formatNumber(value);
  const magnitude = Math.abs(value);
  return magnitude >= 0.01 && magnitude < 1e4 ? String(Number(value.toPrecision(4))) : value.toExponential(2);
}

function badColumns({ values }: FrameInspection): string {
  if (values === null || values.bad_columns.length === 0) return "";
  const columns: Column<ColumnSummary>[] = [
    { title: "bad abundances", value: ({ column }) => printableLine(column, 24) },
    { title: "NaN", value: ({ nan }) => nan },
    { title: "infinite", value: ({ infinite }) => infinite },
    { title: "negative", value: ({ negative }) => negative },
    { title: "first in row", value: ({ first_bad_row }) => first_bad_row ?? "" },
  ];
  return formatTable(columns, values.bad_columns);
}

function listText(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => printableLine(name, 40));
  return names.length > 8 ? `${shown.join(", ")} and ${formatNumber(names.length - 8)} more` : shown.join(", ");
}
