import { join } from "node:path";
import type { AbundanceScaling } from "../chemistry/scaling.ts";
import { type CacheMode, ensureCache } from "./cache.ts";
import { type CleanData, forBlocks } from "./clean-data.ts";
import type { Frame } from "./frame.ts";
import type { Hdf5File } from "./hdf5.ts";
import { checkAbundances, roundingText } from "./value-checks.ts";

export interface AutoencoderCacheOptions {
  readonly clean: CleanData;
  readonly species: readonly string[];
  readonly scaling: AbundanceScaling;
  readonly folder: string;
  readonly mode: CacheMode;
  readonly log: (message: string, details?: Record<string, unknown>) => void;
  /** Aborted: leave off. */
  readonly signal?: AbortSignal | undefined;
}

/** Paths of the two caches; each holds `dataset`, float32 [rows, species], scaled abundances. */
export interface CachePaths {
  readonly train: string;
  readonly val: string;
}

/** Where they lie in the folder of the caches. */
export function autoencoderCachePaths(folder: string): CachePaths {
  return {
    train: join(folder, "autoencoder_train_preprocessed.h5"),
    val: join(folder, "autoencoder_val_preprocessed.h5"),
  };
}

/** Makes or finds the scaled abundances of both splits. @throws DataError for NaN or negative abundances, naming row and column */
export async function autoencoderCache(options: AutoencoderCacheOptions): Promise<CachePaths> {
  const { clean, species, scaling, folder, mode, log, signal } = options;
  const paths = autoencoderCachePaths(folder);
  const abundances_clipping = [scaling.log10_lower, scaling.log10_upper];
  for (const split of ["train", "val"] as const) {
    await ensureCache({
      path: paths[split],
      parts: { kind: "autoencoder", split, "clean dataset": clean.hash, species, abundances_clipping },
      mode,
      command: "train-autoencoder",
      log,
      signal,
      write: async (file) => {
        const raised = await writeScaled(file, clean[split], species, scaling, signal);
        if (raised > 0) log(roundingText(raised, scaling.clip.lower), { split, raised });
      },
    });
  }
  return paths;
}

/** @returns how many values were raised to the lower clipping value */
async function writeScaled(
  file: Hdf5File,
  frame: Frame,
  species: readonly string[],
  scaling: AbundanceScaling,
  signal: AbortSignal | undefined,
): Promise<number> {
  let raised = 0;
  const dataset = file.createDataset("dataset", { shape: [frame.rows, species.length], dtype: "<f4" });
  const write = (values: Float32Array, start: number, count: number): void => {
    raised += checkAbundances(values, species, start, frame, scaling.clip.lower);
    scaling.scaleInto(values, values);
    dataset.writeRows(start, count, values);
  };
  await forBlocks(frame, species, write, signal);
  return raised;
}
