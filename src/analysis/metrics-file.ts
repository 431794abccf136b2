import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { isMap } from "../config/difference.ts";
import { DataError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic-file.ts";
import { checkedContent, checkedJson } from "../formats/checked-content.ts";
import type { PredictionKind } from "./error-types.ts";
import { type Metrics, metricsFormat, metricsFormatVersion } from "./evaluation-types.ts";
import type { EvaluationSamples } from "./sample-types.ts";

/** Digits that numbers are written with: float32 holds no more of what they are made from. */
const digits = 6;

/** Writes metrics.json, metrics.csv and samples.json into a folder. @returns their paths */
export function writeMetrics(folder: string, metrics: Metrics, samples: EvaluationSamples) {
  const paths = {
    metrics: join(folder, "metrics.json"),
    csv: join(folder, "metrics.csv"),
    samples: join(folder, "samples.json"),
  };
  writeFileAtomic(paths.metrics, metricsJson(metrics));
  writeFileAtomic(paths.csv, speciesCsv(metrics));
  writeFileAtomic(paths.samples, metricsJson(samples));
  return paths;
}

/** One line a top-level key: a person finds their way, and the arrays take no line each number. */
export function metricsJson(document: object): string {
  const entries = Object.entries(document).map(([key, value]) => `${JSON.stringify(key)}: ${rounded(value)}`);
  return `{\n${entries.join(",\n")}\n}\n`;
}

function rounded(value: unknown): string {
  return JSON.stringify(value, (key, each: unknown) => {
    if (typeof each !== "number" || Number.isInteger(each)) return each;
    // JSON would make null of it, which means something else.
    if (!Number.isFinite(each)) throw new Error(`metrics: ${key} is ${each}`);
    return Number(each.toPrecision(digits));
  });
}

/** One row a species: of each kind of prediction mean dex, mean and median relative error, and mean dex above the floor. */
function speciesCsv({ species, predictions }: Metrics): string {
  const kinds = Object.keys(predictions) as PredictionKind[];
  const header = ["species", "phase", "charge", "mean_log10_abundance"];
  for (const kind of kinds) header.push(...columns.map((column) => `${kind}_${column}`));
  const lines = species.map(({ name, phase, charge }, s) => {
    const mean = predictions[kinds[0]!]!.species[s]!.mean_log10;
    const cells: (string | number)[] = [quoted(name), phase, charge, mean.toPrecision(digits)];
    for (const kind of kinds) {
      const { all, above_floor, bias_dex } = predictions[kind]!.species[s]!;
      const values = [
        all.dex.mean,
        all.dex.p99,
        bias_dex,
        all.relative.mean,
        all.relative.median,
        above_floor?.dex.mean,
      ];
      cells.push(...values.map((value) => value?.toPrecision(digits) ?? ""));
    }
    return cells.join(",");
  });
  return `${[header.join(","), ...lines].join("\n")}\n`;
}

const columns = ["mean_dex", "p99_dex", "bias_dex", "mean_relative", "median_relative", "mean_dex_above_floor"];

function quoted(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Reads the metrics of a run's folder, or a metrics.json itself.
 * @throws DataError where it is absent, no JSON, or of another format or version
 */
export function readMetrics(path: string): Metrics {
  const file = path.endsWith(".json") ? path : join(path, "metrics.json");
  const fix = "make it: astrochem evaluate";
  if (!existsSync(file)) throw new DataError(`there is no ${file}`, { where: path, fix });
  const parsed = checkedJson(z.unknown(), readFileSync(file, "utf8"), { where: file, fix });
  if (!isMap(parsed) || parsed.format !== metricsFormat)
    throw new DataError(`${file} holds no metrics of astrochem`, { where: file, fix });
  checkMetricsVersion(parsed, file);
  checkedContent(readParts, parsed, { where: file, fix });
  return parsed as unknown as Metrics;
}

/** What is read of the metrics of another run. */
const errors = z.looseObject({ dex: z.looseObject({ mean: z.number() }) });
const readParts = z.looseObject({
  provenance: z.looseObject({ rows_hash: z.string(), dataset: z.looseObject({ path: z.string() }) }),
  tracers: z.array(z.looseObject({ id: z.number(), errors: z.record(z.string(), z.array(z.number())) })),
  predictions: z.record(
    z.string(),
    z.looseObject({
      overall: z.looseObject({ all: errors }),
      phases: z.array(z.looseObject({ phase: z.string(), all: errors })),
    }),
  ),
});

/** @throws DataError naming the version of metrics that this program does not read */
export function checkMetricsVersion({ format_version }: { readonly format_version?: unknown }, file: string): void {
  if (format_version === metricsFormatVersion) return;
  throw new DataError(`${file} has metrics format ${format_version}; this version reads ${metricsFormatVersion}`, {
    where: file,
    fix: "evaluate again, or use the version of astrochem that wrote it",
  });
}
