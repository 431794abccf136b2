import { readFileSync } from "node:fs";
import { summarizeOnnx } from "../../backend/onnx-model.ts";
import { DataError } from "../../errors.ts";
import { summarizeSpecies } from "./column-roles.ts";
import type { OnnxInspection } from "./inspection.ts";
import type { InspectionOptions } from "./settings.ts";

/** The format's own limit. */
const mostBytes = 2 ** 31;

/** Looks at an exported model; nothing in it is run. @throws DataError where it is damaged or too large */
export function inspectOnnx(path: string, bytes: number, { settings }: InspectionOptions): OnnxInspection {
  if (bytes > mostBytes) throw notOnnx(path, "it has more bytes than ONNX files can have");
  const summary = summarizeOnnx(readFileSync(path));
  if (summary === null) throw notOnnx(path, "it is cut off, or another program's format");
  const { metadata, ...rest } = summary;
  const values = new Map(Object.entries(metadata).map(([key, value]) => [key, parsed(value)]));
  const names = values.get("species");
  const isList = Array.isArray(names) && names.every((name) => typeof name === "string");
  if (isList) values.delete("species");
  const species = isList ? summarizeSpecies(names, settings.species) : null;
  return { kind: "onnx", path, bytes, ...rest, species, metadata: Object.fromEntries(values) };
}

/** Lists and ranges are written as JSON; what is none stands as it is. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function notOnnx(path: string, why: string): DataError {
  return new DataError(`no ONNX model: ${path}`, {
    where: path,
    fix: `${why}; copy it again, or make it with astrochem export onnx`,
  });
}
