import {
  type Engine,
  type HostTensors,
  hostTensor,
  mapValues,
  type StepFunction,
  sizeOf,
} from "../src/backend/engine.ts";
import { recordStep, type Shapes } from "../src/backend/recorder.ts";
import { minmaxLatents } from "../src/chemistry/scaling.ts";
import { RandomStream } from "../src/data/random.ts";
import type { Models } from "../src/export/onnx-parts.ts";
import { compressorOf } from "../src/models/compressors.ts";
import { initialEvolver } from "../src/models/evolver.ts";
import { evolverOf } from "../src/models/evolvers.ts";
import { Decoder, Encoder, Roller } from "../src/models/runners.ts";
import type { AutoencoderWeights, EmulatorWeights } from "../src/models/weights-file.ts";
import { adamWInputs } from "../src/training/adamw.ts";
import { autoencoderParts, autoencoderTrainStep } from "../src/training/autoencoder-steps.ts";
import { emulatorParts, emulatorTrainStep } from "../src/training/emulator-steps.ts";

export type CaseName =
  | "train autoencoder"
  | "train emulator"
  | "encode"
  | "decode"
  | "rollout"
  | "rollout and decode"
  | "encode, step and decode";

/** What is measured: sizes as in the peer. */
export interface BenchCase {
  readonly name: CaseName;
  readonly batch: number;
  /** Of a rollout; 0 where there is none. */
  readonly steps: number;
  /** Of trainings, where they are not the usual 333 and 14. */
  readonly sizes?: { readonly species: number; readonly latents: number };
  /** What the rate counts, per repetition. */
  readonly items: number;
  readonly unit: "rows/s" | "windows/s" | "steps/s";
  /** The ratio to the peer that is the goal, by engine, where there is one; `c`: of the exported C, `peak`: its share of the sgemm peak. */
  readonly goals?: Readonly<Partial<Record<"compiled" | "native" | "wasm" | "c" | "peak", number>>>;
  /** Multiplications and additions of a repetition of inference; of trainings they are counted (`flopsOf`). */
  readonly flops?: number;
}

const autoencoderShape = { input_dim: 333, hidden_dims: [160, 80], latent_dim: 14 } as const;
const emulatorShape = { input_dim: 18, hidden_dim: 180, output_dim: 14 } as const;
const compressor = compressorOf({ model_name: "autoencoder", model: autoencoderShape });
const evolver = evolverOf({ model_name: "emulator", model: emulatorShape });

/** The models to train. */
function modelsOf({ sizes = { species: 333, latents: 14 } }: BenchCase) {
  const { species, latents } = sizes;
  const coder = { ...autoencoderShape, input_dim: species, latent_dim: latents };
  const step = { ...emulatorShape, input_dim: 4 + latents, output_dim: latents };
  return {
    ...sizes,
    compressor: compressorOf({ model_name: "autoencoder", model: coder }),
    evolver: evolverOf({ model_name: "emulator", model: step }),
  };
}

/** Multiplications and additions of a row that is encoded or decoded, and of a step. */
const [coder, stepping] = [2 * (333 * 160 + 160 * 80 + 80 * 14), 2 * (18 * 180 + 180 * 180 + 180 * 14)];

const training = (batch: number, goals?: BenchCase["goals"]): BenchCase =>
  withGoals({ name: "train autoencoder", batch, steps: 0, items: batch, unit: "rows/s" }, goals);
const windows = (window: number, batch: number, goals?: BenchCase["goals"]): BenchCase =>
  withGoals({ name: "train emulator", batch, steps: window - 1, items: batch, unit: "windows/s" }, goals);
const rows = (name: "encode" | "decode", batch: number, goals?: BenchCase["goals"]): BenchCase =>
  withGoals({ name, batch, steps: 0, items: batch, unit: "rows/s", flops: batch * coder }, goals);
const rollouts = (name: "rollout" | "rollout and decode", batch: number, goals?: BenchCase["goals"]): BenchCase =>
  withGoals(
    {
      ...{ name, batch, steps: 296, items: 296 * batch, unit: "steps/s" },
      flops: 296 * batch * (name === "rollout" ? stepping : stepping + coder),
    },
    goals,
  );
/** A column of cells, as a simulation advances it. */
const column = (batch: number, goals?: BenchCase["goals"]): BenchCase =>
  withGoals(
    {
      ...{ name: "encode, step and decode", batch, steps: 1, items: batch, unit: "rows/s" },
      flops: batch * (stepping + 2 * coder),
    },
    goals,
  );

