import { closeSync, existsSync, openSync, readFileSync, readSync, realpathSync, type Stats, statSync } from "node:fs";
import { extname, resolve } from "node:path";
import { AstrochemError, ConfigError } from "../errors.ts";
import type { OptionSpec } from "./command.ts";

/** What is written: the format that its name has to fit, and what may be replaced. */
export type WrittenKind = keyof typeof formats;

/** A file that a command is about to write where its user says. */
export interface Destination {
  /** Absolute. */
  readonly path: string;
  readonly kind: WrittenKind;
  /** Of a latent range: the weights that it is written with. */
  readonly weights?: string;
  /** All that the command reads, absolute; those that are not there, and null, are passed over. */
  readonly inputs: readonly (string | null)[];
  /** Whether the user lets it replace anything that is no input. */
  readonly overwrite: boolean;
}

/** The flag of commands that write where their user says. */
export const overwriteOption: Readonly<Record<string, OptionSpec>> = {
  overwrite: { type: "boolean", describe: "replace a file there that astrochem did not write; never an input" },
};

interface Format {
  readonly name: string;
  readonly suffixes: readonly string[];
  /** What stands in such a file, with its article. */
  readonly content: string;
}

const hdf5 = { name: "HDF5", suffixes: [".h5", ".hdf5", ".hdf"] };
const safetensors = { name: "safetensors", suffixes: [".safetensors"] };
const json = { name: "JSON", suffixes: [".json"] };
const formats = {
  emulated: { ...hdf5, content: "emulation" },
  clean: { ...hdf5, content: "clean dataset" },
  cache: { ...hdf5, content: "cache" },
  autoencoder: { ...safetensors, content: "autoencoder" },
  emulator: { ...safetensors, content: "emulator" },
  onnx: { name: "ONNX", suffixes: [".onnx"], content: "ONNX file" },
  source: { name: "source code", suffixes: [".c", ".h", ".f90", ".py", ".txt"], content: "source" },
  comparison: { ...json, content: "comparison" },
  comparisonPage: { name: "HTML", suffixes: [".html", ".htm"], content: "comparison" },
  epochs: { ...json, content: "log of epochs" },
  latentRange: { name: "NPY", suffixes: [".npy"], content: "latent range of these weights" },
} as const satisfies Readonly<Record<string, Format>>;
/** Names that promise another format; any other suffix promises nothing. */
const known = new Set([
  ...Object.values(formats).flatMap(({ suffixes }) => suffixes),
  ...[".csv", ".tsv", ".txt", ".npz", ".yaml", ".yml", ".jsonl", ".pth", ".pt", ".pkl", ".parquet"],
  ...[".png", ".svg", ".zip", ".xlsx", ".fits", ".log"],
]);

/**
 * The one rule for what a command writes where its user says: never over an input, over a file of the same kind that astrochem wrote,
 * over anything else with `--overwrite` only, and under a name that does not promise another format.
 * @throws ConfigError
 */
export async function checkDestination({ path, kind, weights, inputs, overwrite }: Destination): Promise<void> {
  const { name, suffixes, content }: Format = formats[kind];
  const suffix = extname(path).toLowerCase();
  if (known.has(suffix) && !suffixes.includes(suffix)) {
    const fix = `give a name that ends in ${suffixes[0]}`;
    throw new ConfigError(`${path} would be written as ${name}, not as ${suffix}`, { where: path, fix });
  }
  const found = statusOf(path);
  // By its name alone, too: another output of the same command may be read for this one.
  const input = inputs.find(
    (each) => each !== null && (resolve(each) === resolve(path) || (found !== null && isSame(path, found, each))),
  );
  if (typeof input === "string") {
    const alias = resolve(input) === resolve(path) ? "" : `, which is the same file as ${path}`;
    throw new ConfigError(`the output would replace the input ${input}${alias}`, {
      where: path,
      fix: "give another name for the output",
    });
  }
  if (found === null) return;
  if (found.isDirectory()) throw new ConfigError(`${path} is a folder`, { where: path, fix: "give a file's name" });
  if (overwrite || (await isOurs(path, kind, weights))) return;
  throw new ConfigError(`${path} exists, and is no ${content} that astrochem wrote`, {
    where: path,
    fix: "give another name, or replace it with --overwrite",
  });
}

