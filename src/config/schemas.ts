import { z } from "zod";
import { weightsPlaces } from "./paths.ts";
import { DatasetConfig, isShardOfShards, PositiveInteger, Seed, shardKeys } from "./schema-dataset.ts";
import { LauncherConfig } from "./schema-launcher.ts";
import { models } from "./schema-models.ts";
import { AutoencoderRecipe, EmulatorRecipe } from "./schema-recipes.ts";

const Compressor = anyOf(models.compressors);
const Evolver = anyOf(models.evolvers);

/** What every command's configuration says. */
const shared = {
  working_path: z
    .string()
    .min(1)
    .default(".")
    .describe("Folder that relative paths start from; itself relative to where the command runs, made absolute."),
  device: z
    .enum(["auto", "cuda", "webgpu", "cpu", "wasm"])
    .default("auto")
    .describe(
      "Where to compute: auto takes CUDA or the CPU, and for training on Linux a GPU by webgpu where the job's own step is a tenth faster there. webgpu: any GPU with a Vulkan, Metal or Direct3D driver, which pays for large batches only. Any but auto is an error where it cannot run.",
    ),
  engine: z
    .enum(["auto", "compiled", "native-c", "eager"])
    .default("auto")
    .describe(
      "How to compute: compiled steps in ONNX Runtime, inference in compiled C (native-c, after `astrochem backend install kernels`), or eager execution in WASM or native TensorFlow; auto compiles where it can.",
    ),
  threads: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      "Threads of the compiled engine and of native TensorFlow; null: the least of the cores that the process may use, the container's quota, SLURM_CPUS_PER_TASK and OMP_NUM_THREADS.",
    ),
  seed: Seed.default(0).describe("Seed of weights, dropout, noise and order; the split has its own."),
  run_dir: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      "Folder of this run's config, log and checkpoints; null: outputs/<date>/<time>-<command>. Of a sweep (-m): multirun/<date>/<time>.",
    ),
  launcher: LauncherConfig.prefault({ name: "local" }).describe("Where the points of a sweep (-m) run."),
  dataset: DatasetConfig.describe("What to learn from."),
};

/** What the training commands' say besides; in the order of the documentation. */
const common = {
  working_path: shared.working_path,
  device: shared.device,
  engine: shared.engine,
  threads: shared.threads,
  mode: z
    .enum(["preprocess", "train", "both"])
    .default("both")
    .describe("What a training command does: fill the caches, train from them, or both."),
  seed: shared.seed,
  memory_budget_mb: z
    .int()
    .min(64)
    .default(2048)
    .describe("Data larger than this are streamed, not held in memory (MB)."),
  cache_dir: z.string().min(1).default("data").describe("Folder of the caches of preprocessed training data."),
  run_dir: shared.run_dir,
  checkpoint_minutes: z
    .number()
    .positive()
    .default(10)
    .describe("Minutes between two checkpoints within an epoch; there is one at the end of each epoch anyway."),
  logger: z
    .strictObject({
      tensorboard: z
        .boolean()
        .default(false)
        .describe("Whether the run folder gets event files for TensorBoard: a step is an epoch, counted from 1."),
    })
    .prefault({})
    .describe("Where a training's epochs are logged besides `epochs.jsonl`."),
  launcher: shared.launcher,
  dataset: shared.dataset,
};

const Weights = z.string().min(1);

/** What `astrochem evaluate` is told besides. */
export const evaluationKeys = {
  autoencoder: Weights.default(weightsPlaces.autoencoder).describe("Weights of the autoencoder."),
  emulator: Weights.nullable()
    .default(weightsPlaces.emulator)
    .describe("Weights of the emulator; null: the autoencoder alone."),
  split: z
    .enum(["val", "test"])
    .default("val")
    .describe("Which tracers are scored: those that chose the epoch (val), or those that chose nothing (test)."),
  test_path: Weights.nullable()
    .default(null)
    .describe(
      "Clean file whose `/test` is scored (split=test), or a raw file of which all is, beside baselines of the dataset's training tracers; null: the dataset's own.",
    ),
  species: z
    .array(z.string().min(1))
    .default(["CO", "H2O", "#H2O"])
    .describe("Species whose abundances are shown against time; those that the weights do not have are an error."),
  conserve: z
    .boolean()
    .default(true)
    .describe("Emulated rows have the totals of the elements and the charge of their start; false: as decoded."),
  max_tracers: PositiveInteger.nullable()
    .default(null)
    .describe("Tracers to evaluate at most, spread over all of the split; null: all."),
  max_rows: PositiveInteger.nullable()
    .default(32_768)
    .describe(
      "Rows to score at most, of all tracers of the split and steps in proportion, and as many of their windows; null: all.",
    ),
  max_windows: PositiveInteger.nullable()
    .default(4096)
    .describe("Windows to evaluate at most, a seeded sample of all of them; null: all."),
  ...shardKeys("the tracers"),
  shards_path: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .describe("Folder of the shards; null: beside the weights, `<weights>.shards`."),
};

/** The configurations there are, by the name of their root file. */
export const rootSchemas = {
  config: z.strictObject({
    ...common,
    model: Compressor.describe("The autoencoder to train."),
    recipe: AutoencoderRecipe.prefault({}).describe("How it is trained."),
  }),
  config_emulator: z
    .strictObject({
      ...common,
      members: z
        .int()
        .min(1)
        .default(1)
        .describe(
          "Emulators to train, with the seeds seed, seed + 1, …, one after the other; several are an ensemble in one weights file, of which inference gives mean and spread. Time limits are each member's.",
        ),
      member: z
        .int()
        .min(0)
        .nullable()
        .default(null)
        .describe(
          "Which of the `members` to train alone, from 0: the training of its seed, in its run folder; null: all. With -m, `members=4` trains each alone and joins them.",
        ),
      autoencoder: Compressor.describe("The autoencoder that the emulator works in."),
      model: Evolver.describe("The emulator to train."),
      recipe: EmulatorRecipe.prefault({}).describe("How it is trained."),
      calibrate: z
        .boolean()
        .default(true)
        .describe("Of train-emulator: at its end find how far to believe each state, as `astrochem calibrate` does."),
    })
    .refine(({ members, member }) => member === null || member < members, {
      path: ["member"],
      message: "must be below `members`",
    }),
  config_evaluate: z.strictObject({ ...shared, ...evaluationKeys }).refine(...isShardOfShards),
};

/** The name of a root file: `config` (preprocess, train-autoencoder), `config_emulator` (train-emulator) or `config_evaluate`. */
export type RootName = keyof typeof rootSchemas;

/** Those of the training commands, which name models. */
export type TrainingRoot = Exclude<RootName, "config_evaluate">;

/** The checked configuration of a root. */
export type ConfigOf<R extends RootName> = z.output<(typeof rootSchemas)[R]>;

/** The member that `model_name` names. */
function anyOf<T>(schemas: Readonly<Record<string, z.ZodType<T>>>): z.ZodType<T> {
  return z.discriminatedUnion("model_name", Object.values(schemas) as never) as never;
}
