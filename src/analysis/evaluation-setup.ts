import { hasRole } from "../chemistry/physical-parameters.ts";
import { PhysicalScaling } from "../chemistry/scaling.ts";
import type { CleanData, CleanSplit } from "../data/clean-data.ts";
import { splitWords } from "../data/splits.ts";
import { DataError } from "../errors.ts";
import type { Inference } from "../inference/inference.ts";
import { trainedRanges } from "../inference/training-facts.ts";
import { errorScale } from "./error-scale.ts";
import type { FileReference } from "./evaluation-types.ts";
import { EvenChoice } from "./even-choice.ts";
import type { ConditionAxis, PlaneAxes } from "./failure-maps.ts";
import { ScoredPart } from "./scored-part.ts";
import { type Columns, longest, spread, type TracerPlace, TracerReader, tracerPlaces } from "./tracer-blocks.ts";
import { TrainingErrors } from "./training-check.ts";
import { chooseWindows } from "./window-choice.ts";

/** True abundances above count as present. */
export const floor = 1e-12;
/** Training tracers that are emulated, to compare with the validation tracers. */
const emulatedTraining = 16;

/** What is evaluated, and how. */
export interface EvaluationRequest {
  readonly surrogate: Inference;
  readonly clean: CleanData;
  /** Tracers to score instead of the validation tracers. */
  readonly test?: CleanSplit | null;
  /** Physical parameters of the data, for a surrogate without emulator. */
  readonly physical: readonly string[];
  readonly physicalRanges: Readonly<Record<string, readonly [number, number]>>;
  /** Species shown in figures in any case. */
  readonly chosen: readonly string[];
  /** Tracers to score at most, spread evenly over the ids; null for all. */
  readonly maxTracers: number | null;
  /** Rows at most that are scored, and as many of windows, spread evenly over tracers and steps; null for all. */
  readonly maxRows: number | null;
  /** Windows at most; null for all. */
  readonly maxWindows: number | null;
  readonly seed: number;
  /** Emulated rows have the totals of the elements and the charge of their start. Default: true. */
  readonly conserve?: boolean | undefined;
  /** Refuse conditions outside the trained ranges, instead of telling them. */
  readonly strict?: boolean | undefined;
  readonly files: { readonly autoencoder: FileReference; readonly emulator: FileReference | null };
  readonly version: string;
}

/** The effects of an evaluation. */
export interface EvaluationTools {
  readonly log: (message: string) => void;
  readonly signal: AbortSignal;
  readonly now: () => Date;
}

export type Setup = ReturnType<typeof prepare>;

/** What is evaluated of which rows: the same whoever looks at them. @throws DataError where nothing can be predicted */
export function prepare(request: EvaluationRequest, tools: EvaluationTools) {
  const { surrogate, clean, seed } = request;
  const emulated = surrogate.physicalParameters;
  const names = emulated.length > 0 ? emulated.map(({ name }) => name) : request.physical;
  const ranges = { ...request.physicalRanges, ...Object.fromEntries(emulated.map(({ name, range }) => [name, range])) };
  const columns: Columns = { species: surrogate.species, physical: names, clipping: surrogate.abundancesClipping };
  const training = tracerPlaces(clean.train);
  const split: "val" | "test" = request.test ? "test" : "val";
  const scored = request.test?.frame ?? clean.val;
  const usable = tracerPlaces(scored).filter(({ rows }) => rows > 1);
  if (usable.length === 0) {
    throw new DataError(`no ${splitWords[split]} tracer has a second row: there is nothing to predict`, {
      where: `${scored.path}, key ${split}`,
      fix: "preprocess again with longer tracers, or a smaller train_split",
    });
  }
  const validation = spread(usable, request.maxTracers);
  const longestRows = Math.max(longest(training), longest(validation));
  const windows =
    surrogate.windowSize === null ? null : chooseWindows(validation, surrogate.windowSize, request.maxWindows, seed);
  const chosenSteps = <List>(counts: readonly (readonly [List, number])[]) =>
    new EvenChoice(counts, request.maxRows, seed, "scored rows");
  // Half as many: they are there to be compared with the validation rows.
  const trainingRows = request.maxRows === null ? null : Math.ceil(request.maxRows / 2);
  const windowSteps = (surrogate.windowSize ?? 1) - 1;
  const scale = errorScale(surrogate.species, columns.clipping, floor, surrogate.elementTable);
  const conserve = request.conserve ?? true;
  return {
    request,
    tools,
    surrogate,
    conserve,
    choice: chosenSteps(validation.map((place) => [place, place.rows - 1])),
    trainingErrors: new TrainingErrors({
      surrogate,
      conserve,
      choice: new EvenChoice(
        training.map((place) => [place, place.rows - 1] as const),
        trainingRows,
        seed,
        "training rows",
      ),
      emulated: new Set(spread(training, emulatedTraining)),
      log10_lower: scale.log10_lower,
      log10_upper: scale.log10_upper,
    }),
    windowChoice: chosenSteps(Array.from({ length: windows?.evaluated ?? 0 }, (_, index) => [index, windowSteps])),
    split,
    scored,
    reader: new TracerReader(scored, columns, true),
    trainingReader: new TracerReader(clean.train, columns),
    training,
    validation,
    longestRows,
    scale,
    physical: new PhysicalScaling(names, ranges),
    ...conditionAxes(names, ranges),
    windows: windows !== null && windows.evaluated > 0 ? windows : null,
    checkpoint: async (): Promise<void> => {
      // Lets a signal be heard between two blocks.
      await new Promise((resolve) => setImmediate(resolve));
      tools.signal.throwIfAborted();
    },
  };
}

/** The logarithmic axis of each parameter that has one, and of the plane of density and temperature where there are both. */
function conditionAxes(
  names: readonly string[],
  ranges: Readonly<Record<string, readonly [number, number]>>,
): { conditions: readonly ConditionAxis[]; axes: PlaneAxes | null } {
  const conditions = names.flatMap((name, column) => {
    const [low, high] = (ranges[name] ?? [1, 10]).map(Math.log10) as [number, number];
    return Number.isFinite(low) ? [{ name, column, low, high }] : [];
  });
  const [density, temperature] = (["density", "gas_temperature"] as const).map((role) =>
    conditions.find(({ name }) => hasRole(name, role)),
  );
  return { conditions, axes: density && temperature ? { density, temperature } : null };
}

/** Tells which conditions are outside the trained ranges, or refuses them: before anything is computed. */
export async function checkConditions(
  { request, tools, surrogate, scored, checkpoint }: Setup,
  tracers: readonly TracerPlace[],
): Promise<void> {
  const names = surrogate.physicalParameters.map(({ name }) => name);
  if (names.length === 0) return;
  const ranges = trainedRanges(surrogate);
  for (const { id, start, rows } of tracers) {
    // The last row's conditions lead nowhere.
    const physical = new Float32Array((rows - 1) * names.length);
    scored.read(start, rows - 1, names, physical);
    for (let row = 0; row < rows - 1; row++) {
      ranges.add(physical, row * names.length, () => `tracer ${id}, row ${row}`);
    }
    await checkpoint();
  }
  ranges.tell(tools.log, request.strict === true, `${scored.path}, key ${scored.key}`);
}

/** The tracers that are scored. */
export function scoredPart(setup: Setup): ScoredPart {
  return new ScoredPart({ ...setup, now: () => setup.tools.now().getTime() }, setup.validation);
}
