import { beforeAll, describe, expect, it } from "vitest";
import {
  type Engine,
  type HostTensor,
  type HostTensors,
  hostTensor,
  type StepFunction,
} from "../../src/backend/engine.ts";
import { cutBatch } from "../../src/backend/parts.ts";
import { tf } from "../../src/backend/tf.ts";
import { minmaxLatents } from "../../src/chemistry/scaling.ts";
import { RandomStream } from "../../src/data/random.ts";
import { compressorOf, compressors } from "../../src/models/compressors.ts";
import { initialEvolver } from "../../src/models/evolver.ts";
import { evolverOf, evolvers } from "../../src/models/evolvers.ts";
import { originalLoss } from "../../src/models/recipe-loss.ts";
import { adamWInputs } from "../../src/training/adamw.ts";
import {
  autoencoderParts,
  autoencoderTrainStep,
  autoencoderValidationStep,
} from "../../src/training/autoencoder-steps.ts";
import { emulatorParts, emulatorTrainStep, emulatorValidationStep } from "../../src/training/emulator-steps.ts";
import { expectClose, partingEngine, useWasm } from "../helpers/tensors.ts";

const [species, latent, physical] = [6, 2, 3];
const atoms = hostTensor(Float32Array.from([1, 0, 0, 1, 2, 1, 1, 1, 0, 2, 3, 0]), [species, 2]);
const loss = { power_weight: 0.5, worst_weight: 2, conservation_weight: 3, log10_lower: -20, log10_upper: 0 };
const dex = { name: "huber", corner: 0.1, worst_weight: 0.5, conservation_weight: 0.5 } as const;
const optimizer = { betas: [0.9, 0.99], weight_decay: 0, gradient_clipping: 0.1 } as const;

function uniform(shape: readonly number[], seed: number): HostTensor {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  new RandomStream(seed).fillUniform(data, 0, 1);
  return hostTensor(data, shape);
}
const mask = (shape: readonly number[], seed: number): HostTensor => {
  const { data } = uniform(shape, seed);
  return hostTensor(
    data.map((value) => (value < 0.25 ? 0 : 4 / 3)),
    shape,
  );
};

beforeAll(useWasm);

/** A step as a training binds it. */
interface Step {
  readonly step: StepFunction;
  readonly parts: Readonly<Record<string, number>>;
  readonly initial: HostTensors;
  readonly inputs: HostTensors;
}

/** Outputs of the first of three steps, and the state after them. */
async function taken({ step, parts, initial, inputs }: Step, engine: Engine, options = { parts }) {
  const [state, program] = [engine.state(initial), engine.program("step", step, options)];
  const outputs = await program.run(state, { ...inputs, ...adamWInputs(optimizer, 1e-3, 1) });
  const arrays: Record<string, Float32Array> = {};
  for (const name of state.names) arrays[name] = (await state.read(name)).data;
  for (const k of [2, 3]) await program.run(state, { ...inputs, ...adamWInputs(optimizer, 1e-3, k) });
  const after = (await state.read("parameters")).data;
  await program.dispose();
  state.dispose();
  return { outputs, arrays, after };
}

/** The same in one piece and in parts, to rounding. */
async function compared(step: Step, numbersAtOnce: number): Promise<void> {
  const whole = await taken(step, await partingEngine());
  const shares: number[] = [];
  const watched: StepFunction = (state, inputs, part) => {
    shares.push(part!.share);
    return step.step(state, inputs, part);
  };
  const parted = await taken({ ...step, step: watched }, await partingEngine(numbersAtOnce));
  expect(Math.min(...shares)).toBeLessThan(1);
  for (const [name, { data, shape }] of Object.entries(whole.outputs)) {
    expect(parted.outputs[name]!.shape).toEqual(shape);
    expectClose(parted.outputs[name]!.data, data, { relative: 2e-5, absolute: 1e-7, what: name });
  }
  for (const name of ["first_moment", "statistics"]) {
    const expected = whole.arrays[name];
    if (expected) expectClose(parted.arrays[name]!, expected, { relative: 5e-5, what: name });
  }
}

const vector = (data: Float32Array): HostTensor => hostTensor(data, [data.length]);
const moments = (size: number): HostTensors => ({
  first_moment: vector(new Float32Array(size)),
  second_moment: vector(new Float32Array(size)),
});

/** Each compressor that learns, its composition made up. */
const trained = Object.values(compressors)
  .map(({ name }) => name)
  .filter((name) => name !== "identity");

function compressorNamed(model_name: string) {
  const elements = model_name === "autoencoder" ? {} : { elements: ["C"] };
  const compressor = compressorOf({
    model_name,
    model: { input_dim: species, hidden_dims: [5, 4], latent_dim: latent, ...elements },
  });
  const table = {
    elements: ["C", "O"],
    atoms: [0, 1, 2, 3, 4, 5].map((s) => [...atoms.data.subarray(2 * s, 2 * s + 2)]),
  };
  const composition = { table, meanTotals: [-3, -3], log10_lower: -20, log10_upper: 0 } as never;
  return { compressor, vectors: compressor.initial(new RandomStream(4), null, composition) };
}

function autoencoderStep(model_name: string, rows: number, phase: typeof originalLoss | typeof dex): Step {
  const { compressor, vectors } = compressorNamed(model_name);
  const noise = uniform([rows, compressor.shape.latent_dim], 3);
  return {
    step: autoencoderTrainStep(compressor, loss, optimizer, phase as never),
    parts: autoencoderParts(compressor),
    initial: {
      ...moments(vectors.trainable.length),
      parameters: vector(vectors.trainable),
      statistics: vector(vectors.statistics),
      stoichiometry: atoms,
    },
    inputs: {
      features: uniform([rows, species], 1),
      ...Object.fromEntries(compressor.masks.map(({ name, shape }, k) => [name, mask([rows, ...shape], 5 + k)])),
      // The last component is the totals' where there is one.
      [phase === originalLoss ? "noise" : "relative_noise"]: hostTensor(
        noise.data.map((value) => 0.1 * value),
        noise.shape,
      ),
    },
  };
}

