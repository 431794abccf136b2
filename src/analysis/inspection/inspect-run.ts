import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { toValue } from "../../config/tree.ts";
import { parseYaml } from "../../config/yaml.ts";
import { firstLine } from "../../data/read-messages.ts";
import { AstrochemError, DataError } from "../../errors.ts";
import { lockState } from "../../formats/lock.ts";
import { checkRunVersion } from "../../formats/run-format.ts";
import { checkEpochVersions } from "../../training/epoch-log.ts";
import { metricsFormat } from "../evaluation-types.ts";
import { checkMetricsVersion } from "../metrics-file.ts";
import { summarizeEpochs } from "./epoch-summary.ts";
import { flatten } from "./flatten.ts";
import type {
  DocumentInspection,
  EpochsInspection,
  FolderInspection,
  InspectionKind,
  RunInspection,
} from "./inspection.ts";
import { problemOf } from "./problem-of.ts";

/** Texts beyond are no settings or results of ours. */
const greatestText = 2 ** 26;
const mostFiles = 100;

/** Looks at a folder: a run's, or one with files that can be inspected. */
export function inspectFolder(path: string): RunInspection | FolderInspection {
  const isRun = ["environment.json", "summary.json", "config.yaml"].some((name) => existsSync(join(path, name)));
  return isRun ? inspectRun(path) : { kind: "folder", path, bytes: null, files: filesIn(path, 3) };
}

function inspectRun(path: string): RunInspection {
  const unreadable: { key: string; problem: string }[] = [];
  const read = <T>(name: string, parse: (text: string, where: string) => T): T | null => {
    const file = join(path, name);
    if (!existsSync(file)) return null;
    try {
      return parse(readText(file), file);
    } catch (error) {
      if (!(error instanceof AstrochemError)) throw error;
      unreadable.push({ key: name, problem: problemOf(error) });
      return null;
    }
  };
  const summary = objectOf(read("summary.json", runDocument));
  const environment = objectOf(read("environment.json", runDocument));
  return {
    kind: "run",
    path,
    bytes: null,
    command: textOf(summary.command),
    outcome: textOf(summary.outcome) ?? unfinished(lockState(join(path, ".lock"))),
    started_at: textOf(summary.started_at ?? environment.started_at),
    seconds: typeof summary.seconds === "number" ? summary.seconds : null,
    overrides: read("overrides.yaml", parseOverrides) ?? [],
    environment: flatten(environment),
    config: flatten(read("config.yaml", yamlValue)),
    epochs: read("epochs.jsonl", (text, where) => summarizeEpochs(epochLines(text, where))),
    metrics: flatten(read("metrics.json", metricsDocument)),
    files: filesIn(path, 2),
    unreadable,
  };
}

/** What is known of a run without a summary. The next run removes the lock of one that was killed. */
function unfinished(lock: "held" | "dead" | null): string | null {
  return lock && { held: "running", dead: "killed" }[lock];
}

/** Looks at a file of JSON: an epoch log, or anything else. @throws DataError where it is none */
export function inspectJson(path: string, bytes: number): EpochsInspection | DocumentInspection {
  const value = parseJson(readText(path), path);
  if (isEpochList(value)) return { kind: "epochs", path, bytes, epochs: summarizeEpochs(checkedEpochs(value, path)) };
  return { kind: "document", path, bytes, format: "json", entries: flatten(value) };
}

/** Looks at a file with one JSON text a line. @throws DataError where it is none */
export function inspectJsonLines(path: string, bytes: number): EpochsInspection {
  return { kind: "epochs", path, bytes, epochs: summarizeEpochs(epochLines(readText(path), path)) };
}

/** The records of a log of epochs, as either file holds them. @throws DataError where it is none */
export function readEpochs(path: string): readonly unknown[] {
  const text = readText(path);
  if (path.endsWith(".jsonl")) return epochLines(text, path);
  const value = parseJson(text, path);
  if (isEpochList(value)) return checkedEpochs(value, path);
  throw new DataError(`${path} is no log of epochs`, { where: path });
}

function isEpochList(value: unknown): value is unknown[] {
  return Array.isArray(value) && typeof objectOf(value[0]).epoch === "number";
}

/** @throws ConfigError where it is no mapping, as our own files of settings are */
export function inspectYaml(path: string, bytes: number): DocumentInspection {
  return {
    kind: "document" satisfies InspectionKind,
    path,
    bytes,
    format: "yaml",
    entries: flatten(yamlValue(readText(path), path)),
  };
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DataError(`${where} is not JSON: ${firstLine(cause)}`, {
      where,
      fix: "copy or make the file again",
      cause,
    });
  }
}

/** environment.json or summary.json. */
function runDocument(text: string, where: string): unknown {
  const document = parseJson(text, where);
  checkRunVersion(document, where);
  return document;
}

function metricsDocument(text: string, where: string): unknown {
  const document = parseJson(text, where);
  if (objectOf(document).format === metricsFormat) checkMetricsVersion(objectOf(document), where);
  return document;
}

function epochLines(text: string, where: string): unknown[] {
  return checkedEpochs(parseLines(text, where), where);
}

function checkedEpochs(records: unknown[], where: string): unknown[] {
  checkEpochVersions(records, where);
  return records;
}

/** The last line may be cut off: the run that writes it goes on, or was killed. */
function parseLines(text: string, where: string): unknown[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const values = lines.slice(0, -1).map((line, i) => parseJson(line, `${where}:${i + 1}`));
  const last = lines.at(-1);
  if (last === undefined) return values;
  try {
    values.push(JSON.parse(last));
  } catch (cause) {
    if (lines.length === 1) throw new DataError(`${where} is not JSON`, { where, cause });
  }
  return values;
}

function yamlValue(text: string, where: string): unknown {
  return toValue(parseYaml(text, where));
}

/** A list; our reader of YAML wants a mapping. */
function parseOverrides(text: string, where: string): string[] {
  const { overrides } = objectOf(yamlValue(`overrides:\n${text.replace(/^/gm, "  ")}`, where));
  return Array.isArray(overrides) ? overrides.map(String) : [];
}

function readText(path: string): string {
  const { size } = statSync(path);
  if (size > greatestText) {
    throw new DataError(`${path} has ${size} bytes, too many for settings or results`, { where: path });
  }
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new DataError(`cannot read ${path}: ${firstLine(cause)}`, { where: path, cause });
  }
}

function filesIn(folder: string, depth: number, prefix = ""): { name: string; bytes: number }[] {
  const found: { name: string; bytes: number }[] = [];
  for (const entry of entriesOf(folder)) {
    if (found.length >= mostFiles) break;
    const path = join(folder, entry.name);
    if (entry.isDirectory() && depth > 1) found.push(...filesIn(path, depth - 1, `${prefix}${entry.name}/`));
    else if (entry.isFile()) found.push({ name: prefix + entry.name, bytes: statSync(path).size });
  }
  return found.slice(0, mostFiles);
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (cause) {
    throw new DataError(`cannot read the folder ${folder}: ${firstLine(cause)}`, { where: folder, cause });
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
