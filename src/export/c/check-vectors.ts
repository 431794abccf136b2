import { Conservation } from "../../chemistry/conservation.ts";
import { tableOfWeights } from "../../chemistry/element-table.ts";
import { PhysicalScaling } from "../../chemistry/scaling.ts";
import { derivedSeed, RandomStream } from "../../data/random.ts";
import type { Inference } from "../../inference/inference.ts";
import { expectedErrors, type Trust } from "../../models/trust.ts";
import type { Models, PartPort } from "../onnx-parts.ts";
import { Samples } from "../onnx-samples.ts";
import type { Description } from "./description.ts";

/** Trajectories that a check computes again, each array by trajectory. */
export interface CheckVectors {
  readonly cells: number;
  readonly steps: number;
  /** [cells, steps, conditions], [cells, species]: what goes in. */
  readonly physical: Float32Array;
  readonly abundances: Float32Array;
  /** [cells, latents], raw; [cells, species]; [cells, steps, latents], raw; [cells, steps, species]: what `Inference` makes of it. */
  readonly latents: Float32Array;
  readonly decoded: Float32Array;
  readonly stepped: Float32Array;
  readonly evolved: Float32Array;
  /** dex, [cells, steps]; null of one emulator. */
  readonly spread: Float32Array | null;
  /** [cells, totals], [cells, species]: totals, and what gets them. Those all over the ranges would leave some species to differences. */
  readonly totals: Float32Array;
  readonly doubtful: Float32Array;
  /** [cells, species]: what `Conservation` makes of it. */
  readonly conserved: Float32Array;
  /** Trajectories near the stored rows, and what to expect of them; null where the weights are not calibrated. */
  readonly trusted: TrustVectors | null;
  /** A scaled latent is (raw − shift) / scale, [latents]. */
  readonly shift: readonly number[];
  readonly scale: readonly number[];
  /** Decades of a scaled unit of abundance. */
  readonly span_dex: number;
}

/** [cells, steps, conditions], [cells, species], and dex, [cells, steps], as `Inference.emulate` tells with the totals kept. */
export interface TrustVectors {
  readonly physical: Float32Array;
  readonly abundances: Float32Array;
  readonly expected: Float32Array;
  /**
   * How far expected errors may be from those, dex, [cells, steps]: more where rounding of the totals moves them. Where totals differ by less than
   * they are known to, as of C and of S in CS, so do states.
   */
  readonly allowed: Float32Array;
  /** Bits after the last step, [cells], and which of them rounding does not decide. */
  readonly flags: readonly number[];
  readonly sure: readonly number[];
}

const [cells, steps] = [5, 4];

/**
 * How far expected errors may be from those of `Inference`, relative to them, or to `leastError` where they are smaller: a small distance is the
 * difference of large squares, of which float32 leaves 1e-2.
 */
const trustTolerance = 1e-3;
/** dex */
const leastError = 0.3;

/** How far the C code may be from `Inference`, in scaled units. */
export const checkTolerance = 1e-5;

/** Random trajectories all over the ranges, and what `Inference` makes of them. */
export async function checkVectors(about: Description, models: Models, inference: Inference): Promise<CheckVectors> {
  const samples = new Samples(models, new RandomStream(derivedSeed(0, "export c")));
  const [conditions, species, latent] = [about.conditions.length, about.species.length, about.latents];
  const draw = (quantity: PartPort["quantity"], shape: number[]): Float32Array =>
    samples.draw({ name: "", quantity, shape }, cells);
  const physical = draw("physical units", [steps, conditions]);
  const abundances = draw("linear abundances", [species]);
  const rows = { data: abundances, shape: [cells, species] };
  const history = { data: physical, shape: [cells, steps, conditions] };
  const latents = await inference.encode(rows);
  const ofMembers = repeated(latents.data, inference.latentDim, about.members);
  const { data: decoded } = await inference.decode(latents);
  const { data: stepped } = await inference.latentEmulate(history, latents);
  const isEnsemble = inference.members > 1;
  const { data: evolved, spread } = await inference.emulate(history, rows, { conserve: false, spread: isEnsemble });
  const kept = conservedVectors(models.autoencoder);
  const affine = models.emulator!.latents;
  const each = (values: readonly number[]): number[] =>
    Array.from({ length: latent }, (_, k) => values[k % values.length]!);
  return {
    ...{ cells, steps, physical, abundances, latents: ofMembers, decoded, stepped, evolved, ...kept },
    spread: spread?.data ?? null,
    trusted: about.trust && (await trustVectors(about.trust, models, inference, { physical, abundances })),
    shift: each(affine.shift),
    scale: each(affine.scale),
    span_dex: Math.log10(about.clipping.upper) - Math.log10(about.clipping.lower),
  };
}

