import { beforeAll, describe, expect, it } from "vitest";
import { type HostTensors, hostTensor } from "../../src/backend/engine.ts";
import { lossAndGradients } from "../../src/backend/gradients.ts";
import { type TensorMap, tf } from "../../src/backend/tf.ts";
import { minmaxLatents } from "../../src/chemistry/scaling.ts";
import { rolloutFrom } from "../../src/models/evolver.ts";
import { trainingLoss } from "../../src/models/losses.ts";
import { runningNormalizer } from "../../src/models/normalization.ts";
import { adamWInputs } from "../../src/training/adamw.ts";
import { type EmulatorLoss, emulatorTrainStep, emulatorValidationStep } from "../../src/training/emulator-steps.ts";
import { golden } from "../helpers/fixtures.ts";
import { utilsStoichiometry } from "../helpers/golden-models.ts";
import { autoencoderOf, emulatorOf } from "../helpers/models.ts";
import { engineNamed, engines, expectClose, useWasm, withoutLeak } from "../helpers/tensors.ts";

interface GoldenEmulator {
  loss: { mean: number; worst: number; conservation: number; total: number };
  grad_norm: number;
  loss_trajectory: number[];
  latents_minmax: [number, number];
}
const { tensors, json } = golden<GoldenEmulator>("emulator");
const array = (name: string): Float32Array => tensors.get(name)!.data as Float32Array;
const named = (prefix: string): Map<string, { data: Float32Array }> =>
  new Map(
    [...tensors]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, t]) => [name.slice(prefix.length), { data: t.data as Float32Array }]),
  );

/** [windows, steps, n] → [steps, windows, n]: the golden numbers have the windows first. */
function timeFirst(data: Float32Array, windows: number, steps: number): Float32Array {
  const width = data.length / (windows * steps);
  const out = new Float32Array(data.length);
  for (let b = 0; b < windows; b++) {
    for (let t = 0; t < steps; t++) {
      out.set(data.subarray((b * steps + t) * width, (b * steps + t + 1) * width), (t * windows + b) * width);
    }
  }
  return out;
}

const [windows, steps] = [12, 15];
const setting = {
  compressor: autoencoderOf({ input_dim: 333, hidden_dims: [160, 80], latent_dim: 14 }),
  evolver: emulatorOf({ input_dim: 18, hidden_dim: 180, output_dim: 14 }),
  latents: minmaxLatents(json.latents_minmax),
  loss: { power_weight: 20, worst_weight: 2, conservation_weight: 500, log10_lower: -20, log10_upper: 0 },
} as const;
const optimizer = { betas: [0.9, 0.995], weight_decay: 1e-3, gradient_clipping: 1 } as const;
const { evolver, compressor } = setting;
const { layout } = evolver;
const frozen = compressor.layouts;

/** All states, [steps · windows, latent]. */
const rollout = (arrays: TensorMap, physical: tf.Tensor3D, latents: tf.Tensor2D): tf.Tensor2D =>
  rolloutFrom(evolver, arrays, { physical }, latents);
const initial = layout.gather(named("state."));
const batch: HostTensors = {
  physical: hostTensor(timeFirst(array("phys"), windows, steps), [steps, windows, 4]),
  latents: hostTensor(array("latents"), [windows, 14]),
  targets: hostTensor(timeFirst(array("targets"), windows, steps), [steps, windows, 333]),
};

function initialState(): HostTensors {
  const vector = (data: Float32Array) => hostTensor(data, [data.length]);
  return {
    parameters: vector(initial),
    first_moment: vector(new Float32Array(layout.size)),
    second_moment: vector(new Float32Array(layout.size)),
    decoder_parameters: vector(frozen.trainable.gather(named("autoencoder."))),
    decoder_statistics: vector(frozen.statistics.gather(named("autoencoder."))),
    stoichiometry: hostTensor(utilsStoichiometry(), [333, 9]),
  };
}