function withGoals(bench: BenchCase, goals: BenchCase["goals"]): BenchCase {
  return goals === undefined ? bench : { ...bench, goals };
}

export const cases: readonly BenchCase[] = [
  training(512),
  training(8192, { compiled: 1.2, native: 0.8 }),
  training(65536),
  windows(48, 64, { compiled: 2.5, native: 1 }),
  windows(48, 512),
  windows(240, 64, { compiled: 2, native: 1 }),
  windows(240, 512),
  rows("encode", 8192, { compiled: 1.2, native: 0.8, c: 1.8 }),
  rows("decode", 8192, { compiled: 1.2, native: 0.8, c: 1.8 }),
  rollouts("rollout", 1, { compiled: 12, c: 25 }),
  rollouts("rollout", 32, { compiled: 3, c: 5 }),
  rollouts("rollout", 1024, { compiled: 1.2, c: 2 }),
  rollouts("rollout and decode", 1),
  rollouts("rollout and decode", 32),
  rollouts("rollout and decode", 1024),
  column(100_000, { peak: 0.6 }),
];

/** One repetition of a case on an engine, and what to call at the end. */
export function prepare(bench: BenchCase, engine: Engine): { run: () => Promise<unknown>; dispose: () => void } {
  random = new RandomStream(1);
  if (bench.name === "train autoencoder") return trainAutoencoder(bench, engine);
  if (bench.name === "train emulator") return trainEmulator(bench, engine);
  return infer(bench, engine);
}

/** Multiplications and additions of a repetition: of a training those of the products that its recorded step makes. */
export async function flopsOf(bench: BenchCase): Promise<number> {
  if (bench.flops !== undefined) return bench.flops;
  let flops = 0;
  const shapesOf = (arrays: HostTensors): Shapes => mapValues(arrays, ({ shape }) => shape);
  const count = async (name: string, step: StepFunction, state: Shapes, inputs: Shapes) => {
    const { graph, shapes } = recordStep(name, step, state, inputs);
    for (const { op, inputs, outputs, attributes } of graph.nodes) {
      if (op !== "MatMul" && op !== "Gemm") continue;
      flops += 2 * sizeOf(shapes.get(outputs[0]!)!) * shapes.get(inputs[0]!)!.at(attributes.transA ? -2 : -1)!;
    }
  };
  const engine = {
    state: (arrays: HostTensors) => ({ shapes: shapesOf(arrays), dispose: () => {} }),
    program: (name: string, step: StepFunction) => ({
      run: (state: { shapes: Shapes }, inputs: HostTensors) => count(name, step, state.shapes, shapesOf(inputs)),
      dispose: () => {},
    }),
  };
  await prepare(bench, engine as unknown as Engine).run();
  return flops;
}

/** Begun anew for each case, so that engines are given the same numbers. */
let random = new RandomStream(1);
function uniform(...shape: number[]) {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  random.fillUniform(data, 0, 1);
  return hostTensor(data, shape);
}
const vector = (data: Float32Array) => hostTensor(data, [data.length]);
const loss = { power_weight: 20, worst_weight: 2, log10_lower: -20, log10_upper: 0 };

function trainAutoencoder(bench: BenchCase, engine: Engine) {
  const { batch } = bench;
  const { compressor, species, latents } = modelsOf(bench);
  const initial = compressor.initial(random, null);
  const optimizer = { betas: [0.99, 0.999], weight_decay: 1e-4, gradient_clipping: 2 } as const;
  const step = autoencoderTrainStep(compressor, { ...loss, conservation_weight: 100 }, optimizer);
  const size = compressor.layouts.trainable.size;
  const state = engine.state({
    ...moments(size),
    ...stoichiometry(species),
    parameters: vector(initial.trainable),
    statistics: vector(initial.statistics),
  });
  const features = uniform(batch, species);
  // Masks and noise are drawn in the measured time, as the peer draws them.
  const draw = (): HostTensors => {
    const [encoder_mask, decoder_mask, noise] = [80, 160, latents].map((n) =>
      hostTensor(new Float32Array(batch * n), [batch, n]),
    );
    random.fillKeepMask(encoder_mask!.data, 0.3);
    random.fillKeepMask(decoder_mask!.data, 0.3);
    random.fillNormal(noise!.data, 0.1);
    return { encoder_mask: encoder_mask!, decoder_mask: decoder_mask!, noise: noise! };
  };
  const program = engine.program("train autoencoder", step, { parts: autoencoderParts(compressor) });
  let k = 0;
  return {
    run: () => program.run(state, { features, ...draw(), ...adamWInputs(optimizer, 1e-5, ++k) }),
    dispose: () => disposeAll([program, state]),
  };
}

