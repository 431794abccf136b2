import { closeSync, openSync, readSync, statSync } from "node:fs";
import { describeNames } from "../../chemistry/element-table.ts";
import { readSpeciesList } from "../../chemistry/species.ts";
import { detectFile, hasColumnNames, isPacked, readHead, textLayout } from "../../data/files/detect-file.ts";
import type { Detected } from "../../data/files/detected.ts";
import { firstLine } from "../../data/read-messages.ts";
import { AstrochemError, DataError } from "../../errors.ts";
import { hdf5Signature, npySignature } from "../../formats/signatures.ts";
import { summarizeSpecies } from "./column-roles.ts";
import { inspectArray } from "./inspect-array.ts";
import { inspectFolder, inspectJson, inspectJsonLines, inspectYaml } from "./inspect-run.ts";
import type { Inspection } from "./inspection.ts";
import { problemOf } from "./problem-of.ts";
import type { InspectionOptions } from "./settings.ts";

/**
 * Says what a file or folder holds, by its content and not by its name. Values are read in blocks: memory does not grow with the
 * file but for 12 bytes a row, up to 200 MB.
 * @throws AstrochemError for everything that it cannot make sense of
 */
export async function inspectFile(path: string, options: InspectionOptions): Promise<Inspection> {
  try {
    return await inspectKind(path, options);
  } catch (error) {
    if (error instanceof AstrochemError || !isReadersFailure(error)) throw error;
    throw new DataError(`the file cannot be read: ${firstLine(error)}`, {
      where: path,
      fix: "it is damaged, or needs more memory than there is: copy or make it again",
      cause: error,
    });
  }
}

