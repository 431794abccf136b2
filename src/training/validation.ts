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

/** Where a validation stands; it can be interrupted. */
export interface ValidationProgress {
  /** Batches that are done. */
  validated: number;
  /** `errors` and `dex`, [species], summed over their items. */
  readonly errors: Record<string, Float64Array>;
}

/**
 * Runs the validation program over the batches that are left.
 * @param program  gives `errors` and `dex`, [species], summed over the items of a batch
 * @param goesOn   asked after each batch
 * @returns        whether all batches are done
 */
export async function validate<Batch>(
  { program, state, source }: { program: Program; state: EngineState; source: BatchSource<Batch> },
  inputs: (batch: Batch) => HostTensors,
  progress: ValidationProgress,
  goesOn: () => Promise<boolean>,
): Promise<boolean> {
  for await (const batch of source.epoch(0, progress.validated)) {
    const made = await program.run(state, inputs(batch));
    for (const name of ["errors", "dex"] as const) {
      const { data } = made[name]!;
      progress.errors[name] ??= new Float64Array(data.length);
      const sums = progress.errors[name];
      for (let s = 0; s < data.length; s++) sums[s]! += data[s]!;
    }
    progress.validated += 1;
    if (!(await goesOn())) break;
  }
  return progress.validated === source.batches;
}

/** The errors of a validation that is done. @throws NumericsError where one is not a number */
export function validationErrors({ errors }: ValidationProgress, items: number, epoch: number): ValidationErrors {
  const means = errors.errors!.map((sum) => sum / items);
  const mean = meanOf(means);
  if (Number.isNaN(mean)) {
    throw new NumericsError("the validation error is not a number", {
      where: `epoch ${epoch + 1}, validation`,
      fix: "lower model.lr; the best weights so far are unchanged",
    });
  }
  const variance = means.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (means.length - 1);
  const max = means.reduce((a, b) => Math.max(a, b));
  return { mean, std: Math.sqrt(variance), max, dex: meanOf(errors.dex!) / items };
}

function meanOf(values: Float64Array): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}