function trainEmulator(bench: BenchCase, engine: Engine) {
  const { batch, steps } = bench;
  const { compressor, evolver, species, latents: width } = modelsOf(bench);
  const frozen = compressor.initial(random, null);
  const optimizer = { betas: [0.9, 0.995], weight_decay: 1e-3, gradient_clipping: 1 } as const;
  const setting = {
    compressor,
    evolver,
    latents: minmaxLatents([-0.17, 1.83]),
    loss: { ...loss, conservation_weight: 500 },
  };
  const program = engine.program("train emulator", emulatorTrainStep(setting, optimizer), {
    parts: emulatorParts(evolver),
  });
  const state = engine.state({
    ...moments(evolver.layout.size),
    ...stoichiometry(species),
    parameters: vector(initialEvolver(evolver, random)),
    decoder_parameters: vector(frozen.trainable),
    decoder_statistics: vector(frozen.statistics),
  });
  const inputs = {
    physical: uniform(steps, batch, 4),
    latents: uniform(batch, width),
    targets: uniform(steps, batch, species),
  };
  let k = 0;
  return {
    run: () => program.run(state, { ...inputs, ...adamWInputs(optimizer, 1e-5, ++k) }),
    dispose: () => disposeAll([program, state]),
  };
}

const provenance = { data_hash: null, seed: 0, epoch: 1, best_metric: null, versions: {} };

/** The models of inference, of random weights. */
export function benchModels(): Models {
  const autoencoder = {
    model_name: "autoencoder",
    model: autoencoderShape,
    species: Array.from({ length: 333 }, (_, k) => `H${k + 1}`),
    provenance,
    // Bounds as trained weights have them: keeping within them is part of the work.
    abundances_clipping: { lower: 1e-20, upper: 1 },
    abundance_range: columns(333, -20, 0),
    ...compressor.initial(random, null),
  } as unknown as AutoencoderWeights;
  const emulator = {
    model_name: "emulator",
    model: emulatorShape,
    scaled_latent_range: columns(14, 0, 1),
    physical_parameters: ["Density", "Radfield", "Av", "gasTemp"].map((name) => ({ name, range: [1, 10] })),
    provenance,
    time_step_yr: 1,
    trainable: initialEvolver(evolver, random),
  } as unknown as EmulatorWeights;
  return { autoencoder, emulator: { weights: emulator, latents: minmaxLatents([-0.17, 1.83]) } };
}

function infer({ name, batch, steps }: BenchCase, engine: Engine) {
  const { autoencoder, emulator } = benchModels();
  const [encoder, decoder, roller] = [
    new Encoder(engine, autoencoder),
    new Decoder(engine, autoencoder),
    new Roller(engine, emulator!.weights),
  ];
  const [x, z, physical] = [
    uniform(batch, 333).data,
    uniform(batch, 14).data,
    uniform(batch, Math.max(steps, 1), 4).data,
  ];
  // As callers of the C do it, and those of `Inference` may.
  const into = new Float32Array(batch * Math.max(steps, 1) * 333);
  const rollout = () => roller.rollout(physical, z, batch, steps);
  const actions = {
    encode: () => encoder.encode(x, batch),
    decode: () => decoder.decode(z, batch, into),
    rollout,
    "rollout and decode": async () => decoder.decode(await rollout(), batch * steps, into),
    "encode, step and decode": async () =>
      decoder.decode(await roller.rollout(physical, await encoder.encode(x, batch), batch, 1), batch, into),
  };
  return {
    run: actions[name as keyof typeof actions],
    dispose: () => disposeAll([encoder, decoder, roller]),
  };
}

function columns(count: number, low: number, high: number): { lower: number[]; upper: number[] } {
  return { lower: new Array<number>(count).fill(low), upper: new Array<number>(count).fill(high) };
}

function disposeAll(things: readonly { dispose(): void }[]): void {
  for (const thing of things) thing.dispose();
}

function moments(size: number): HostTensors {
  return { first_moment: vector(new Float32Array(size)), second_moment: vector(new Float32Array(size)) };
}

function stoichiometry(species: number): HostTensors {
  return { stoichiometry: uniform(species, 9) };
}
