import { cappedDex, ErrorGroups } from "../../src/analysis/error-groups.ts";
import type { ErrorScale } from "../../src/analysis/error-scale.ts";
import { largestRelative, sketchBin } from "../../src/analysis/error-sketch.ts";

/** What `PredictionErrors` sums up, value by value and with no thought of speed: the reference for it. */
export class PlainErrors {
  readonly bySpecies: ErrorGroups;
  readonly bySteps: ErrorGroups;
  readonly byLevel: ErrorGroups;
  readonly conservation: ErrorGroups;
  readonly truthSum: Float64Array;
  readonly truthSquares: Float64Array;
  nonFinite = 0;
  readonly #scale: ErrorScale;

  constructor(scale: ErrorScale, steps: number) {
    this.#scale = scale;
    this.bySpecies = new ErrorGroups(2 * scale.species.length);
    this.bySteps = new ErrorGroups(steps);
    this.byLevel = new ErrorGroups(scale.levels);
    this.conservation = new ErrorGroups(scale.totals.names.length);
    this.truthSum = new Float64Array(scale.species.length);
    this.truthSquares = new Float64Array(scale.species.length);
  }

  /** @param predicted, truth scaled, [rows, species] */
  add(predicted: Float32Array, truth: Float32Array, firstStep: number): void {
    const { species, log10_lower, log10_upper, floor } = this.#scale;
    const span = log10_upper - log10_lower;
    const linear = (scaled: number): number => Math.exp((scaled * span + log10_lower) * Math.LN10);
    for (let row = 0; row < truth.length / species.length; row++) {
      const [xs, ys]: [number[], number[]] = [[], []];
      for (const s of species.keys()) {
        const [p, t] = [predicted[row * species.length + s]!, truth[row * species.length + s]!];
        if (!Number.isFinite(p)) this.nonFinite += 1;
        const dex = cappedDex((p - t) * span);
        const x = Math.fround(linear(t));
        const ratio = Math.abs(linear(p) / x - 1);
        const relative = ratio <= largestRelative ? ratio : largestRelative;
        const level = Math.min(Math.max(Math.floor(t * span + 1e-5), 0), this.byLevel.counts.length - 1);
        this.bySpecies.add(x > floor ? s + species.length : s, dex, relative, sketchBin(dex));
        this.bySteps.add(firstStep - 1 + row, dex, relative, sketchBin(dex));
        this.byLevel.add(level, dex, relative, sketchBin(dex));
        this.truthSum[s]! += t * span + log10_lower;
        this.truthSquares[s]! += (t * span + log10_lower) ** 2;
        xs.push(x);
        ys.push(linear(p) <= largestRelative ? linear(p) : largestRelative);
      }
      this.#addTotals(xs, ys);
    }
  }

  #addTotals(xs: readonly number[], ys: readonly number[]): void {
    for (const [total, name] of this.#scale.totals.names.entries()) {
      let [difference, size, added] = [0, 0, 0];
      for (const [s, { atoms, charge }] of this.#scale.species.entries()) {
        const weight = name === "charge" ? charge : (atoms.get(name as "H") ?? 0);
        difference += weight * (ys[s]! - xs[s]!);
        size += Math.abs(weight) * xs[s]!;
        added += Math.abs(weight * (ys[s]! - xs[s]!));
      }
      if (size === 0) continue;
      if (name !== "charge") added = Math.abs(difference);
      const isNoise = Math.abs(difference) <= this.#scale.resolution * (2 * size + added);
      const relative = isNoise ? 0 : Math.min(Math.abs(difference) / size, largestRelative);
      this.conservation.add(total, relative, relative, sketchBin(Math.log10(1 + relative)));
    }
  }
}
