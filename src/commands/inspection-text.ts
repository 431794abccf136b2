import type { Hint } from "../analysis/inspection/hints.ts";
import type {
  DatasetSummary,
  EpochSummary,
  Inspection,
  SpeciesSummary,
  TensorSummary,
} from "../analysis/inspection/inspection.ts";
import type { OnnxPortSummary } from "../backend/onnx-model.ts";
import { counted } from "../counted.ts";
import { metricNames } from "../training/epoch-log.ts";
import { frameText } from "./frame-text.ts";
import { printableLine } from "./printable.ts";
import { factLines, formatBytes, formatShape, wrapped } from "./report-lines.ts";
import { type Column, formatNumber, formatTable } from "./tables.ts";

const mostTableRows = 40;

/** The report that a person reads, in 80 columns. @param path as the user wrote it */
export function inspectionText(inspection: Inspection, hints: readonly Hint[], path: string): string {
  const size = inspection.bytes === null ? "" : `, ${formatBytes(inspection.bytes)}`;
  const sections = [`${printableLine(path)}: ${titleOf(inspection)}${size}`, ...bodyOf(inspection), hintsText(hints)];
  return `${sections.filter((section) => section !== "").join("\n\n")}\n`;
}

function titleOf(inspection: Inspection): string {
  switch (inspection.kind) {
    case "data":
      return inspection.source ?? (inspection.form === "other" ? "pandas frames" : `${inspection.form} data`);
    case "cache":
      return "a cache of training data";
    case "hdf5":
      return "HDF5 without pandas frames";
    case "weights":
      return `weights of an ${inspection.model_kind}`;
    case "tensors":
      return inspection.format === "pytorch" ? "arrays that PyTorch saved" : "safetensors of another program";
    case "array":
      return "a NumPy array";
    case "onnx":
      return "a model in ONNX";
    case "run":
      return "a run";
    case "epochs":
      return "a log of epochs";
    case "document":
      return inspection.format === "yaml" ? "settings (YAML)" : "JSON";
    case "species":
      return "a list of species";
    case "folder":
      return "a folder";
  }
}

function bodyOf(inspection: Inspection): string[] {
  switch (inspection.kind) {
    case "data":
      return [
        inspection.notes.length === 0 ? "" : factLines(inspection.notes.map((text) => ["note", text] as const)),
        ...inspection.frames.map((frame) => frameText(frame)),
        inspection.shared_tracers === null
          ? ""
          : factLines([["in two splits", counted(inspection.shared_tracers, "tracer")]]),
        problemsText(inspection.unreadable),
      ];
    case "cache":
      return [datasetsText(inspection.datasets), entriesText("made of", inspection.parts)];
    case "hdf5":
      return [datasetsText(inspection.datasets, inspection.dataset_count), problemsText(inspection.unreadable)];
    case "weights":
      return [
        factLines([
          ["format version", formatNumber(inspection.format_version)],
          ["parameters", formatNumber(inspection.parameters)],
          ["species", speciesText(inspection.species)],
        ]),
        entriesText("model", inspection.model),
        entriesText("metadata", flatMetadata(inspection.metadata)),
        tensorsText(inspection.tensors),
      ];
    case "tensors":
      return [
        factLines([["parameters", formatNumber(inspection.parameters)]]),
        entriesText("metadata", inspection.metadata),
        tensorsText(inspection.tensors),
      ];
    case "array":
      return [
        factLines([
          ["shape", formatShape(inspection.shape)],
          ["type", inspection.type],
          ...(inspection.nan === null ? [] : ([["values", arrayValues(inspection)]] as const)),
        ]),
      ];
    case "onnx":
      return [
        factLines([
          ["made by", inspection.producer],
          ["opset", inspection.opset === null ? "unknown" : formatNumber(inspection.opset)],
          ["operations", formatNumber(inspection.nodes)],
          ["parameters", formatNumber(inspection.parameters)],
          ...(inspection.species === null ? [] : ([["species", speciesText(inspection.species)]] as const)),
          ...inspection.inputs.map((port) => ["input", portText(port)] as const),
          ...inspection.outputs.map((port) => ["output", portText(port)] as const),
        ]),
        entriesText("metadata", flatMetadata(inspection.metadata)),
      ];
    case "run":
      return runSections(inspection);
    case "epochs":
      return [epochsText(inspection.epochs)];
    case "document":
      return [entriesText("entries", inspection.entries)];
    case "species":
      return [
        factLines([
          ["species", speciesText(inspection.species)],
          ...inspection.problems.map((problem) => ["problem", problem] as const),
          ...inspection.doubts.map((doubt) => ["doubtful", doubt] as const),
        ]),
      ];
    case "folder":
      return [filesText(inspection.files)];
  }
}

