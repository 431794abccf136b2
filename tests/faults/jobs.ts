import { cpSync, existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readSpeciesList } from "../../src/chemistry/species.ts";
import { writeNpy } from "../../src/formats/npy.ts";
import { readAutoencoder, readEmulator } from "../../src/models/weights-file.ts";
import { autoencoderLayouts, emulatorLayout } from "../helpers/models.ts";
import { type RawRow, writeRawRows } from "../helpers/raw-frame.ts";
import { run } from "./child.ts";
import { writePth } from "./make-pth.ts";

/** A command whose work is disturbed. */
export interface Job {
  readonly name: string;
  /** Files that it needs, from the folder that `prepare` made. */
  readonly inputs: readonly string[];
  readonly words: readonly string[];
  /** What is added to the words where it was disturbed; none where it simply runs again. */
  readonly resume: readonly string[];
  /** Files that have to come out the same to the byte, but for times. */
  readonly artefacts: readonly string[];
}

const training = [
  "recipe=original",
  ...["dataset.dataset_path=clean.h5", "model.batch_size=16", "run_dir=run", "threads=1", "checkpoint_minutes=1e-4"],
  // Enough of a patience's end for decisions to be taken.
  ...["model.max_epochs=6", "model.lr=0.01", "model.lr_decay_patience=1", "model.dropout_decay_patience=1"],
];
/** Phases, epochs that are no passes over the data, and a mean of the weights. */
const phases =
  "recipe.phases=[{epochs: 2, epoch_steps: 4, schedule: cosine, loss: {of: latents, name: huber}}, " +
  "{epochs: 4, epoch_steps: 3, schedule: cosine, dropout: 0.2, averaging: 0.9}]";
const autoencoderShape = ["hidden_dims=[8,4]", "latent_dim=3"];
const emulatorShape = ["autoencoder.latent_dim=3", "model.hidden_dim=8", "model.window_size=6"];
const runFiles = ["run/checkpoints/best.safetensors", "run/epochs.jsonl"];

export const jobs: readonly Job[] = [
  {
    name: "preprocess",
    inputs: ["raw.h5"],
    words: ["preprocess", "input_path=raw.h5", "output_path=made/clean.h5", "run_dir=run"],
    resume: [],
    artefacts: ["made/clean.h5"],
  },
  {
    name: "train-autoencoder",
    inputs: ["clean.h5"],
    words: ["train-autoencoder", ...training, ...autoencoderShape.map((key) => `model.${key}`)],
    resume: ["--resume-or-fresh"],
    artefacts: [
      ...["weights/grav/autoencoder.safetensors", "weights/grav/autoencoder.json", ...runFiles],
      ...["data/autoencoder_train_preprocessed.h5", "data/autoencoder_val_preprocessed.h5"],
    ],
  },
  {
    name: "train-emulator",
    inputs: ["clean.h5", "weights/grav/autoencoder.safetensors"],
    words: ["train-emulator", ...training, ...emulatorShape, phases],
    resume: ["--resume-or-fresh"],
    artefacts: [
      ...["weights/grav/emulator.safetensors", "weights/grav/emulator.json", ...runFiles],
      ...["data/training_seq.h5", "data/validation_seq.h5"],
    ],
  },
  {
    name: "emulate",
    inputs: ["clean.h5", "weights/grav/autoencoder.safetensors", "weights/grav/emulator.safetensors"],
    words: ["emulate", "clean.h5", "--output", "made/emulated.h5"],
    resume: [],
    artefacts: ["made/emulated.h5"],
  },
  {
    name: "import-weights",
    inputs: ["autoencoder.pth", "minmax.npy", "emulator.pth"],
    words: [
      ...["import-weights", "--autoencoder", "autoencoder.pth", "--latents-minmax", "minmax.npy"],
      ...["--emulator", "emulator.pth", ...emulatorShape, "autoencoder.hidden_dims=[8,4]"],
    ],
    resume: [],
    artefacts: ["weights/grav/autoencoder.safetensors", "weights/grav/emulator.safetensors"],
  },
  {
    name: "export",
    inputs: ["weights/grav/autoencoder.safetensors", "weights/grav/emulator.safetensors"],
    words: ["export", "onnx", "--output", "made/onnx"],
    resume: [],
    artefacts: ["encoder", "decoder", "step", "rollout"].map((name) => `made/onnx/${name}.onnx`),
  },
  {
    name: "evaluate",
    inputs: ["clean.h5", "weights/grav/autoencoder.safetensors", "weights/grav/emulator.safetensors"],
    words: ["evaluate", "dataset.dataset_path=clean.h5", "run_dir=run", "threads=1", "species=[CO]"],
    resume: [],
    artefacts: ["metrics.json", "metrics.csv", "samples.json", "report.html"].map((name) => `run/${name}`),
  },
  {
    name: "compare",
    inputs: ["first/metrics.json", "second/metrics.json"],
    words: ["compare", "first", "second", "--output", "made"],
    resume: [],
    artefacts: ["made/compare.json", "made/compare.html"],
  },
];

