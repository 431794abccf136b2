import { cappedDex, ErrorGroups } from "./error-groups.ts";
import type { ErrorScale } from "./error-scale.ts";
import { sketchBin, sketchBins } from "./error-sketch.ts";
import type { FailureMaps } from "./evaluation-types.ts";
import { gradientBins, gradients } from "./gradient-bins.ts";
import type { TrueRows } from "./true-rows.ts";

const [densityBins, temperatureBins] = [24, 16];
const stepBins = 60;

/** The plane's axes: the parameters' places among the columns, and their ranges in log10. */
export interface PlaneAxes {
  readonly density: { readonly column: number; readonly low: number; readonly high: number };
  readonly temperature: { readonly column: number; readonly low: number; readonly high: number };
}

/** What failure is mapped against, of some rows. */
export interface MappedRows {
  readonly truth: Pick<TrueRows, "scaled">;
  /** Since the start of each one's tracer, [rows]. */
  readonly steps: Int32Array;
  /** Those that led here, which are in the row before: physical units, [rows, physical]. */
  readonly conditions: Float32Array;
  /** `gradientBinsOf` them. */
  readonly gradient: Uint8Array;
}

/** Sums up where a prediction fails: against gradients, over density and temperature, species by step. */
export class FailureMapSums {
  readonly #scale: ErrorScale;
  readonly #axes: PlaneAxes | null;
  readonly #gradient = new ErrorGroups(gradientBins);
  readonly #planeRows = new Float64Array(densityBins * temperatureBins);
  readonly #planeDex = new Float64Array(densityBins * temperatureBins);
  readonly #stepEdges: number[];
  readonly #binOfStep: Int32Array;
  /** [bins, species] */
  readonly #heat: Float64Array;
  readonly #heatRows: Float64Array;

  /** @param steps of the longest tracer */
  constructor(scale: ErrorScale, axes: PlaneAxes | null, steps: number) {
    [this.#scale, this.#axes] = [scale, axes];
    const bins = Math.min(stepBins, steps);
    this.#stepEdges = Array.from({ length: bins + 1 }, (_, bin) => 1 + Math.round((bin * steps) / bins));
    this.#binOfStep = Int32Array.from({ length: steps }, (_, at) =>
      this.#stepEdges.findLastIndex((edge) => edge <= at + 1),
    );
    this.#heat = new Float64Array(scale.species.length * bins);
    this.#heatRows = new Float64Array(bins);
  }

  /** @param predicted scaled, [rows, species] */
  add(predicted: Float32Array, mapped: MappedRows): void {
    const width = this.#scale.species.length;
    const { steps, conditions } = mapped;
    const parameters = conditions.length / steps.length;
    for (let row = 0; row < steps.length; row++) {
      const bin = this.#binOfStep[steps[row]! - 1]!;
      const sum = this.#addRow(predicted, mapped, row, bin);
      this.#heatRows[bin]! += 1;
      const cell = this.#cell(conditions.subarray(row * parameters));
      if (cell === null) continue;
      this.#planeRows[cell]! += 1;
      this.#planeDex[cell]! += sum / width;
    }
  }

  /** @returns the sum of the row's errors, dex */
  #addRow(predicted: Float32Array, { truth: { scaled }, gradient }: MappedRows, row: number, bin: number): number {
    const heat = this.#heat;
    const { counts, dex: sums, largestDex, sketches } = this.#gradient;
    const width = this.#scale.species.length;
    const span = this.#scale.log10_upper - this.#scale.log10_lower;
    let sum = 0;
    for (let s = 0, at = row * width, cell = bin * width; s < width; s++, at++, cell++) {
      const dex = cappedDex((predicted[at]! - scaled[at]!) * span);
      const size = Math.abs(dex);
      const group = gradient[at]!;
      sum += size;
      heat[cell]! += size;
      counts[group]! += 1;
      sums[group]! += size;
      if (size > largestDex[group]!) largestDex[group] = size;
      sketches[group * sketchBins + sketchBin(dex)]! += 1;
    }
    return sum;
  }

  maps(): FailureMaps {
    const width = this.#scale.species.length;
    return {
      gradient: [...this.#gradient.counts.keys()].flatMap((group) => {
        const stats = this.#gradient.stats([group]);
        const from_log10 = gradients.from + group / gradients.perDecade;
        const to_log10 = from_log10 + 1 / gradients.perDecade;
        return stats
          ? [{ from_log10, to_log10, count: stats.count, mean_dex: stats.dex.mean, p90_dex: stats.dex.p90 }]
          : [];
      }),
      plane: this.#axes && {
        density_edges_log10: edges(this.#axes.density, densityBins),
        temperature_edges_log10: edges(this.#axes.temperature, temperatureBins),
        rows: [...this.#planeRows],
        mean_dex: Array.from(this.#planeDex, (sum, cell) => ratio(sum, this.#planeRows[cell]!)),
      },
      heat_map: {
        step_edges: this.#stepEdges,
        mean_dex: this.#scale.species.flatMap((_, s) =>
          Array.from(this.#heatRows, (rows, bin) => ratio(this.#heat[bin * width + s]!, rows)),
        ),
      },
    };
  }

  #cell(conditions: Float32Array): number | null {
    if (this.#axes === null) return null;
    const { density, temperature } = this.#axes;
    const along = ({ column, low, high }: PlaneAxes["density"], bins: number): number => {
      const bin = Math.floor(((Math.log10(conditions[column]!) - low) / (high - low)) * bins);
      return Math.min(Math.max(bin, 0), bins - 1);
    };
    return along(density, densityBins) * temperatureBins + along(temperature, temperatureBins);
  }
}

function edges({ low, high }: PlaneAxes["density"], bins: number): number[] {
  return Array.from({ length: bins + 1 }, (_, bin) => low + ((high - low) * bin) / bins);
}

function ratio(sum: number, count: number): number | null {
  return count > 0 ? sum / count : null;
}