const upload = ({ data, shape }: { data: Float32Array; shape: readonly number[] }): tf.Tensor =>
  tf.tensor(data, [...shape]);

/** Loss and gradients of the first step, as plain arrays. */
function firstStep(): { parts: Record<string, number>; gradients: Record<string, ArrayLike<number>> } {
  return withoutLeak(() => {
    const frozenArrays = {
      ...frozen.trainable.unpack(tf.tensor1d(frozen.trainable.gather(named("autoencoder.")))),
      ...frozen.statistics.unpack(tf.tensor1d(frozen.statistics.gather(named("autoencoder.")))),
    };
    const target = tf.reshape(upload(batch.targets!), [steps * windows, 333]) as tf.Tensor2D;
    const { loss, gradients, aside } = lossAndGradients(layout.unpack(tf.tensor1d(initial)), (arrays) => {
      const z = rollout(arrays, upload(batch.physical!) as tf.Tensor3D, upload(batch.latents!) as tf.Tensor2D);
      const [low, high] = json.latents_minmax;
      const raw = tf.add<tf.Tensor2D>(tf.mul(z, high - low), low);
      const decoded = compressor.decode(frozenArrays, raw, runningNormalizer(frozenArrays));
      const { total, ...parts } = trainingLoss(
        decoded,
        target,
        tf.tensor2d(utilsStoichiometry(), [333, 9]),
        setting.loss,
      );
      return { loss: total, aside: parts };
    });
    const plain = (map: Record<string, tf.Tensor>) =>
      Object.entries(map).map(([name, tensor]) => [name, tensor.dataSync().slice()] as const);
    return {
      parts: Object.fromEntries(plain({ total: loss, ...aside }).map(([name, data]) => [name, data[0]!])),
      gradients: Object.fromEntries(plain(gradients)),
    };
  });
}

beforeAll(useWasm);

describe("the emulator equals the original's", () => {
  it("in the rollout", () => {
    const states = withoutLeak(() =>
      rollout(
        layout.unpack(tf.tensor1d(initial)),
        upload(batch.physical!) as tf.Tensor3D,
        upload(batch.latents!) as tf.Tensor2D,
      )
        .dataSync()
        .slice(),
    );
    expectClose(states, timeFirst(array("rollout"), windows, steps), { relative: 1e-5, absolute: 1e-6 });
  });

  it("in the loss, part by part, and in every gradient", () => {
    const { parts, gradients } = firstStep();
    expect(parts.reconstruction! / json.loss.mean).toBeCloseTo(1, 4);
    expect(parts.worst! / (2 * json.loss.worst)).toBeCloseTo(1, 4);
    expect(parts.conservation! / json.loss.conservation).toBeCloseTo(1, 4);
    expect(parts.total! / json.loss.total).toBeCloseTo(1, 4);
    for (const [name, { data }] of named("grad.")) expectClose(gradients[name]!, data, { relative: 1e-4, what: name });
  });

  it.each(engines)("in 10 optimizer steps on the %s engine, and the validation errors after them", async (name) => {
    const engine = await engineNamed(name);
    const state = engine.state(initialState());
    const step = engine.program("training", emulatorTrainStep(setting, optimizer));
    const losses: number[] = [];
    let tensorsAfterSecond = 0;
    for (let k = 1; k <= 10; k++) {
      const outputs = await step.run(state, { ...batch, ...adamWInputs(optimizer, 1e-3, k) });
      losses.push(outputs.total!.data[0]!);
      if (k === 1) expect(outputs.gradient_norm!.data[0]! / json.grad_norm).toBeCloseTo(1, 4);
      if (k === 2) tensorsAfterSecond = tf.memory().numTensors;
    }
    expect(tf.memory().numTensors).toBe(tensorsAfterSecond);
    expectClose(losses, json.loss_trajectory, { relative: 1e-4 });
    const parameters = (await state.read("parameters")).data;
    for (const { name } of layout.specs) {
      expectClose(layout.view(parameters, name), array(`after10.${name}`), { relative: 1e-4, what: name });
    }
    const { errors } = await engine.program("validation", emulatorValidationStep(setting)).run(state, batch);
    state.dispose();
    // The original divides the sum over windows and steps by the steps; its vector is per window count.
    expectClose(errors!.data, array("validation_loss_vector"), { relative: 1e-4 });
  });
});

