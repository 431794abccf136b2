import { basename } from "node:path";
import { DataError } from "../../errors.ts";
import { type Frame, openFrame } from "../frame.ts";
import { openHdf5 } from "../hdf5.ts";
import { type Cut, CutPart } from "./cut-part.ts";
import { detectFile, isFrameFile } from "./detect-file.ts";
import type { Detected } from "./detected.ts";
import { FramePart } from "./frame-part.ts";
import { JoinedFrame, sharedId } from "./joined-frame.ts";
import { frameLines, modelLines, textLines } from "./pandas-lines.ts";
import type { TablePart } from "./table-part.ts";
import { readTextPart } from "./text-part.ts";
import { ModelPart, uclchemModels } from "./uclchem-hdf5.ts";

/** How an input is opened. */
export interface OpenOptions {
  /** Of pandas frames, or of a model; models are all read where none is called so. */
  readonly key: string;
  /** What the files call the column of tracers, where a dataset says so. */
  readonly tracer?: string | undefined;
  /** Told what was read under another name, and which tracer is which file, in lines. */
  readonly log?: (message: string) => void;
  /** Gives the rows of a file in place of the file itself: shards. */
  readonly partsOf?: ((file: Detected) => readonly TablePart[]) | undefined;
  /** Which part of each file is read, as a shard; null: whole files. */
  readonly cut?: Cut | null | undefined;
}

/**
 * Opens what histories come in as a frame with `Tracer` and `Time`, whatever its form: a pandas frame; tables of text and models of
 * UCLCHEM 4. Several files are one frame; those of a single history are a tracer each.
 * @param paths as `expandInputs` gives them
 * @throws DataError where a file is missing, damaged or of no form that is read: with what makes one of it
 */
export async function openInput(paths: readonly string[], options: OpenOptions): Promise<Frame> {
  const [path] = paths;
  if (path === undefined) throw new DataError("no file was given", { fix: "give a file's path" });
  if (paths.length === 1 && !options.partsOf && isFrameFile(await detectFile(path)))
    return openFrame(path, options.key);
  return openJoined(paths, options);
}

/**
 * The same of files that are several, or some of several.
 * @param areSome whether more files belong to them that are read elsewhere
 */
export async function openJoined(
  paths: readonly string[],
  options: OpenOptions,
  areSome = false,
): Promise<JoinedFrame> {
  const { key, log = () => {} } = options;
  const files: Detected[] = [];
  for (const path of paths) files.push(await detectFile(path));
  const first = files[0]!;
  const parts: TablePart[] = [];
  const notes = new Map<string, string[]>();
  try {
    for (const file of files) {
      if (isFrameFile(file) !== isFrameFile(first)) throw unlikeFiles(first.path, file.path);
      for (const part of options.partsOf?.(file) ?? (await partsOf(file, options, notes))) parts.push(part);
    }
    for (const [note, those] of notes)
      log(those.length === 1 ? `${those[0]}: ${note}` : `${those.length} files: ${note}`);
    if (parts.length > 1 || (notes.size === 0 && first.kind === "uclchem-hdf5"))
      log(describeParts(files.length, parts));
    const shared = sharedId(parts);
    if (shared !== undefined) log(`tracers are numbered from 0: ${shared} is an id in two files (${numbering(parts)})`);
    const uneven = unevenColumns(parts);
    if (uneven.length > 0) log(`warning: ${uneven.length} columns are not in all files, such as ${uneven[0]}`);
    return new JoinedFrame(parts, linesOf(files, parts, key), areSome);
  } catch (error) {
    for (const part of parts) part.close();
    throw error;
  }
}

async function partsOf(
  file: Detected,
  { key, tracer, cut }: OpenOptions,
  notes: Map<string, string[]>,
): Promise<TablePart[]> {
  const { path, kind, layout, what, fix } = file;
  if (isFrameFile(file)) {
    const part = new FramePart(await openFrame(path, key), tracer);
    return [cut ? new CutPart(part, cut) : part];
  }
  if (kind === "uclchem-hdf5") {
    const opened = await openHdf5(path);
    const models = uclchemModels(opened);
    const chosen = models.filter(({ name }) => name === key);
    return (chosen.length > 0 ? chosen : models).map((model) => new ModelPart(path, model, () => opened.close()));
  }
  if (layout === undefined || fix !== null)
    throw new DataError(`${what}: ${path}`, { where: path, fix: fix ?? undefined });
  const part = await readTextPart(path, layout, tracer);
  for (const note of part.notes) notes.set(note, [...(notes.get(note) ?? []), path]);
  return [part];
}

/** Columns that some part lacks, each with the file: `CO (not in run2.dat)`. */
function unevenColumns(parts: readonly TablePart[]): string[] {
  const sets = parts.map(({ columns }) => new Set(columns));
  const all = new Set(parts.flatMap(({ columns }) => columns));
  return [...all].flatMap((name) => {
    const lacking = sets.findIndex((set) => !set.has(name));
    return lacking < 0 || name === "Tracer" ? [] : `${name} (not in ${basename(parts[lacking]!.path)})`;
  });
}

function describeParts(files: number, parts: readonly TablePart[]): string {
  const tracers = parts.flatMap(({ path, tracers }) =>
    tracers.map((name) => (files === 1 ? name : [basename(path), name].filter((word) => word !== "").join(" "))),
  );
  const from = files === 1 ? parts[0]!.path : `${files} files`;
  const shown = tracers.length <= 4 ? tracers : [...tracers.slice(0, 2), "…", tracers.at(-1)!];
  return `${from}: ${tracers.length} tracer${tracers.length === 1 ? "" : "s"}, in this order: ${shown.join(", ")}`;
}

/** `a.h5: 0 to 52, b.h5: 53 to 79`. */
function numbering(parts: readonly TablePart[]): string {
  let next = 0;
  const ranges = parts.map(({ path, tracers }) => {
    const first = next;
    next += tracers.length;
    return `${basename(path)}: ${first}${next - first > 1 ? ` to ${next - 1}` : ""}`;
  });
  return ranges.length <= 4 ? ranges.join(", ") : `${ranges.slice(0, 2).join(", ")}, …, ${ranges.at(-1)!}`;
}

function linesOf(files: readonly Detected[], parts: readonly TablePart[], key: string): readonly string[] {
  const texts = files.filter(({ layout }) => layout !== undefined);
  const paths = files.map(({ path }) => path);
  if (isFrameFile(files[0]!)) return frameLines(paths, key, parts[0]!.taken?.get("Model")?.source ?? "Tracer");
  if (texts.length === 0) return modelLines(paths);
  const several = parts.find(({ tracers, columns }) => tracers.length > 1 && !columns.includes("Tracer"));
  const words = [...new Set(parts.flatMap((part) => [...part.texts.keys()]))];
  return textLines(
    paths,
    texts.map(({ layout }) => layout!),
    { texts: words, splitBy: several?.splitBy ?? null },
  );
}

function unlikeFiles(first: string, other: string): DataError {
  return new DataError(`pandas frames and tables are not joined: ${basename(first)}, ${basename(other)}`, {
    where: other,
    fix: "give files of one kind, or make frames of all of them: frame.to_hdf(…)",
  });
}
