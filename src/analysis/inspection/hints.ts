import { basename, dirname, join } from "node:path";
import { boundOf, hasRole, scaleOf, timestepColumn } from "../../chemistry/physical-parameters.ts";
import { counted } from "../../counted.ts";
import { roundedOutwards } from "../../data/column-range.ts";
import { isOneStep, years } from "../../data/time-steps.ts";
import { sameButForCase } from "../../errors.ts";
import type {
  ArrayInspection,
  DataInspection,
  FrameInspection,
  Inspection,
  PhysicalColumn,
  RunInspection,
  WeightsInspection,
} from "./inspection.ts";
import type { InspectionSettings } from "./settings.ts";
import { shellWord } from "./shell-word.ts";

/** What to do next: in words, and where there is one, the command. */
export interface Hint {
  readonly text: string;
  readonly command: string | null;
}

/** What hints are made from beside the inspection. */
export interface HintContext {
  readonly settings: InspectionSettings;
  /** As given on the command line, to stand in the commands. */
  readonly overrides: readonly string[];
  /** How the user wrote the path. */
  readonly path: string;
}

/** What to do next with an inspected file, the most pressing first. */
export function hintsFor(inspection: Inspection, context: HintContext): Hint[] {
  const file = shellWord(context.path);
  switch (inspection.kind) {
    case "data":
      return dataHints(inspection, context);
    case "weights":
      return weightsHints(inspection, context.path);
    case "tensors":
      return tensorsHints(inspection.looks_like, inspection.format, file);
    case "array":
      return arrayHints(inspection, context);
    case "run":
      return runHints(inspection, context);
    case "cache":
      return [note("trainings make and find their caches by themselves; delete it to have it made again")];
    case "hdf5":
      return [note('no pandas frame in it: write one in Python with DataFrame.to_hdf(path, key="df")')];
    case "species":
      return [note(`to use it as the species list of a dataset: dataset.species_path=${file}`)];
    case "folder":
      return inspection.files
        .filter(({ name }) => /(_clean\.h5|\.safetensors|\.pth|summary\.json)$/.test(name))
        .slice(0, 1)
        .map(({ name }) => ({
          text: "look at the files or run folders in it, such as",
          command: `astrochem inspect ${shellWord(join(context.path, name.replace(/\/summary\.json$/, "")))}`,
        }));
    case "epochs":
    case "document":
    case "onnx":
      return [];
  }
}

function dataHints(data: DataInspection, context: HintContext): Hint[] {
  const hints = data.frames.flatMap((frame) => frameHints(frame, context));
  if (data.shared_tracers !== null && data.shared_tracers > 0) {
    hints.push(
      note(
        `${counted(data.shared_tracers, "tracer")} in more than one of /train, /val and /test: the errors there will look too good`,
      ),
    );
  }
  const ranges = rangeOverrides(data.frames, context.settings);
  if (ranges.length > 0) {
    hints.push(
      note(`values lie beyond the ranges that are scaled to 0 and 1; to cover them, add the settings to the commands`),
    );
  }
  const overrides = [...context.overrides, ...ranges, ...stepOverride(data.frames, context)];
  const isEmpty = !data.frames.some(({ form, rows }) => form === data.form && rows > 0);
  const isStopped = data.frames.some(({ form, problems }) => form === data.form && problems.length > 0);
  if (data.form === "raw" && !isEmpty && !isStopped) hints.push(preprocessHint(data, overrides, context));
  if (data.form === "clean" && !isEmpty && !isStopped) {
    hints.push(...cleanHints(data, overrides, context));
  }
  return uniqueHints(hints);
}

/** Training on what there is to train on, and testing on what there is to test. */
function cleanHints({ frames }: DataInspection, overrides: readonly string[], context: HintContext): Hint[] {
  const has = (key: string): boolean => frames.some((frame) => frame.key === key && frame.rows > 0);
  const words = [...overrides, `dataset.dataset_path=${context.path}`];
  const window = windowOf(frames, context.settings);
  const test = { text: "score a surrogate on its test tracers, which chose nothing" };
  return [
    ...(has("train")
      ? [
          { text: "train on it", command: command("train-autoencoder", words) },
          { text: "then", command: command("train-emulator", [...words, ...window]) },
        ]
      : []),
    ...(has("test") && has("train") ? [{ ...test, command: command("evaluate", [...words, "split=test"]) }] : []),
    ...(has("test") && !has("train")
      ? [{ ...test, command: command("evaluate", [...overrides, "split=test", `test_path=${context.path}`]) }]
      : []),
  ];
}

function preprocessHint(data: DataInspection, overrides: readonly string[], context: HintContext): Hint {
  const { key } = data.frames.find(({ form, rows }) => form === "raw" && rows > 0)!;
  const words = [
    ...overrides,
    `dataset.preprocessing.input_path=${context.path}`,
    ...(key === context.settings.inputKey || key === "" ? [] : [`dataset.preprocessing.input_key=${key}`]),
    `dataset.dataset_path=${cleanPath(context.path)}`,
  ];
  return { text: "make the clean dataset", command: command("preprocess", words) };
}