function statusOf(path: string): Stats | null {
  return existsSync(path) ? statSync(path) : null;
}

/** By the path that links lead to, and by what the disk calls it. */
function isSame(path: string, found: Stats, other: string): boolean {
  const status = statusOf(other);
  if (status === null || status.isDirectory() !== found.isDirectory()) return false;
  return (
    (status.ino !== 0 && status.dev === found.dev && status.ino === found.ino) ||
    realpathSync(path) === realpathSync(other)
  );
}

async function isOurs(path: string, kind: WrittenKind, weights: string | undefined): Promise<boolean> {
  try {
    switch (kind) {
      case "emulated":
        return await isOurFrames(path, ["emulated"]);
      case "clean":
        return await isOurFrames(path, ["train", "val", "test", "tracers"]);
      case "autoencoder":
      case "emulator": {
        const { readSafetensorsIndex } = await import("../formats/safetensors-index.ts");
        const { metadata } = readSafetensorsIndex(path);
        return metadata.kind === kind && metadata.format_version !== undefined;
      }
      case "onnx":
        return headOf(path).includes("astrochem");
      case "source":
        return headOf(path).toLowerCase().includes("astrochem");
      case "cache":
        return await isOurCache(path);
      case "comparison":
        return headOf(path).includes("astrochem-comparison");
      case "comparisonPage":
        return headOf(path).includes('content="astrochem compare"');
      case "epochs":
        return isEpochLog(path);
      case "latentRange":
        return weights !== undefined && (await isRangeOf(path, weights));
    }
  } catch (error) {
    // What cannot be read as our kind is not of it.
    if (error instanceof AstrochemError) return false;
    throw error;
  }
}

async function isOurFrames(path: string, allowed: readonly string[]): Promise<boolean> {
  const { openHdf5 } = await import("../data/hdf5.ts");
  const file = await openHdf5(path);
  try {
    const keys = file.keys();
    const frames = keys.filter((key) => key !== "tracers");
    return (
      frames.length > 0 &&
      keys.every((key) => allowed.includes(key)) &&
      frames.every((key) => file.attribute(key, "astrochem_hash") !== undefined)
    );
  } finally {
    file.close();
  }
}

async function isOurCache(path: string): Promise<boolean> {
  const { openHdf5 } = await import("../data/hdf5.ts");
  const file = await openHdf5(path);
  try {
    return file.attribute("/", "astrochem_hash") !== undefined && file.attribute("/", "astrochem_parts") !== undefined;
  } finally {
    file.close();
  }
}

/** Records without a version are of earlier versions. */
function isEpochLog(path: string): boolean {
  const records: unknown = parsedJson(path);
  const isRecord = (record: unknown): boolean =>
    typeof record === "object" && record !== null && "epoch" in record && "mean" in record;
  return Array.isArray(records) && records.length > 0 && records.every(isRecord);
}

function parsedJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}

/** An array of numbers does not say whose it is: it is ours where the weights that it was written with hold the same range. */
async function isRangeOf(path: string, weights: string): Promise<boolean> {
  const [{ readNpy }, { readAutoencoder }] = await Promise.all([
    import("../formats/npy.ts"),
    import("../models/weights-file.ts"),
  ]);
  const range = Float32Array.from(readAutoencoder(weights).latent_range ?? []);
  return range.length === 2 && Float32Array.from(readNpy(path).data, Number).join() === range.join();
}

function headOf(path: string): string {
  const descriptor = openSync(path, "r");
  try {
    const head = Buffer.alloc(4096);
    return head.subarray(0, readSync(descriptor, head, 0, head.length, 0)).toString("latin1");
  } finally {
    closeSync(descriptor);
  }
}
