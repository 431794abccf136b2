import type { AbundanceScaling, LatentAffine } from "../chemistry/scaling.ts";
import type { CleanColumns } from "./clean-data.ts";
import type { Frame } from "./frame.ts";
import { checkAbundances } from "./value-checks.ts";

/** What encodes the rows of a frame. */
export interface RowEncoding {
  readonly columns: CleanColumns;
  readonly abundances: AbundanceScaling;
  readonly latentDim: number;
  /** Scaled abundances, [rows, species], → raw latents, [rows, latent]. */
  readonly encode: (scaled: Float32Array, rows: number) => Promise<Float32Array>;
}

/** Below this share of the widest component a component counts as constant: scaled by its own deviation it would be noise. */
const smallestShare = 1e-3;

/**
 * Mean and standard deviation of each latent component over all rows, in one pass in float64. A component that hardly varies gets
 * the deviation of a thousandth of the widest one.
 */
export async function latentMoments(frame: Frame, options: RowEncoding): Promise<LatentAffine> {
  const { columns, abundances, latentDim, encode } = options;
  const [sums, squares] = [new Float64Array(latentDim), new Float64Array(latentDim)];
  for (let start = 0; start < frame.rows; start += frame.blockRows) {
    const count = Math.min(frame.blockRows, frame.rows - start);
    const values = new Float32Array(count * columns.species.length);
    frame.read(start, count, columns.species, values);
    checkAbundances(values, columns.species, start, frame, abundances.clip.lower);
    abundances.scaleInto(values, values);
    const latents = await encode(values, count);
    for (const [i, z] of latents.entries()) {
      sums[i % latentDim]! += z;
      squares[i % latentDim]! += z * z;
    }
  }
  const shift = [...sums].map((sum) => sum / frame.rows);
  const deviations = shift.map((mean, k) => Math.sqrt(Math.max(squares[k]! / frame.rows - mean * mean, 0)));
  const least = smallestShare * Math.max(...deviations);
  return { shift, scale: deviations.map((deviation) => Math.max(deviation, least)) };
}