/** Copies what a job needs into a folder, where it is not there. */
export function provide(job: Job, from: string, to: string): void {
  for (const name of job.inputs) {
    if (existsSync(join(to, name))) continue;
    mkdirSync(dirname(join(to, name)), { recursive: true });
    cpSync(join(from, name), join(to, name));
  }
}

/** An empty folder of its own. */
export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), "astrochem-faults-"));
}

/** A folder with the inputs of every job: eight short tracers, tiny models of them, and the same models as PyTorch saves them. */
export async function prepare(): Promise<string> {
  const folder = newFolder();
  await writeRawRows(join(folder, "raw.h5"), rawRows());
  const steps = [
    ["preprocess", "input_path=raw.h5", "output_path=clean.h5"],
    wordsOf("train-autoencoder"),
    wordsOf("train-emulator"),
  ];
  // A run folder is one command's.
  for (const words of steps) await inPeace([...words, `run_dir=of-${words[0]}`], folder);
  for (const run_dir of ["first", "second"]) await inPeace([...wordsOf("evaluate"), `run_dir=${run_dir}`], folder);
  const autoencoder = readAutoencoder(join(folder, "weights/grav/autoencoder.safetensors"));
  const emulator = readEmulator(join(folder, "weights/grav/emulator.safetensors"));
  const { trainable, statistics } = autoencoderLayouts(autoencoder.model);
  writePth(join(folder, "autoencoder.pth"), [
    [trainable, autoencoder.trainable],
    [statistics, autoencoder.statistics],
  ]);
  writePth(join(folder, "emulator.pth"), [[emulatorLayout(emulator.model), emulator.trainable]]);
  writeNpy(join(folder, "minmax.npy"), { shape: [2], data: Float32Array.from(autoencoder.latent_range!) });
  return folder;
}

function wordsOf(job: string): readonly string[] {
  return jobs.find(({ name }) => name === job)!.words;
}

async function inPeace(words: readonly string[], folder: string): Promise<void> {
  const { code, stderr } = await run(words, folder);
  if (code !== 0) throw new Error(`${words[0]} ended with ${code}: ${stderr}`);
}

/** Eight tracers of twelve rows of smooth made-up chemistry. */
function rawRows(): RawRow[] {
  const species = readSpeciesList(fileURLToPath(new URL("../../utils/species.txt", import.meta.url)));
  return Array.from({ length: 8 * 12 }, (_, i) => {
    const [tracer, step] = [Math.floor(i / 12), i % 12];
    const abundances = species.map((name, s) => [name, 10 ** (-4 - (s % 12) - 0.3 * Math.sin(tracer + step / 6 + s))]);
    return {
      ...{ Tracer: tracer, Time: 100 * (step + 1), Density: 1e5 * (1 + tracer + step), gasTemp: 20 + tracer + step },
      ...{ Av: 1 + step, radfield: 1 + tracer / 10, ...Object.fromEntries(abundances) },
    };
  });
}