function arrayValues({ min, max, nan, infinite, negative, zero }: Inspection & { kind: "array" }): string {
  const limits = min === null || max === null ? "none finite" : `${formatNumber(min)} to ${formatNumber(max)}`;
  const counts = Object.entries({ NaN: nan, infinite, negative, zero }).filter(([, count]) => (count ?? 0) > 0);
  return [limits, ...counts.map(([name, count]) => `${formatNumber(count!)} ${name}`)].join(", ");
}

function portText({ name, type, shape }: OnnxPortSummary): string {
  return `${name}: ${type} [${shape.join(", ")}]`;
}

function runSections(run: Inspection & { kind: "run" }): string[] {
  const kept = ["astrochem", "git_commit", "node", "seed", "platform", "cpu.model", "cpu.count", "memory_gb"];
  const environment = Object.entries(run.environment).filter(
    ([key]) => kept.includes(key) || key.startsWith("backend"),
  );
  return [
    factLines([
      ["command", run.command ?? "unknown"],
      ["outcome", run.outcome ?? "unknown: it has no summary, and is not running: it was killed"],
      ["started", run.started_at ?? "unknown"],
      ...(run.seconds === null ? [] : ([["seconds", formatNumber(run.seconds)]] as const)),
      ["overrides", run.overrides.join(" ") || "none"],
    ]),
    run.epochs === null ? "" : epochsText(run.epochs),
    entriesText("metrics", run.metrics),
    entriesText("environment", Object.fromEntries(environment)),
    entriesText("config", run.config),
    filesText(run.files),
    problemsText(run.unreadable),
  ];
}

function epochsText(epochs: EpochSummary): string {
  const number = (value: number | null): string => (value === null ? "none" : formatNumber(value));
  const best = epochs.best_epoch === null ? "none" : `${number(epochs.best_metric)} in epoch ${epochs.best_epoch + 1}`;
  const kind = epochs.metric === null ? "" : ` (${metricNames[epochs.metric]}, validation)`;
  return factLines([
    ["epochs", `${formatNumber(epochs.count)} in ${formatNumber(Math.round(epochs.seconds))} s`],
    ["best error", `${best}${kind}`],
    ["last error", number(epochs.last_metric)],
    ["last rates", `learning rate ${number(epochs.last_learning_rate)}, dropout ${number(epochs.last_dropout)}`],
  ]);
}

/** By phase, and what the species list of the configuration says to it. */
function speciesText({ count, gas, surface, bulk, not_listed, missing }: SpeciesSummary): string {
  const phases = `${formatNumber(count)}: ${gas} gas, ${surface} surface (#), ${bulk} bulk (@)`;
  const named = (names: readonly string[]): string =>
    names.length > 6 ? `${names.slice(0, 6).join(", ")} and ${formatNumber(names.length - 6)} more` : names.join(", ");
  const odd = not_listed.length > 0 ? `\nnot in the species list: ${named(not_listed)}` : "";
  const absent = missing.length > 0 && missing.length < 1e6 ? `\nmissing of the list: ${named(missing)}` : "";
  return `${phases}${odd}${absent}`;
}

