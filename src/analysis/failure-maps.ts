import { cappedDex, ErrorGroups } from "./error-groups.ts";
import type { ErrorScale } from "./error-scale.ts";
import { sketchBin, sketchBins } from "./error-sketch.ts";
import type { FailureMaps } from "./error-types.ts";
import { gradientBins, gradients } from "./gradient-bins.ts";
import type { TrueRows } from "./true-rows.ts";

const [densityBins, temperatureBins, conditionBins] = [24, 16, 12];
const stepBins = 60;

/** A parameter's place among the columns, and its range in log10. */
export interface ConditionAxis {
  readonly name: string;
  readonly column: number;
  readonly low: number;
  readonly high: number;
}

/** The axes of the plane. */
export interface PlaneAxes {
  readonly density: ConditionAxis;
  readonly temperature: ConditionAxis;
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

/** Sums up where a prediction fails: against gradients, over density and temperature, along each parameter, species by step. */
export class FailureMapSums {
  readonly #scale: ErrorScale;
  readonly #axes: PlaneAxes | null;
  readonly #conditions: readonly ConditionAxis[];
  /** [conditions, conditionBins] */
  readonly #conditionRows: Float64Array;
  readonly #conditionDex: Float64Array;
  readonly #gradient = new ErrorGroups(gradientBins);
  readonly #planeRows = new Float64Array(densityBins * temperatureBins);
  readonly #planeDex = new Float64Array(densityBins * temperatureBins);
  readonly #stepEdges: number[];
  readonly #binOfStep: Int32Array;
  /** [bins, species] */
  readonly #heat: Float64Array;
  readonly #heatRows: Float64Array;

  /** @param steps of the longest tracer */
  constructor(
    scale: ErrorScale,
    { plane, conditions }: { readonly plane: PlaneAxes | null; readonly conditions: readonly ConditionAxis[] },
    steps: number,
  ) {
    [this.#scale, this.#axes, this.#conditions] = [scale, plane, conditions];
    this.#conditionRows = new Float64Array(conditions.length * conditionBins);
    this.#conditionDex = new Float64Array(conditions.length * conditionBins);
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
      const own = conditions.subarray(row * parameters);
      for (const [i, axis] of this.#conditions.entries()) {
        const place = i * conditionBins + binAlong(axis, conditionBins, own);
        this.#conditionRows[place]! += 1;
        this.#conditionDex[place]! += sum / width;
      }
      const cell = this.#cell(own);
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
      conditions: this.#conditions.map((axis, i) => {
        const part = (all: Float64Array) => all.subarray(i * conditionBins, (i + 1) * conditionBins);
        const rows = [...part(this.#conditionRows)];
        const mean_dex = Array.from(part(this.#conditionDex), (sum, bin) => ratio(sum, rows[bin]!));
        return { name: axis.name, edges_log10: edges(axis, conditionBins), rows, mean_dex };
      }),
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
    return (
      binAlong(density, densityBins, conditions) * temperatureBins + binAlong(temperature, temperatureBins, conditions)
    );
  }
}

/** The bin of a row; what is outside the range is in the outermost ones. */
function binAlong({ column, low, high }: ConditionAxis, bins: number, conditions: Float32Array): number {
  const bin = Math.floor(((Math.log10(conditions[column]!) - low) / (high - low)) * bins);
  // Below 0 there is no logarithm.
  return Math.min(Math.max(bin, 0) || 0, bins - 1);
}

function edges({ low, high }: ConditionAxis, bins: number): number[] {
  return Array.from({ length: bins + 1 }, (_, bin) => low + ((high - low) * bin) / bins);
}

function ratio(sum: number, count: number): number | null {
  return count > 0 ? sum / count : null;
}
