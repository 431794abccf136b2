import type { Inference } from "../inference/inference.ts";
import { CovarianceSums, PrincipalComponents } from "./principal-components.ts";
import type { SpeciesCurves, SpeciesReason, SpeciesSeries, TracerSample } from "./sample-types.ts";
import {
  decodeKept,
  decodeRows,
  encodeRows,
  rolloutLatents,
  startsByRow,
  startsOf,
  stateWidth,
  wholeTracers,
} from "./surrogate-predictions.ts";
import type { TracerPlace, TracerReader } from "./tracer-blocks.ts";

/** Species shown of each tracer, besides those asked for. */
const [variableSpecies, worstSpecies] = [12, 8];
/** Rows over which a species' variability is taken, as the original package does. */
const rollingRows = 3;

/** A tracer to show, and why. */
export interface ShownTracer {
  readonly place: TracerPlace;
  readonly reason: TracerSample["reason"];
  readonly mean_dex: number;
}

/** The best, the median and the worst; fewer where there are fewer. */
export function shownTracers(
  tracers: readonly { readonly place: TracerPlace; readonly mean_dex: number }[],
): ShownTracer[] {
  const sorted = tracers.toSorted((a, b) => a.mean_dex - b.mean_dex);
  const chosen: [number, TracerSample["reason"]][] = [
    [0, "best"],
    [sorted.length >> 1, "median"],
    [sorted.length - 1, "worst"],
  ];
  const seen = new Set<number>();
  return chosen.flatMap(([at, reason]) => {
    if (sorted.length === 0 || seen.has(at)) return [];
    seen.add(at);
    return [{ ...sorted[at]!, reason }];
  });
}

interface SampleOptions {
  readonly surrogate: Inference;
  /** Emulated rows have the totals of their start. */
  readonly conserve: boolean;
  readonly reader: TracerReader;
  /** Species to show in any case. */
  readonly chosen: readonly string[];
  readonly units: (parameter: string) => string;
  /** log10 of the clipping range. */
  readonly log10_lower: number;
  readonly log10_upper: number;
}

/** What one tracer's predictions are, before they are thinned to what is shown. */
interface Predicted {
  readonly rows: number;
  readonly times: Float64Array;
  readonly physical: Float32Array;
  /** Scaled, [rows, species]; the first emulated row is the true one. */
  readonly actual: Float32Array;
  readonly reconstructed: Float32Array;
  readonly emulated: Float32Array | null;
  /** Raw latents, [rows, latent]; the first emulated row is the encoded one. */
  readonly encoded: Float32Array;
  readonly rolled: Float32Array | null;
}

/** Reads the shown tracers again and predicts them in full. */
export async function tracerSamples(shown: readonly ShownTracer[], options: SampleOptions): Promise<TracerSample[]> {
  const predictions: Predicted[] = [];
  for (const { place } of shown) predictions.push(await predict(place, options));
  if (predictions.length === 0) return [];
  const latent = options.surrogate.latentDim;
  const sums = new CovarianceSums(latent);
  for (const { encoded } of predictions) sums.add(encoded);
  const plane = new PrincipalComponents(sums, 2);
  const onPlane = (latents: Float32Array): [number, number][] =>
    rowsOf(plane.project(latents), plane.count).map(([x = 0, y = 0]) => [x, y]);
  return predictions.map((predicted, i) => {
    const { place, reason, mean_dex } = shown[i]!;
    const { encoded, rolled, physical, rows } = predicted;
    const names = options.reader.columns.physical;
    return {
      id: place.id,
      reason,
      mean_dex,
      times_yr: [...predicted.times],
      physical: names.map((name, column) => ({
        name,
        unit: options.units(name),
        values: Array.from({ length: rows }, (_, row) => physical[row * names.length + column]!),
      })),
      series: seriesOf(predicted, options),
      curves: curvesOf(predicted, options),
      latents: { encoded: rowsOf(encoded, latent), emulated: rolled && rowsOf(rolled, latent) },
      latents_pca: { encoded: onPlane(encoded), emulated: rolled && onPlane(rolled) },
    };
  });
}

async function predict(place: TracerPlace, { surrogate, reader, conserve }: SampleOptions): Promise<Predicted> {
  const block = reader.read([place]);
  const { rows, times, physical } = block;
  const actual = block.scaledTracer(0);
  const encoded = await encodeRows(surrogate, actual);
  const reconstructed = await decodeRows(surrogate, encoded);
  const common = { rows, times, physical, actual, reconstructed, encoded };
  if (surrogate.windowSize === null) return { ...common, emulated: null, rolled: null };
  const rolled = new Float32Array(encoded.length);
  rolled.set(encoded.subarray(0, surrogate.latentDim));
  const starts = startsOf(block, encoded.subarray(0, surrogate.latentDim), wholeTracers(block), rows - 1);
  const states = await rolloutLatents(surrogate, starts);
  // Of an ensemble, the latents of its first member stand for all: their mean would be no state.
  const [latent, width, species] = [surrogate.latentDim, stateWidth(surrogate), surrogate.species.length];
  for (let row = 1; row < rows; row++)
    rolled.set(states.subarray((row - 1) * width, (row - 1) * width + latent), row * latent);
  const emulated = actual.slice();
  const kept = conserve ? startsByRow(actual.subarray(0, species), [0, rows - 1]) : null;
  emulated.set((await decodeKept(surrogate, states, kept)).scaled, species);
  return { ...common, emulated, rolled };
}