function frameHints(frame: FrameInspection, { settings }: HintContext): Hint[] {
  if (frame.form === "other") return foreignHints(frame);
  if (frame.rows === 0) return [note(`${frame.key}: it has no rows`)];
  const { tracers, values, species, key } = frame;
  const texts: (string | false)[] = [
    ...frame.problems,
    ...frame.doubts,
    frame.repeated_columns.length > 0 &&
      `columns that become one when renamed (${listed(frame.repeated_columns)}): name one of each under dataset.preprocessing.columns_to_drop`,
    frame.missing_physical.length > 0 &&
      `conditions that the configuration asks for are not there: ${listed(withSuggestions(frame.missing_physical, frame.columns))} (set dataset.phys, or add them)`,
    species.missing.length > 0 &&
      `${species.missing.length} species of the list are not there${suggestions(species.missing, frame.columns)}: write a list of the file's own, one name a line, and set dataset.species_path, dataset.initial_abundances_path and dataset.stoichiometric_matrix_path=null`,
    values !== null &&
      values.nan + values.infinite + values.negative > 0 &&
      `abundances that are NaN, infinite or negative stop ${frame.form === "raw" ? "the preprocessing" : "a training"}: repair or remove their rows`,
    frame.physical.some((column) => isBad(column, settings)) &&
      "conditions that are NaN, infinite or below 0 cannot be scaled: repair or remove their rows",
    areUneven(frame) &&
      !settings.phys.includes(timestepColumn) &&
      `rows are ${years(tracers!.spacing!.min)} to ${years(tracers!.spacing!.max)} apart, not one step: resample them, or let the emulator take the step as an input (dataset.time_step=input)`,
    tracers !== null &&
      tracers.rows_without_id > 0 &&
      `${counted(tracers.rows_without_id, "row")} without a tracer's id: give each one`,
    tracers !== null &&
      tracers.duplicate_rows > 0 &&
      `${counted(tracers.duplicate_rows, "row")} with the tracer and the time of another row: remove one of each, or give the tracers different ids`,
  ];
  return texts.filter((text) => text !== false).map((text) => note(key === "" ? text : `${key}: ${text}`));
}

/** An emulator takes one row for one step, unless the step is one of its inputs. */
function areUneven({ tracers }: FrameInspection): boolean {
  if (tracers === null || tracers.spacing === null || tracers.time === null) return false;
  const { min, median, max } = tracers.spacing;
  return !isOneStep(min, median, tracers.time.max) || !isOneStep(max, median, tracers.time.max);
}

function stepOverride(frames: readonly FrameInspection[], { settings, overrides }: HintContext): string[] {
  const isTold = settings.phys.includes(timestepColumn) || overrides.some((each) => each.includes("uneven_steps"));
  return isTold || !frames.some(areUneven) ? [] : ["dataset.time_step=input"];
}

/** Abundances without tracers and times are nearly raw data. */
function foreignHints({ key, species, columns }: FrameInspection): Hint[] {
  if (species.count === 0) return [];
  const absent = ["Tracer", "Time"].filter((name) => !columns.includes(name));
  return [
    note(
      `${key}: it would be raw data with columns named ${withSuggestions(absent, columns).join(" and ")}: rename the file's own, or add them`,
    ),
  ];
}

/** `Av (is it av?)` where a column has the same name but for case. */
function withSuggestions(names: readonly string[], columns: readonly string[]): string[] {
  return names.map((name) => {
    const same = sameButForCase(name, columns);
    return same === undefined ? name : `${name} (is it ${same.trim()}?)`;
  });
}

/** Those of many names alone that have a suggestion. */
function suggestions(names: readonly string[], columns: readonly string[]): string {
  const found = withSuggestions(names, columns).filter((text) => text.endsWith("?)"));
  return found.length === 0 ? "" : ` (${listed(found)})`;
}

/** The windows of an emulator must fit into the tracers of either split. */
function windowOf(frames: readonly FrameInspection[], { window }: InspectionSettings): string[] {
  const longest = frames.flatMap(({ tracers }) => (tracers === null ? [] : [tracers.rows.max]));
  const most = Math.min(...longest);
  return longest.length > 0 && most < window && most > 1 ? [`model.window_size=${most}`] : [];
}

function isBad({ nan, infinite, negative, name }: PhysicalColumn, { phys }: InspectionSettings): boolean {
  // A negative radiation field is raised to its minimum; a linear scale has negative values.
  const isFree = hasRole(name, "radfield") || boundOf(scaleOf(name)) < 0;
  return phys.includes(name) && nan + infinite + (isFree ? 0 : negative) > 0;
}