function tensorsText(tensors: readonly TensorSummary[]): string {
  const rows = tensors.slice(0, mostTableRows);
  const limit = (value: number | null): string => (value === null ? "" : formatNumber(value));
  const columns: Column<TensorSummary>[] = [
    { title: "array", value: ({ name }) => printableLine(name, 36) },
    { title: "type", value: ({ type }) => printableLine(type, 8) },
    { title: "shape", value: ({ shape }) => formatShape(shape) },
    { title: "min", value: ({ min }) => limit(min) },
    { title: "max", value: ({ max }) => limit(max) },
    { title: "not finite", value: ({ nonfinite }) => (nonfinite === null ? "" : formatNumber(nonfinite)) },
  ];
  return tensors.length === 0 ? "no arrays" : formatTable(columns, rows) + more(tensors.length, "arrays");
}

function datasetsText(datasets: readonly DatasetSummary[], count = datasets.length): string {
  const columns: Column<DatasetSummary>[] = [
    { title: "dataset", value: ({ name }) => printableLine(name, 40) },
    { title: "type", value: ({ type }) => printableLine(type, 12) },
    { title: "shape", value: ({ shape }) => formatShape(shape) },
  ];
  if (datasets.length === 0) return "no datasets";
  return formatTable(columns, datasets.slice(0, mostTableRows)) + more(count, "datasets");
}

function filesText(files: readonly { readonly name: string; readonly bytes: number }[]): string {
  const columns: Column<(typeof files)[number]>[] = [
    { title: "file", value: ({ name }) => printableLine(name, 60) },
    { title: "size", value: ({ bytes }) => formatBytes(bytes) },
  ];
  if (files.length === 0) return "no files";
  return formatTable(columns, files.slice(0, mostTableRows)) + more(files.length, "files");
}

function problemsText(problems: readonly { readonly key: string; readonly problem: string }[]): string {
  const shown = problems.slice(0, mostTableRows);
  return shown
    .map(({ key, problem }) => wrapped(`cannot read ${printableLine(key)}: ${printableLine(problem, 400)}`))
    .join("\n");
}

function entriesText(title: string, entries: Readonly<Record<string, unknown>>): string {
  const all = Object.entries(entries);
  if (all.length === 0) return "";
  const lines = all.slice(0, 2 * mostTableRows).map(([key, value]) => [key, valueText(value)] as const);
  return `${title}\n${factLines(lines, "  ")}${more(all.length, "entries", 2 * mostTableRows)}`;
}

function valueText(value: unknown): string {
  if (typeof value === "number") return formatNumber(value);
  if (typeof value !== "string")
    return (JSON.stringify(value, null, 1) ?? "none").replace(/([[{])?\n *([\]}])?/g, (_, open = "", close = "") =>
      open + close === "" ? " " : open + close,
    );
  // Of a hash the beginning is enough.
  return /^[\da-f]{40,}$/.test(value) ? `${value.slice(0, 16)}…` : value;
}

/** One level of nesting is told by paths. People count epochs from 1. */
function flatMetadata(metadata: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(metadata).flatMap(([key, value]): [string, unknown][] => {
      const isNested = typeof value === "object" && value !== null && !Array.isArray(value);
      if (!isNested) return [[key, value]];
      return Object.entries(value).map(([inner, each]) =>
        key === "provenance" && inner === "epoch" && typeof each === "number"
          ? ["provenance.epoch (from 1)", each + 1]
          : [`${key}.${inner}`, each],
      );
    }),
  );
}

function more(count: number, what: string, shown = mostTableRows): string {
  return count > shown ? `\n… and ${formatNumber(count - shown)} more ${what}` : "";
}

function hintsText(hints: readonly Hint[]): string {
  if (hints.length === 0) return "";
  const lines = hints.flatMap(({ text, command }) => [
    wrapped(`- ${printableLine(text, 1000)}${command === null ? "" : ":"}`, "  "),
    // In one piece, to be copied.
    ...(command === null ? [] : [`    ${printableLine(command, 4000)}`]),
  ]);
  return `next\n${lines.join("\n")}`;
}
