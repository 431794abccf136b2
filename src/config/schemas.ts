import { z } from "zod";
import { DatasetConfig, Seed } from "./schema-dataset.ts";
import { models } from "./schema-models.ts";
import { AutoencoderRecipe, EmulatorRecipe } from "./schema-recipes.ts";

const Compressor = z.discriminatedUnion("model_name", members(models.compressors));
const Evolver = z.discriminatedUnion("model_name", members(models.evolvers));

const common = {
  working_path: z
    .string()
    .min(1)
    .default(".")
    .describe("Folder that relative paths start from; itself relative to where the command runs, made absolute."),
  device: z
    .enum(["auto", "cuda", "cpu", "wasm"])
    .default("auto")
    .describe("Where to compute: auto takes the fastest there is; any other is an error where it cannot run."),
  engine: z
    .enum(["auto", "compiled", "eager"])
    .default("auto")
    .describe(
      "How to compute: compiled steps in ONNX Runtime, or eager execution in WASM or native TensorFlow; auto compiles where it can.",
    ),
  threads: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe("Threads of the compiled engine and of native TensorFlow; null: all cores."),
  mode: z
    .enum(["preprocess", "train", "both"])
    .default("both")
    .describe("What a training command does: fill the caches, train from them, or both."),
  seed: Seed.default(0).describe("Seed of weights, dropout, noise and order; the split has its own."),
  memory_budget_mb: z
    .int()
    .min(64)
    .default(2048)
    .describe("Data larger than this are streamed, not held in memory (MB)."),
  cache_dir: z.string().min(1).default("data").describe("Folder of the caches of preprocessed training data."),
  run_dir: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe("Folder of this run's config, log and checkpoints; null: outputs/<date>/<time>-<command>."),
  checkpoint_minutes: z
    .number()
    .positive()
    .default(10)
    .describe("Minutes between two checkpoints within an epoch; there is one at the end of each epoch anyway."),
  dataset: DatasetConfig.describe("What to learn from."),
};

/** The configurations there are, by the name of their root file. */
export const rootSchemas = {
  config: z.strictObject({
    ...common,
    model: Compressor.describe("The autoencoder to train."),
    recipe: AutoencoderRecipe.prefault({}).describe("How it is trained."),
  }),
  config_emulator: z.strictObject({
    ...common,
    autoencoder: Compressor.describe("The autoencoder that the emulator works in."),
    model: Evolver.describe("The emulator to train."),
    recipe: EmulatorRecipe.prefault({}).describe("How it is trained."),
  }),
};

/** The name of a root file: `config` (preprocess, train-autoencoder) or `config_emulator` (train-emulator, emulate). */
export type RootName = keyof typeof rootSchemas;

/** The checked configuration of a root. */
export type ConfigOf<R extends RootName> = z.output<(typeof rootSchemas)[R]>;

function members<T>(registry: Readonly<Record<string, T>>): [T, ...T[]] {
  return Object.values(registry) as [T, ...T[]];
}