/** Of stored rows, those that are first among the farthest, and of the last cell that is all over the ranges. */
async function trustVectors(
  trust: Trust,
  { autoencoder, emulator }: Models,
  inference: Inference,
  far: Pick<TrustVectors, "physical" | "abundances">,
): Promise<TrustVectors> {
  const [P, L, S] = [inference.physicalParameters.length, inference.latentDim, inference.species.length];
  const scaling = PhysicalScaling.of(emulator!.weights.physical_parameters);
  const [physical, abundances] = [far.physical.slice(), far.abundances.slice()];
  const count = Math.min(cells - 1, trust.sample.length / (P + L));
  const latents = new Float32Array(count * L);
  for (let cell = 0; cell < count; cell++) {
    const row = unwhitened(trust, cell * Math.floor(trust.sample.length / (P + L) / count));
    const conditions = Float32Array.from(row.subarray(0, P), (x) => Math.min(Math.max(x, 0), 1));
    scaling.unscaleInto(conditions, conditions);
    for (let t = 0; t < steps; t++) physical.set(conditions, (cell * steps + t) * P);
    latents.set(row.subarray(P), cell * L);
  }
  abundances.set((await inference.decode({ data: latents, shape: [count, L] })).data);
  const history = { data: physical, shape: [cells, steps, P] };
  const starts = { data: abundances, shape: [cells, S] };
  const { passed } = await inference.passed(history, starts);
  const { data: decoded } = await inference.emulate(history, starts, { conserve: false });
  const meter = inference.trustMeter(trust);
  const signals = await meter.signals(passed);
  await meter.dispose();
  const told = (by: number, correction = signals.correction) => {
    const { distance, start, spread } = trust.reference;
    const reference = {
      ...{ distance: distance * by, start: start * by },
      ...{ correction: trust.reference.correction && trust.reference.correction * by, spread: spread && spread * by },
    };
    const { expectedError, flags } = expectedErrors({ ...trust, reference }, { ...signals, correction });
    return { expected: expectedError, flags: Array.from({ length: cells }, (_, i) => flags[(i + 1) * steps - 1]!) };
  };
  const [lower, upper] = [told(0.999).flags, told(1.001).flags];
  const sure = lower.map((bits, i) => 127 & ~(bits ^ upper[i]!));
  const found = told(1);
  const allowed = found.expected.map((error) => trustTolerance * Math.max(error, leastError));
  const corrections = roundedCorrections(autoencoder, abundances, decoded);
  const exact = told(1, corrections[0]);
  const least = allowed.slice();
  for (const correction of corrections.slice(1)) {
    const moved = told(1, correction);
    for (const [k, error] of moved.expected.entries()) {
      allowed[k] = Math.max(allowed[k]!, least[k]! + 8 * Math.abs(error - exact.expected[k]!));
    }
    for (const [i, bits] of moved.flags.entries()) sure[i]! &= ~(bits ^ exact.flags[i]!);
  }
  return { physical, abundances, ...found, allowed, sure };
}

/** Corrections of decoded states, [cells, steps], by totals of their starts as they are, and moved by as little as single precision tells apart. */
function roundedCorrections(
  autoencoder: Models["autoencoder"],
  abundances: Float32Array,
  decoded: Float32Array,
): Float32Array[] {
  const conservation = new Conservation(tableOfWeights(autoencoder));
  const [S, random] = [conservation.species, new RandomStream(derivedSeed(0, "export c rounding"))];
  const { lower, upper } = autoencoder.abundances_clipping;
  const signs = new Float32Array(conservation.names.length);
  return Array.from({ length: 6 }, (_, turn) =>
    Float32Array.from({ length: cells * steps }, (_, k) => {
      const cell = Math.floor(k / steps);
      const start = abundances.subarray(cell * S, (cell + 1) * S).map((x) => Math.min(Math.max(x, lower), upper));
      random.fillUniform(signs, -1e-7, 1e-7);
      const totals = conservation
        .totals(start)
        .map((total, each) => (turn === 0 ? total : Math.fround(total * (1 + (turn === 1 ? 0 : signs[each]!)))));
      const { mean_dex, residual } = conservation.project(decoded.slice(k * S, (k + 1) * S), totals);
      return residual <= 1e-6 ? mean_dex : Number.POSITIVE_INFINITY;
    }),
  );
}

/** A row of the sample before it was whitened, by a matrix that is 0 below its diagonal. */
function unwhitened({ matrix, offset, sample }: Trust, index: number): Float32Array {
  const d = offset.length;
  const row = new Float32Array(d);
  for (let j = 0; j < d; j++) {
    let left = sample[index * d + j]! - offset[j]!;
    for (let i = 0; i < j; i++) left -= row[i]! * matrix[i * d + j]!;
    row[j] = left / matrix[j * d + j]!;
  }
  return row;
}

function conservedVectors(autoencoder: Models["autoencoder"]): Pick<CheckVectors, "totals" | "doubtful" | "conserved"> {
  const conservation = new Conservation(tableOfWeights(autoencoder));
  const random = new RandomStream(derivedSeed(0, "export c totals"));
  const [species, names] = [conservation.species, conservation.names.length];
  const draw = (): Float32Array => {
    const values = new Float32Array(cells * species);
    random.fillUniform(values, -6, -4);
    return values.map((x) => 10 ** x);
  };
  const [doubtful, other] = [draw(), draw()];
  const [totals, conserved] = [new Float32Array(cells * names), doubtful.slice()];
  for (let i = 0; i < cells; i++) {
    const row = (of: Float32Array, width: number): Float32Array => of.subarray(i * width, (i + 1) * width);
    row(totals, names).set(conservation.totals(row(other, species)));
    conservation.project(row(conserved, species), row(totals, names));
  }
  return { totals, doubtful, conserved };
}

/** Rows of `width` numbers, each so many times. */
function repeated(rows: Float32Array, width: number, times: number): Float32Array {
  return Float32Array.from({ length: rows.length * times }, (_, k) => {
    const row = Math.floor(k / (width * times));
    return rows[row * width + (k % width)]!;
  });
}