describe.each(trained)("a batch of the %s in parts", (name) => {
  it.each([
    [400, "the original's loss and noise", originalLoss],
    [400, "an error in dex and relative noise", dex],
    [401, "the original's loss and noise", originalLoss],
  ] as const)("of %i rows gives the loss, gradient and statistics of the whole, with %s", async (rows, _, phase) => {
    await compared(autoencoderStep(name, rows, phase), 100_000);
  });

  it("is validated as the whole", async () => {
    const { compressor, vectors } = compressorNamed(name);
    const initial = { parameters: vector(vectors.trainable), statistics: vector(vectors.statistics) };
    const inputs = { features: uniform([401, species], 1) };
    const step = autoencoderValidationStep(compressor, loss);
    await compared({ step, parts: autoencoderParts(compressor), initial, inputs }, 30_000);
  });
});

describe.each(Object.keys(evolvers))("a batch of the %s in parts", (model_name) => {
  const [steps, windows] = [3, 5];
  const { compressor, vectors } = compressorNamed("autoencoder");
  const small = "hidden_dim" in evolvers[model_name as keyof typeof evolvers]!.widths ? { hidden_dim: 6 } : {};
  const evolver = evolverOf({ model_name, model: { input_dim: physical + latent, output_dim: latent, ...small } });
  const setting = { compressor, evolver, latents: minmaxLatents([-0.2, 1.4]), loss };
  const initial = {
    ...moments(evolver.layout.size),
    parameters: vector(initialEvolver(evolver, new RandomStream(3), 0.3)),
    decoder_parameters: vector(vectors.trainable),
    decoder_statistics: vector(vectors.statistics),
    stoichiometry: atoms,
  };
  const driving = { physical: uniform([steps, windows, physical], 1), latents: uniform([windows, latent], 2) };
  const masks = evolver.masks.map(({ name, shape }, k) => [name, mask([steps, windows, ...shape], 20 + k)] as const);
  const targets = uniform([steps, windows, species], 4);
  const parts = emulatorParts(evolver);

  it("gives the loss and gradient of the whole: on abundances, on some of the steps, on latents", async () => {
    const step = emulatorTrainStep(setting, optimizer);
    const inputs = { ...driving, ...Object.fromEntries(masks), targets };
    await compared({ step, parts, initial, inputs }, 1);
    const selection = hostTensor(
      Float32Array.from({ length: 2 * steps }, (_, i) => Number(i === 0 || i === 5)),
      [2, steps],
    );
    const chosen = { ...driving, selection, targets: uniform([2, windows, species], 5) };
    const inDex = emulatorTrainStep(setting, optimizer, { ...dex, of: "abundances" });
    await compared({ step: inDex, parts, initial, inputs: chosen }, 1);
    const onLatents = emulatorTrainStep(setting, optimizer, { ...dex, of: "latents" });
    const latent_targets = uniform([steps, windows, latent], 6);
    await compared({ step: onLatents, parts, initial, inputs: { ...driving, latent_targets } }, 1);
  });

  it("is validated as the whole", async () => {
    const step = emulatorValidationStep(setting);
    await compared({ step, parts, initial, inputs: { ...driving, targets } }, 1);
  });
});

describe("parts of a batch", () => {
  it("are of one size where some number of them is, and of two at most", () => {
    const sizes = (items: number, parts: number): number[] => cutBatch(items, parts).map(({ count }) => count);
    expect(sizes(12, 1)).toEqual([12]);
    expect(sizes(12, 5)).toEqual([2, 2, 2, 2, 2, 2]);
    expect(sizes(101, 4)).toEqual([26, 26, 26, 23]);
    expect(sizes(2, 9)).toEqual([1, 1]);
    expect(cutBatch(101, 4).map(({ start }) => start)).toEqual([0, 26, 52, 78]);
  });

  it("are none where the batch is small: the bits are those of a program that knows no parts", async () => {
    const step = autoencoderStep("autoencoder", 96, originalLoss);
    expect(await taken(step, await partingEngine())).toEqual(await taken(step, await partingEngine(), {} as never));
  });

  it("give the same bits twice, and learn what the whole learns", async () => {
    const step = autoencoderStep("autoencoder", 96, originalLoss);
    const parted = await taken(step, await partingEngine(10_000));
    expect(await taken(step, await partingEngine(10_000))).toEqual(parted);
    expectClose(parted.after, (await taken(step, await partingEngine())).after, { absolute: 3e-3 });
  });

  it("are refused where a step has an output of a part, not of the whole", async () => {
    const unsummed: StepFunction = (_, { x }, part) => {
      const mean = part!.sum(tf.mean(x!, 0));
      return { outputs: { mean, own: tf.max(x!, 0), spread: part!.sum(tf.sum(tf.square(tf.sub(x!, mean)), 0)) } };
    };
    const alone: StepFunction = (_, { x }, part) => ({
      outputs: { sum: part!.sum(tf.sum(x!, 0)), own: tf.max(x!, 0) },
    });
    for (const step of [unsummed, alone]) {
      const engine = await partingEngine(1);
      const program = engine.program("unsummed", step, { parts: { x: 0 } });
      const run = program.run(engine.state({}), { x: uniform([8, 3], 1) });
      await expect(run).rejects.toThrow("unsummed: an output is of a part of the batch, not summed over all");
    }
  });
});