/** The settings that would cover the data, rounded outwards to three digits. */
function rangeOverrides(frames: readonly FrameInspection[], settings: InspectionSettings): string[] {
  return settings.phys.flatMap((name) => {
    const range = settings.ranges[name];
    const columns = frames.flatMap(({ physical }) => physical.filter((column) => column.name === name));
    if (range === undefined || !columns.some(({ below, above }) => below + above > 0)) return [];
    const isFree = boundOf(scaleOf(name)) < 0;
    const least = columns.map(({ min, smallest_positive }) => (isFree ? min : smallest_positive) ?? range[0]);
    const smallest = Math.min(...least);
    const largest = Math.max(...columns.map(({ max }) => max ?? range[1]));
    // Preprocessing raises the radiation field to its minimum.
    const low = hasRole(name, "radfield") ? Math.max(smallest, settings.minRadfield) : smallest;
    const lower = low < range[0] ? roundedOutwards(low, Math.floor) : range[0];
    const upper = largest > range[1] ? roundedOutwards(largest, Math.ceil) : range[1];
    if (lower === range[0] && upper === range[1]) return [];
    return [`dataset.physical_parameter_ranges.${name}=[${lower},${upper}]`];
  });
}

function weightsHints({ model_kind, autoencoder, metadata }: WeightsInspection, path: string): Hint[] {
  const file = shellWord(path);
  if (model_kind === "autoencoder") {
    const isUnfinished = metadata.latent_range === null;
    return [
      ...(isUnfinished ? [note("it holds no latent range: the training that wrote it did not end; train again")] : []),
      {
        text: "train an emulator through it",
        command: `astrochem train-emulator autoencoder.pretrained_model_path=${file}`,
      },
    ];
  }
  // A folder is enough for the usual name.
  const place = basename(path) === "emulator.safetensors" ? shellWord(dirname(path)) : file;
  const weights = autoencoder === null ? `--autoencoder FILE --emulator ${file}` : `--weights ${place}`;
  const missing =
    autoencoder === null ? [note("the autoencoder that it was trained with is not beside it: find it")] : [];
  return [...missing, emulateHint(weights)];
}

function emulateHint(weights: string): Hint {
  return { text: "emulate histories with it", command: `astrochem emulate HISTORIES.h5 ${weights}` };
}

function tensorsHints(model: "autoencoder" | "emulator" | null, format: string, file: string): Hint[] {
  if (model === null) return [note("these are not the arrays of an autoencoder or emulator that is known here")];
  if (format === "safetensors")
    return [note(`the arrays are an ${model}'s, but nothing says for which species and ranges`)];
  const minmax = model === "autoencoder" ? " --latents-minmax latents_minmax.npy" : "";
  return [{ text: "bring it in", command: `astrochem import-weights --${model} ${file}${minmax}` }];
}

function arrayHints({ shape, has_names }: ArrayInspection, { settings, path }: HintContext): Hint[] {
  const [phys, species, file] = [settings.phys.length, settings.species.length, shellWord(path)];
  if (has_names) {
    const text = "columns.json beside it names its columns: to see the lines that make a frame of both";
    return [{ text, command: `astrochem emulate ${file}` }];
  }
  if (shape.length === 3 && shape[2] === phys) {
    const command = `astrochem emulate --physical ${file} --abundances START.npy`;
    return [{ text: `histories [b, t, ${phys}]: emulate them`, command }];
  }
  if (shape.length === 2 && shape[1] === species) {
    const command = `astrochem emulate --physical HISTORIES.npy --abundances ${file}`;
    return [{ text: `abundances [b, ${species}]: start from them`, command }];
  }
  if (shape.length === 1 && shape[0] === species)
    return [note(`initial abundances: dataset.initial_abundances_path=${file}`)];
  return [];
}

function runHints({ outcome, path, command: name, overrides }: RunInspection, context: HintContext): Hint[] {
  if (outcome === "completed" && name === "train-emulator")
    return [emulateHint(`--weights ${shellWord(context.path)}`)];
  if (outcome === "completed" || name === null) return [];
  const again = { text: "run it again", command: command(name, overrides) };
  return [
    note(`it did not complete: ${shellWord(`${context.path.replace(/\/$/, "")}/run.log`)} says why`),
    again,
  ].slice(0, path === "" ? 1 : 2);
}

/** `runs/big.h5` → `outputs/temp_data/big_clean.h5`, where the datasets of the package put theirs. */
function cleanPath(path: string): string {
  const name = path
    .split(/[\\/]/)
    .at(-1)!
    .replace(/\.\w+$/, "");
  return `outputs/temp_data/${name}_clean.h5`;
}

function command(name: string, words: readonly string[]): string {
  return ["astrochem", name, ...words.map(shellWord)].join(" ");
}

function note(text: string): Hint {
  return { text, command: null };
}

function listed(names: readonly string[]): string {
  return names.length <= 5 ? names.join(", ") : `${names.slice(0, 5).join(", ")} and ${names.length - 5} more`;
}

function uniqueHints(hints: readonly Hint[]): Hint[] {
  return hints.filter(
    ({ text, command }, i) => hints.findIndex((other) => other.text === text && other.command === command) === i,
  );
}
