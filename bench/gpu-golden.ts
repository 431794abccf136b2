/**
 * The original's numbers (tests/fixtures/golden) on a GPU or the CPU: 20 optimizer steps of the autoencoder and 10 of the emulator. A JSON
 * line for each model: the largest relative deviation of a loss. Run in a folder that has tests/fixtures and utils: gpu-golden.ts webgpu|cpu
 */
import { readFileSync } from "node:fs";
import { type HostTensor, type HostTensors, hostTensor, type StepFunction } from "../src/backend/engine.ts";
import { minmaxLatents } from "../src/chemistry/scaling.ts";
import { readSafetensors } from "../src/formats/safetensors.ts";
import { compressorOf } from "../src/models/compressors.ts";
import { evolverOf } from "../src/models/evolvers.ts";
import { type AdamWSettings, adamWInputs } from "../src/training/adamw.ts";
import { autoencoderTrainStep } from "../src/training/autoencoder-steps.ts";
import { emulatorTrainStep } from "../src/training/emulator-steps.ts";
import { utilsStoichiometry } from "../tests/helpers/golden-models.ts";
import { gpuEngine } from "./gpu-engine.ts";

const compressor = compressorOf({
  model_name: "autoencoder",
  model: { input_dim: 333, hidden_dims: [160, 80], latent_dim: 14 },
});
const evolver = evolverOf({ model_name: "emulator", model: { input_dim: 18, hidden_dim: 180, output_dim: 14 } });
const loss = { power_weight: 20, worst_weight: 2, log10_lower: -20, log10_upper: 0 };
const provider = process.argv[2] as "cpu" | "webgpu";
const { engine } = await gpuEngine(provider);
const { layouts } = compressor;

const a = golden("autoencoder");
const ofAutoencoder = { betas: [0.99, 0.999], weight_decay: 1e-4, gradient_clipping: 2 } as const;
await compare("autoencoder", a.losses, {
  step: autoencoderTrainStep(compressor, { ...loss, conservation_weight: 100 }, ofAutoencoder),
  settings: ofAutoencoder,
  state: {
    ...trained(layouts.trainable.gather(a.under("state."))),
    statistics: vector(layouts.statistics.gather(a.under("state."))),
  },
  batch: (k) => ({ features: hostTensor(a.array(k === 0 ? "features" : `batch${(k - 1) % 4}`), [96, 333]) }),
});

const e = golden("emulator");
const ofEmulator = { betas: [0.9, 0.995], weight_decay: 1e-3, gradient_clipping: 1 } as const;
const setting = {
  ...{ compressor, evolver, latents: minmaxLatents(e.latents) },
  loss: { ...loss, conservation_weight: 500 },
};
const [windows, steps] = [12, 15];
const batch = {
  physical: hostTensor(timeFirst(e.array("phys")), [steps, windows, 4]),
  latents: hostTensor(e.array("latents"), [windows, 14]),
  targets: hostTensor(timeFirst(e.array("targets")), [steps, windows, 333]),
};
await compare("emulator", e.losses, {
  step: emulatorTrainStep(setting, ofEmulator),
  settings: ofEmulator,
  state: {
    ...trained(evolver.layout.gather(e.under("state."))),
    decoder_parameters: vector(layouts.trainable.gather(e.under("autoencoder."))),
    decoder_statistics: vector(layouts.statistics.gather(e.under("autoencoder."))),
  },
  batch: () => batch,
});
process.exit(0);

interface Training {
  readonly step: StepFunction;
  readonly settings: AdamWSettings;
  readonly state: HostTensors;
  readonly batch: (k: number) => HostTensors;
}

async function compare(model: string, expected: readonly number[], training: Training): Promise<void> {
  const state = engine.state(training.state);
  const program = engine.program(model, training.step);
  let worst = 0;
  for (const [k, loss] of expected.entries()) {
    const inputs = { ...training.batch(k), ...adamWInputs(training.settings, 1e-3, k + 1) };
    const { total } = await program.run(state, inputs);
    worst = Math.max(worst, Math.abs(total!.data[0]! / loss - 1) || 0);
  }
  const line = { provider, golden: model, steps: expected.length, largest_relative_deviation: worst };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function golden(name: string) {
  const path = `tests/fixtures/golden/${name}`;
  const { tensors } = readSafetensors(`${path}.safetensors`);
  const { loss_trajectory, latents_minmax } = JSON.parse(readFileSync(`${path}.json`, "utf8"));
  const array = (key: string): Float32Array => tensors.get(key)!.data as Float32Array;
  const under = (prefix: string) =>
    new Map(
      [...tensors.keys()]
        .filter((key) => key.startsWith(prefix))
        .map((key) => [key.slice(prefix.length), { data: array(key) }]),
    );
  return { losses: loss_trajectory as number[], latents: latents_minmax as [number, number], array, under };
}

function vector(data: Float32Array): HostTensor {
  return hostTensor(data, [data.length]);
}

function trained(parameters: Float32Array): HostTensors {
  const zeros = (): HostTensor => vector(new Float32Array(parameters.length));
  const stoichiometry = hostTensor(utilsStoichiometry(), [333, 9]);
  return { parameters: vector(parameters), first_moment: zeros(), second_moment: zeros(), stoichiometry };
}

/** [windows, steps, n] → [steps, windows, n]. */
function timeFirst(data: Float32Array): Float32Array {
  const width = data.length / (windows * steps);
  return data.map((_, i) => {
    const [row, k] = [Math.floor(i / width), i % width];
    return data[((row % windows) * steps + Math.floor(row / windows)) * width + k]!;
  });
}
