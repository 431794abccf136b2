import type { EngineState, HostTensors, Program } from "../backend/engine.ts";
import type { BatchSource } from "../data/batch-source.ts";
import { NumericsError } from "../errors.ts";

/** Errors on the validation data. */
export interface ValidationErrors {
  /** Mean, unbiased standard deviation and maximum over species of the mean relative error. */
  readonly mean: number;
  readonly std: number;
  readonly max: number;
  /** Mean over species of the mean error in dex. */
  readonly dex: number;
}

/**
 * Runs the validation program over all batches.
 * @param program  gives `errors` and `dex`, [species], summed over the items of a batch
 * @throws NumericsError where an error is not a number
 */
export async function validate<Batch>(
  { program, state, source }: { program: Program; state: EngineState; source: BatchSource<Batch> },
  inputs: (batch: Batch) => HostTensors,
  epoch: number,
): Promise<ValidationErrors> {
  const sums = { errors: new Float64Array(0), dex: new Float64Array(0) };
  for await (const batch of source.epoch(0)) {
    const made = await program.run(state, inputs(batch));
    for (const name of ["errors", "dex"] as const) {
      const { data } = made[name]!;
      if (sums[name].length === 0) sums[name] = new Float64Array(data.length);
      for (let s = 0; s < data.length; s++) sums[name][s]! += data[s]!;
    }
  }
  const means = sums.errors.map((sum) => sum / source.items);
  const mean = meanOf(means);
  if (Number.isNaN(mean)) {
    throw new NumericsError("the validation error is not a number", {
      where: `epoch ${epoch + 1}, validation`,
      fix: "lower model.lr; the best weights so far are unchanged",
    });
  }
  const variance = means.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (means.length - 1);
  const max = means.reduce((a, b) => Math.max(a, b));
  return { mean, std: Math.sqrt(variance), max, dex: meanOf(sums.dex) / source.items };
}

function meanOf(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