function seriesOf(predicted: Predicted, options: SampleOptions): SpeciesSeries[] {
  const { species } = options.surrogate;
  const span = options.log10_upper - options.log10_lower;
  const log10 = (scaled: Float32Array, s: number): number[] =>
    Array.from({ length: predicted.rows }, (_, row) => scaled[row * species.length + s]! * span + options.log10_lower);
  return shownSpecies(predicted, species, options.chosen).map(([s, reason]) => ({
    species: species[s]!,
    reason,
    actual: log10(predicted.actual, s),
    reconstructed: log10(predicted.reconstructed, s),
    emulated: predicted.emulated && log10(predicted.emulated, s),
  }));
}

/** Values of the curves of one tracer, actual and predicted, whatever the number of species; a curve has 8 to 100 points. */
const mostCurveValues = 80_000;

/** Every species, thinned. */
export function curvesOf(
  { rows, actual, emulated, reconstructed }: Pick<Predicted, "rows" | "actual" | "emulated" | "reconstructed">,
  {
    surrogate,
    log10_upper,
    log10_lower,
  }: Pick<SampleOptions, "log10_upper" | "log10_lower"> & { surrogate: Pick<Inference, "species"> },
): SpeciesCurves {
  const width = surrogate.species.length;
  const most = Math.min(rows, 100, Math.max(8, Math.floor(mostCurveValues / (2 * width))));
  // All of the first rows, where chemistry is fast, and ever fewer of the later ones.
  const chosen = Array.from({ length: most }, (_, i) =>
    Math.round(i + (rows - most) * (i / Math.max(1, most - 1)) ** 2),
  );
  const thinned = (scaled: Float32Array): (number | null)[][] =>
    surrogate.species.map((_, s) =>
      chosen.map((row) => {
        const log10 = scaled[row * width + s]! * (log10_upper - log10_lower) + log10_lower;
        return Number.isFinite(log10) ? Math.round(log10 * 100) / 100 : null;
      }),
    );
  return { rows: chosen, actual: thinned(actual), predicted: thinned(emulated ?? reconstructed) };
}

/** Those asked for, then the most variable, then the worst predicted of this tracer; each once. */
function shownSpecies(
  { actual, emulated, reconstructed, rows }: Predicted,
  species: readonly string[],
  chosen: readonly string[],
): [number, SpeciesReason][] {
  const all = [...species.keys()];
  const variability = all.map((s) => rollingDeviation(actual, s, species.length, rows));
  const error = all.map((s) => meanDistance(emulated ?? reconstructed, actual, s, species.length));
  const falling = (values: readonly number[], count: number): number[] =>
    all.toSorted((a, b) => values[b]! - values[a]!).slice(0, count);
  const found = new Map<number, SpeciesReason>();
  const add = (list: readonly number[], reason: SpeciesReason): void => {
    for (const s of list) if (!found.has(s)) found.set(s, reason);
  };
  add(
    chosen.map((name) => species.indexOf(name)).filter((s) => s >= 0),
    "chosen",
  );
  add(falling(variability, variableSpecies), "variable");
  add(falling(error, worstSpecies), "worst");
  return [...found];
}

/** Mean over rows of the standard deviation of three neighbouring rows. */
function rollingDeviation(values: ArrayLike<number>, s: number, width: number, rows: number): number {
  let [sum, count] = [0, 0];
  for (let row = 0; row + rollingRows <= rows; row++) {
    const three = Array.from({ length: rollingRows }, (_, i) => values[(row + i) * width + s]!);
    const mean = three.reduce((total, each) => total + each, 0) / rollingRows;
    sum += Math.sqrt(three.reduce((total, each) => total + (each - mean) ** 2, 0) / (rollingRows - 1));
    count += 1;
  }
  return count > 0 ? sum / count : 0;
}

function meanDistance(a: ArrayLike<number>, b: ArrayLike<number>, s: number, width: number): number {
  let sum = 0;
  for (let at = s; at < a.length; at += width) sum += Math.abs(a[at]! - b[at]!);
  // What is no number is the farthest.
  return Number.isNaN(sum) ? Number.POSITIVE_INFINITY : sum;
}

function rowsOf(values: Float32Array | Float64Array, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, row) => [
    ...values.subarray(row * width, (row + 1) * width),
  ]);
}
