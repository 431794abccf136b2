import { closeSync, existsSync, openSync, readSync, realpathSync, type Stats, statSync } from "node:fs";
import { extname, resolve } from "node:path";
import { AstrochemError, ConfigError } from "../errors.ts";
import type { OptionSpec } from "./command.ts";

/** What is written: the format that its name has to fit, and what may be replaced. */
export type WrittenKind = "emulated" | "clean" | "autoencoder" | "emulator" | "onnx" | "comparison";

/** A file that a command is about to write where its user says. */
export interface Destination {
  /** Absolute. */
  readonly path: string;
  readonly kind: WrittenKind;
  /** All that the command reads, absolute; those that are not there, and null, are passed over. */
  readonly inputs: readonly (string | null)[];
  /** Whether the user lets it replace anything that is no input. */
  readonly overwrite: boolean;
}

/** The flag of commands that write where their user says. */
export const overwriteOption: Readonly<Record<string, OptionSpec>> = {
  overwrite: { type: "boolean", describe: "replace a file there that astrochem did not write; never an input" },
};

const formats: Readonly<Record<WrittenKind, { readonly name: string; readonly suffixes: readonly string[] }>> = {
  emulated: { name: "HDF5", suffixes: [".h5", ".hdf5", ".hdf"] },
  clean: { name: "HDF5", suffixes: [".h5", ".hdf5", ".hdf"] },
  autoencoder: { name: "safetensors", suffixes: [".safetensors"] },
  emulator: { name: "safetensors", suffixes: [".safetensors"] },
  onnx: { name: "ONNX", suffixes: [".onnx"] },
  comparison: { name: "JSON", suffixes: [".json"] },
};
/** Names that promise another format; any other suffix promises nothing. */
const known = new Set([
  ...Object.values(formats).flatMap(({ suffixes }) => suffixes),
  ...[".csv", ".tsv", ".txt", ".npy", ".npz", ".yaml", ".yml", ".jsonl", ".pth", ".pt", ".pkl", ".parquet", ".html"],
  ...[".png", ".svg", ".zip", ".xlsx", ".fits", ".log"],
]);

/**
 * The one rule for what a command writes where its user says: never over an input, over a file of the same kind that astrochem wrote,
 * over anything else with `--overwrite` only, and under a name that does not promise another format.
 * @throws ConfigError
 */
export async function checkDestination({ path, kind, inputs, overwrite }: Destination): Promise<void> {
  const { name, suffixes } = formats[kind];
  const suffix = extname(path).toLowerCase();
  if (known.has(suffix) && !suffixes.includes(suffix)) {
    const fix = `give a name that ends in ${suffixes[0]}`;
    throw new ConfigError(`${path} would be written as ${name}, not as ${suffix}`, { where: path, fix });
  }
  const found = statusOf(path);
  if (found === null) return;
  const input = inputs.find((each) => each !== null && isSame(path, found, each));
  if (typeof input === "string") {
    const alias = resolve(input) === resolve(path) ? "" : `, which is the same file as ${path}`;
    throw new ConfigError(`the output would replace the input ${input}${alias}`, {
      where: path,
      fix: "give another name for the output",
    });
  }
  if (found.isDirectory()) throw new ConfigError(`${path} is a folder`, { where: path, fix: "give a file's name" });
  if (overwrite || (await isOurs(path, kind))) return;
  throw new ConfigError(`${path} exists, and is no ${described[kind]} that astrochem wrote`, {
    where: path,
    fix: "give another name, or replace it with --overwrite",
  });
}

const described: Readonly<Record<WrittenKind, string>> = {
  emulated: "emulation",
  clean: "clean dataset",
  autoencoder: "autoencoder",
  emulator: "emulator",
  onnx: "ONNX file",
  comparison: "comparison",
};

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

async function isOurs(path: string, kind: WrittenKind): Promise<boolean> {
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
      case "comparison":
        return headOf(path).includes("astrochem-comparison");
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

function headOf(path: string): string {
  const descriptor = openSync(path, "r");
  try {
    const head = Buffer.alloc(4096);
    return head.subarray(0, readSync(descriptor, head, 0, head.length, 0)).toString("latin1");
  } finally {
    closeSync(descriptor);
  }
}