async function inspectKind(path: string, options: InspectionOptions): Promise<Inspection> {
  const { isFolder, bytes, head } = look(path);
  const { whileBlocking = (action) => action() } = options;
  if (isFolder) return inspectFolder(path);
  if (options.key !== undefined && !isHdf5(path, head)) {
    throw new DataError("--key is for HDF5 files, and this is none", { where: path, fix: "leave it out" });
  }
  // A header of thousands of species is longer than the head.
  const isText =
    textLayout(/^\s*[{[]/.test(head.toString("latin1", 0, 64)) ? head : readHead(path).head, bytes) !== null;
  const detected = isHdf5(path, head) || isText || isPacked(head) ? await detectFile(path).catch(damaged) : null;
  if (detected !== null && isTable(detected)) {
    if (detected.fix !== null) throw new DataError(`${detected.what}: ${path}`, { where: path, fix: detected.fix });
    return (await import("./inspect-hdf5.ts")).inspectTable(detected, options);
  }
  if (isHdf5(path, head)) return (await import("./inspect-hdf5.ts")).inspectHdf5(path, bytes, options);
  if (head.subarray(0, 6).equals(npySignature) || path.endsWith(".npy"))
    return whileBlocking(() => ({ ...inspectArray(path, bytes, options.isQuick), has_names: hasColumnNames(path) }));
  if (path.endsWith(".onnx")) {
    const { inspectOnnx } = await import("./inspect-onnx.ts");
    return whileBlocking(() => inspectOnnx(path, bytes, options));
  }
  if (isZip(head) && path.endsWith(".npz")) {
    throw new DataError(`an archive of arrays (.npz), which is not read: ${path}`, {
      where: path,
      fix: "save its arrays one by one in Python: numpy.save(NAME + '.npy', numpy.load(FILE)[NAME])",
    });
  }
  const { inspectPth, inspectSafetensors } = await import("./inspect-weights.ts");
  if (isZip(head) || /\.(pth|pt|ckpt|bin)$/.test(path)) return whileBlocking(() => inspectPth(path, bytes));
  if (isSafetensors(head) || path.endsWith(".safetensors"))
    return whileBlocking(() => inspectSafetensors(path, bytes, options));
  return inspectText(path, bytes, head, options);
}

function inspectText(path: string, bytes: number, head: Buffer, { settings }: InspectionOptions): Inspection {
  const start = head.toString("latin1").trimStart();
  if (path.endsWith(".log")) {
    throw new DataError(`a log, to be read as it is: ${path}`, { fix: "give the folder of the run for a summary" });
  }
  if (path.endsWith(".jsonl")) return inspectJsonLines(path, bytes);
  if (path.endsWith(".json") || /^[{[]\s*["{[\]}\d]/.test(start)) return inspectJson(path, bytes);
  if (/\.ya?ml$/.test(path)) return inspectYaml(path, bytes);
  if (path.endsWith(".txt") && bytes < 2 ** 20) {
    const { naming, allowsNoFormula } = settings;
    const names = readSpeciesList(path);
    const { refusal, notes } = describeNames(names, { naming, allowsNoFormula, where: path });
    return {
      kind: "species",
      path,
      bytes,
      species: summarizeSpecies(names, settings.species, naming),
      problems: refusal === null ? [] : [problemOf(refusal)],
      doubts: notes,
    };
  }
  throw unknownKind(path);
}

function unknownKind(path: string): DataError {
  return new DataError(`no kind of file that is known here: ${path}`, {
    where: path,
    fix: "give a HDF5 file, a table of text, weights (.safetensors, .pth, .onnx), an array (.npy), a run's folder, or one of its files",
  });
}

/** Of a damaged file as much is told as can be read. */
function damaged(error: unknown): null {
  if (error instanceof AstrochemError) return null;
  throw error;
}

/** Histories that are no pandas frame: read, or told how to make one. */
function isTable({ kind }: Detected): boolean {
  return ["uclchem-text", "uclchem-hdf5", "table", "headerless", "codes", "packed"].includes(kind);
}

/** With a user block before it the signature is not at the start: then the name tells. */
function isHdf5(path: string, head: Buffer): boolean {
  return head.subarray(0, 8).equals(hdf5Signature) || /\.(h5|hdf5?|hdf)$/i.test(path);
}

function isZip(head: Buffer): boolean {
  return head[0] === 0x50 && head[1] === 0x4b && head[2] === 3 && head[3] === 4;
}

function isSafetensors(head: Buffer): boolean {
  return head.length > 9 && head[8] === 0x7b && head.readUInt32LE(4) === 0;
}

function look(path: string): { isFolder: boolean; bytes: number; head: Buffer } {
  try {
    const status = statSync(path);
    if (status.isDirectory()) return { isFolder: true, bytes: 0, head: Buffer.alloc(0) };
    // Reading a pipe or a device might never end.
    if (!status.isFile()) throw new DataError(`neither a file nor a folder: ${path}`, { fix: "give a file's path" });
    if (status.size === 0) throw new DataError(`the file is empty: ${path}`, { fix: "make or copy it again" });
    return { isFolder: false, bytes: status.size, head: headOf(path) };
  } catch (error) {
    if (error instanceof DataError) throw error;
    const isAbsent = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new DataError(isAbsent ? `there is no such file: ${path}` : `cannot read ${path}: ${firstLine(error)}`, {
      fix: isAbsent ? "check the path" : "check its permissions",
      cause: error,
    });
  }
}

function headOf(path: string): Buffer {
  const descriptor = openSync(path, "r");
  try {
    const head = Buffer.alloc(2 ** 16);
    return head.subarray(0, readSync(descriptor, head, 0, head.length, 0));
  } finally {
    closeSync(descriptor);
  }
}

/** What the libraries below throw over a damaged file: traps of WebAssembly, sizes beyond every array, errors of the system. */
function isReadersFailure(error: unknown): boolean {
  if (error instanceof RangeError || error instanceof WebAssembly.RuntimeError) return true;
  return typeof (error as NodeJS.ErrnoException).code === "string" && "syscall" in (error as object);
}
