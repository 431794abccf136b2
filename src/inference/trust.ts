import type { Engine } from "../backend/engine.ts";
import type { ElementTable } from "../chemistry/element-table.ts";
import { PhysicalScaling, type ScaledParameter } from "../chemistry/scaling.ts";
import { CheckpointError } from "../errors.ts";
import { DistanceMeter } from "../models/runners.ts";
import { type Expected, expectedErrors, type Signals, startDistance, type Trust } from "../models/trust.ts";
import { checkShape, checkValues, type MatrixInput } from "./arguments.ts";

/** A parameter as weights list it. */
interface Parameter extends ScaledParameter {
  readonly trained?: readonly [number, number] | undefined;
}

/** What trajectories passed through. */
export interface Trajectories {
  readonly batch: number;
  readonly steps: number;
  /** Scaled, [b, t, physical]. */
  readonly physical: Float32Array;
  /** Raw, [b, latent]: the start. */
  readonly latents: Float32Array;
  /** Raw, [b, t, members · latent]. */
  readonly evolved: Float32Array;
  /** Linear abundances of the starts, [b, species]. */
  readonly starts: Float32Array;
  /** dex, [b, t]; see `Signals`. */
  readonly correction?: Float32Array | undefined;
  readonly spread?: Float32Array | null | undefined;
  /** Years, [b, t + 1]: the times of the start and of every state. */
  readonly times?: MatrixInput | undefined;
}

/** An emulation, and what its trajectories passed through. */
export interface Passed {
  readonly data: Float32Array;
  readonly passed: Trajectories;
}

/** What a surrogate's facts are that trust needs. */
export interface TrustFacts {
  readonly physicalParameters: readonly Parameter[];
  readonly elementTable: ElementTable;
  readonly timeStepYears: number | null;
}

/** Says how far to believe the states of trajectories, with a calibration. */
export class TrustMeter {
  readonly #trust: Trust;
  readonly #facts: TrustFacts;
  readonly #meter: DistanceMeter;
  /** The trained ends of each scaled parameter. */
  readonly #ends: readonly Float32Array[];

  constructor(engine: Engine, trust: Trust, facts: TrustFacts) {
    [this.#trust, this.#facts, this.#meter] = [trust, facts, new DistanceMeter(engine, trust)];
    const scaling = PhysicalScaling.of(facts.physicalParameters);
    this.#ends = [0, 1].map((end) => {
      const values = facts.physicalParameters.map(({ trained, range }) => (trained ?? range)[end]!);
      const scaled = new Float32Array(values.length);
      scaling.scaleInto(values, scaled);
      return scaled;
    });
  }

  /** @returns [b, t] each */
  async expected(trajectories: Trajectories): Promise<Expected> {
    return expectedErrors(this.#trust, await this.signals(trajectories));
  }

  async signals(trajectories: Trajectories): Promise<Signals> {
    const { batch, steps, starts, correction, spread } = trajectories;
    const width = starts.length / batch;
    const { elementTable } = this.#facts;
    return {
      batch,
      steps,
      distance: await this.#distances(trajectories),
      start: Float32Array.from({ length: batch }, (_, b) =>
        startDistance(this.#trust, elementTotals(elementTable, starts.subarray(b * width, (b + 1) * width))),
      ),
      outside: this.#outside(trajectories.physical, batch * steps),
      correction,
      spread: spread ?? undefined,
      stretch: this.#stretch(trajectories),
    };
  }

  dispose(): Promise<void> {
    return this.#meter.dispose();
  }

  /** [b, t]; the members' largest. */
  async #distances({ batch, steps, physical, latents, evolved }: Trajectories): Promise<Float32Array> {
    const members = evolved.length / (latents.length * steps);
    let largest: Float32Array | null = null;
    for (let member = 0; member < members; member++) {
      const seen = seenRows({ batch, steps, physical, latents, evolved }, member, members);
      const distances = await this.#meter.distances(seen, batch * steps);
      const before: Float32Array | null = largest;
      largest = before === null ? distances : distances.map((distance, at) => Math.max(distance, before[at]!));
    }
    return largest!;
  }

  #outside(physical: Float32Array, rows: number): Uint8Array {
    const [lower, upper] = this.#ends as [Float32Array, Float32Array];
    const [out, width, rounding] = [new Uint8Array(rows), lower.length, 1e-6];
    for (let at = 0; at < physical.length; at++) {
      const k = at % width;
      if (physical[at]! < lower[k]! - rounding || physical[at]! > upper[k]! + rounding) out[(at - k) / width] = 1;
    }
    return out;
  }

  /** [b, t], in trained steps; undefined where times are not given or steps are an input. */
  #stretch({ batch, steps, times }: Trajectories): Float32Array | undefined {
    const { timeStepYears } = this.#facts;
    if (times === undefined || timeStepYears === null) return undefined;
    return Float32Array.from({ length: batch * steps }, (_, at) => {
      const row = at + Math.floor(at / steps);
      return (times.data[row + 1]! - times.data[row]!) / timeStepYears;
    });
  }
}

/** @throws DataError naming the first bad index: times are [b, t + 1], in years, and increase along each trajectory */
export function checkTimes(times: MatrixInput, batch: number, steps: number): void {
  checkShape("times", times, [
    ["b", batch],
    ["t + 1", steps + 1],
  ]);
  const rises = (value: number, at: number): boolean => at % (steps + 1) === 0 || value > times.data[at - 1]!;
  checkValues("times", times, { test: rises, words: "times are finite and increase", fix: "give years, row by row" });
}

/** What the surrogate saw before each step: scaled conditions, then the latents of the state that they act on. @returns [b · t, d] */
export function seenRows(
  {
    batch,
    steps,
    physical,
    latents,
    evolved,
  }: Pick<Trajectories, "batch" | "steps" | "physical" | "latents" | "evolved">,
  member = 0,
  members = 1,
): Float32Array {
  const [parameters, latent] = [physical.length / (batch * steps), latents.length / batch];
  const width = parameters + latent;
  const out = new Float32Array(batch * steps * width);
  for (let row = 0; row < batch * steps; row++) {
    const at = row * width;
    for (let k = 0; k < parameters; k++) out[at + k] = physical[row * parameters + k]!;
    const isFirst = row % steps === 0;
    const [source, from] = isFirst
      ? [latents, (row / steps) * latent]
      : [evolved, ((row - 1) * members + member) * latent];
    for (let k = 0; k < latent; k++) out[at + parameters + k] = source[from + k]!;
  }
  return out;
}

/** log10 of the elements' totals of a state; what is absent counts as 1e-20. @param abundances linear, [species] */
export function elementTotals({ elements, atoms }: ElementTable, abundances: ArrayLike<number>): Float64Array {
  const totals = new Float64Array(elements.length);
  for (const [s, counts] of atoms.entries()) {
    for (const [e, count] of counts.entries()) if (count > 0) totals[e]! += count * abundances[s]!;
  }
  return totals.map((total) => Math.log10(Math.max(total, 1e-20)));
}

export function uncalibrated(): CheckpointError {
  return new CheckpointError("these weights hold no calibration: nothing tells how far to believe them", {
    where: "trust",
    fix: "calibrate them once: astrochem calibrate CLEAN_FILE --weights FOLDER",
  });
}