describe("a phase of a recipe", () => {
  const l1 = { name: "l1", worst_weight: 0, conservation_weight: 0 } as const;
  const muon = { ...optimizer, optimizer: "muon", skip_overflow: true } as const;

  /** The loss of the first step, of the golden batch with these inputs in place of its own. */
  async function lossOf(phase: EmulatorLoss, inputs: HostTensors, name: (typeof engines)[number]): Promise<number> {
    const engine = await engineNamed(name);
    const state = engine.state(initialState());
    const step = engine.program("training", emulatorTrainStep(setting, muon, phase));
    const { total } = await step.run(state, { ...inputs, ...adamWInputs(muon, 1e-3, 1) });
    state.dispose();
    step.dispose();
    return total!.data[0]!;
  }

  /** Predicted scaled latents and abundances, time first. */
  function predicted(): { latents: Float32Array; abundances: Float32Array } {
    return withoutLeak(() => {
      const arrays = layout.unpack(tf.tensor1d(initial));
      const physical = upload(batch.physical!) as tf.Tensor3D;
      const z = rollout(arrays, physical, upload(batch.latents!) as tf.Tensor2D);
      const frozenArrays = {
        ...frozen.trainable.unpack(tf.tensor1d(frozen.trainable.gather(named("autoencoder.")))),
        ...frozen.statistics.unpack(tf.tensor1d(frozen.statistics.gather(named("autoencoder.")))),
      };
      const [low, high] = json.latents_minmax;
      const decoded = compressor.decode(
        frozenArrays,
        tf.add(tf.mul(z, high - low), low),
        runningNormalizer(frozenArrays),
      );
      return { latents: z.dataSync().slice() as Float32Array, abundances: decoded.dataSync().slice() as Float32Array };
    });
  }

  const meanAbsolute = (values: ArrayLike<number>, truth: ArrayLike<number>): number => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += Math.abs(values[i]! - truth[i]!);
    return sum / values.length;
  };

  it.each(engines)("on latents compares the rollout with the latents of every step, on the %s engine", async (name) => {
    const { targets: _, ...driving } = batch;
    const latent_targets = hostTensor(new Float32Array(steps * windows * 14).fill(0.25), [steps, windows, 14]);
    const { latents } = predicted();
    const expected = meanAbsolute(latents, new Float32Array(latents.length).fill(0.25));
    const loss = await lossOf({ ...l1, of: "latents" }, { ...driving, latent_targets }, name);
    expect(loss / expected).toBeCloseTo(1, 4);
  });

  it.each(engines)("decodes the chosen steps only, on the %s engine", async (name) => {
    const chosen = [3, 7];
    const width = windows * 333;
    const selection = new Float32Array(2 * steps);
    const some = new Float32Array(2 * width);
    const { abundances } = predicted();
    const wanted = new Float32Array(2 * width);
    for (const [k, step] of chosen.entries()) {
      selection[k * steps + step] = 1;
      some.set(batch.targets!.data.subarray(step * width, (step + 1) * width), k * width);
      wanted.set(abundances.subarray(step * width, (step + 1) * width), k * width);
    }
    const inputs = {
      ...batch,
      selection: hostTensor(selection, [2, steps]),
      targets: hostTensor(some, [2, windows, 333]),
    };
    const loss = await lossOf({ ...l1, of: "abundances" }, inputs, name);
    // In dex: a scaled unit is 20.
    expect(loss / (20 * meanAbsolute(wanted, some))).toBeCloseTo(1, 4);
  });
});
