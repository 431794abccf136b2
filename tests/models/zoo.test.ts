import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type HostTensor, type HostTensors, hostTensor } from "../../src/backend/engine.ts";
import { type TensorMap, tf } from "../../src/backend/tf.ts";
import { minmaxLatents } from "../../src/chemistry/scaling.ts";
import { RandomStream } from "../../src/data/random.ts";
import { exportOnnx } from "../../src/export/export-onnx.ts";
import { type Evolver, initialEvolver, rolloutFrom } from "../../src/models/evolver.ts";
import { evolverOf, evolvers } from "../../src/models/evolvers.ts";
import { joinMembers } from "../../src/models/members.ts";
import { Roller } from "../../src/models/runners.ts";
import {
  autoencoderHash,
  type EmulatorWeights,
  writeAutoencoder,
  writeEmulator,
} from "../../src/models/weights-file.ts";
import { adamWInputs } from "../../src/training/adamw.ts";
import { emulatorTrainStep } from "../../src/training/emulator-steps.ts";
import { testFolder } from "../helpers/folder.ts";
import { autoencoderOf, initialAutoencoder } from "../helpers/models.ts";
import { engineNamed, engines, expectClose, useWasm, withoutLeak } from "../helpers/tensors.ts";

/** What every evolver does, whatever it computes: a new one is tested by being in the registry. */
const [parameters, latent, batch, steps] = [3, 2, 2, 7];
const sizes = { input_dim: parameters + latent, output_dim: latent };

/** Each kind with its usual widths, but small where it has a `hidden_dim`; where it reads parameters by themselves, those too. */
const variants = Object.values(evolvers).flatMap(({ name, widths, reads }) => {
  const small = "hidden_dim" in widths ? { hidden_dim: 6 } : {};
  const usual = { label: name, model_name: name, model: { ...sizes, ...small } as object };
  const read = Object.fromEntries(reads.map((parameter, k) => [parameter, { index: 1 + k, range: [10, 1000] }]));
  const more = name === "latent_rnn" ? { layers: 2 } : name === "latent_ode" ? { substeps: 2 } : null;
  return [
    usual,
    ...(reads.length ? [{ ...usual, label: `${name} by its ${reads}`, model: { ...usual.model, ...read } }] : []),
    ...(more ? [{ ...usual, label: `${name} ${JSON.stringify(more)}`, model: { ...usual.model, ...more } }] : []),
  ];
});

function uniform(shape: number[], seed: number): HostTensor {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  new RandomStream(seed).fillUniform(data, 0, 1);
  return hostTensor(data, shape);
}
const upload = ({ data, shape }: HostTensor): tf.Tensor => tf.tensor(data, [...shape]);
const physical = uniform([steps, batch, parameters], 1);
const start = uniform([batch, latent], 2);
const fresh = (evolver: Evolver): Float32Array => initialEvolver(evolver, new RandomStream(3), 0.3);

/** All states and the carry of a rollout in one piece, of weights in one vector. */
function rolled(evolver: Evolver, vector: Float32Array, bounds: TensorMap | null = null): Float32Array {
  return withoutLeak(() => {
    const drive = { physical: upload(physical) as tf.Tensor3D, bounds: bounds as never };
    const arrays = evolver.layout.unpack(tf.tensor1d(vector));
    return rolloutFrom(evolver, arrays, drive, upload(start) as tf.Tensor2D)
      .dataSync()
      .slice() as Float32Array;
  });
}

/** One optimizer step after another on latents that decay; the loss of each, and the state after them. */
const optimizer = { betas: [0.9, 0.995], weight_decay: 0, gradient_clipping: 1 } as const;
function training(evolver: Evolver) {
  const setting = {
    evolver,
    compressor: autoencoderOf(autoencoder.model),
    latents: minmaxLatents([0, 1]),
    loss: {} as never,
  };
  const step = emulatorTrainStep(setting, optimizer, {
    of: "latents",
    name: "l1",
    corner: 1,
    cap: null,
    worst_weight: 0,
    conservation_weight: 0,
  } as never);
  const decayed = Float32Array.from({ length: steps * batch * latent }, (_, i) => {
    return 0.2 + 0.7 ** (1 + Math.floor(i / (batch * latent))) * (start.data[i % (batch * latent)]! - 0.2);
  });
  const masks = Object.fromEntries(
    evolver.masks.map(({ name, shape }, k) => {
      const { data, shape: of } = uniform([steps, batch, ...shape], 20 + k);
      return [
        name,
        hostTensor(
          data.map((value) => (value < 0.25 ? 0 : 4 / 3)),
          of,
        ),
      ];
    }),
  );
  const inputs: HostTensors = { physical, latents: start, latent_targets: hostTensor(decayed, [steps, batch, latent]) };
  const zeros = (): HostTensor => hostTensor(new Float32Array(evolver.layout.size), [evolver.layout.size]);
  const initial: HostTensors = {
    parameters: hostTensor(fresh(evolver), [evolver.layout.size]),
    first_moment: zeros(),
    second_moment: zeros(),
  };
  return { step, inputs, masks, initial };
}

const species = ["HCN", "SIO", "HCL", "HE", "MG", "CS"];
const provenance = { data_hash: null, seed: 0, epoch: 1, best_metric: null, versions: {} };
const shape = { input_dim: species.length, hidden_dims: [5, 4] as [number, number], latent_dim: latent };
const autoencoder = {
  species,
  provenance,
  model_name: "autoencoder",
  model: shape,
  abundances_clipping: { lower: 1e-20, upper: 1 },
  latent_range: [-0.2, 1.4] as [number, number],
  steps: 3,
  ...initialAutoencoder(shape, new RandomStream(4)),
};

beforeAll(useWasm);

describe.each(variants)("$label", ({ label, model_name, model }) => {
  const evolver = evolverOf({ model_name, model });
  const weights = {
    model_name,
    model: evolver.shape,
    trainable: fresh(evolver),
  } as unknown as EmulatorWeights;

  it("has fresh weights in its layout, and begins with the carry that it names", () => {
    const names = evolver.layout.specs.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(Object.values(evolver.last)));
    expect(new Set(names).size).toBe(names.length);
    const vector = initialEvolver(evolver, new RandomStream(3), 0.01);
    expect(vector.length).toBe(evolver.layout.size);
    expect(vector.every(Number.isFinite)).toBe(true);
    const shapes = withoutLeak(() => {
      const begun = evolver.begin(evolver.layout.unpack(tf.tensor1d(vector)), upload(start) as tf.Tensor2D);
      return Object.entries(begun).map(([name, value]) => ({ name, shape: value.shape }));
    });
    expect(shapes).toEqual(evolver.carry.map(({ name, shape }) => ({ name, shape: [batch, ...shape] })));
  });

  it("rolls out the same twice, in stretches as in one piece, and by physical parameters of its own", () => {
    const whole = rolled(evolver, fresh(evolver));
    expect(whole.length).toBe(steps * batch * latent);
    expect(whole.every(Number.isFinite)).toBe(true);
    expect(rolled(evolver, fresh(evolver))).toEqual(whole);
    const parts = withoutLeak(() => {
      const arrays = evolver.layout.unpack(tf.tensor1d(fresh(evolver)));
      const all = upload(physical) as tf.Tensor3D;
      let latents = upload(start) as tf.Tensor2D;
      let carry = evolver.begin(arrays, latents);
      const made: number[] = [];
      for (const [from, count] of [
        [0, 3],
        [3, 1],
        [4, steps - 4],
      ] as const) {
        const drive = { physical: tf.slice(all, [from, 0, 0], [count, batch, parameters]) };
        const { states, carry: after } = evolver.rollout(arrays, drive, { latents, carry });
        made.push(...states.dataSync());
        latents = tf.slice(states, [(count - 1) * batch, 0], [batch, latent]);
        carry = after;
      }
      return made;
    });
    expectClose(parts, whole, { absolute: 1e-6 });
  });

  it("stays within its bounds", () => {
    const bounds = tf.tidy(() => ({ lower: tf.fill([1, latent], 0.45), upper: tf.fill([1, latent], 0.55) }));
    const kept = rolled(evolver, fresh(evolver), bounds);
    tf.dispose(bounds);
    for (const value of kept) expect(Math.abs(value - 0.5)).toBeLessThanOrEqual(0.050001);
  });

  it("keeps the latents that are held, and moves the others", () => {
    const holder = evolverOf({ model_name, model: { ...model, held: 1 } });
    const rows = evolver.layout.specs.find(({ name }) => name === evolver.last.weight)!.shape[0];
    const states = rolled(holder, fresh(holder));
    const moved = states.map((value, at) => Math.abs(value - start.data[at % (batch * latent)]!));
    // Where the last layer gives no change of each latent, nothing is held.
    const isHeld = rows === latent && !["latent_relaxation", "latent_neural_operator"].includes(model_name);
    expect(Math.max(...moved.filter((_, at) => at % latent === 0))).toBeGreaterThan(1e-4);
    if (isHeld) expect(Math.max(...moved.filter((_, at) => at % latent === 1))).toBe(0);
    else expect(["latent_relaxation", "latent_neural_operator"]).toContain(model_name);
  });

  it("has the gradient that finite differences have", () => {
    const vector = fresh(evolver);
    const direction = uniform([vector.length], 9).data.map((value) => value - 0.5);
    const factors = uniform([steps * batch, latent], 10);
    const weighted = (states: Float32Array): number =>
      states.reduce((sum, value, i) => sum + value * factors.data[i]!, 0);
    const size = 2e-3;
    const at = (shift: number): number =>
      weighted(
        rolled(
          evolver,
          vector.map((value, i) => value + shift * direction[i]!),
        ),
      );
    const slope = withoutLeak(() => {
      const gradient = tf.grad((x) => {
        const drive = { physical: upload(physical) as tf.Tensor3D };
        const states = rolloutFrom(evolver, evolver.layout.unpack(x), drive, upload(start) as tf.Tensor2D);
        return tf.sum(tf.mul(states, upload(factors)));
      })(tf.tensor1d(vector));
      return tf.sum(tf.mul(gradient, tf.tensor1d(direction))).dataSync()[0]!;
    });
    const expected = (at(size) - at(-size)) / (2 * size);
    expect(Math.abs(slope - expected)).toBeLessThan(0.01 * Math.abs(expected) + 2e-3);
  });

  it("rolls out in stretches on every engine as in one piece", async () => {
    // 21 steps are 16, 4 and 1.
    const long = 21;
    const driving = uniform([batch, long, parameters], 5);
    const made: Float32Array[] = [];
    for (const name of engines) {
      const roller = new Roller(await engineNamed(name), weights);
      made.push(await roller.rollout(driving.data, start.data, batch, long));
      await roller.dispose();
    }
    const whole = withoutLeak(() => {
      const timeFirst = tf.transpose(upload(driving) as tf.Tensor3D, [1, 0, 2]);
      const arrays = evolver.layout.unpack(tf.tensor1d(weights.trainable));
      const states = rolloutFrom(evolver, arrays, { physical: timeFirst }, upload(start) as tf.Tensor2D);
      return tf
        .transpose(tf.reshape(states, [long, batch, latent]), [1, 0, 2])
        .dataSync()
        .slice();
    });
    for (const states of made) expectClose(states, whole, { relative: 1e-5 });
  });

  it("trains alike on every engine, with dropout, and dropout makes a difference", async () => {
    const { step, inputs, masks, initial } = training(evolver);
    const after: HostTensor[] = [];
    const losses: number[] = [];
    for (const name of engines) {
      const engine = await engineNamed(name);
      const [state, program] = [engine.state(initial), engine.program("training", step)];
      const scalars = adamWInputs(optimizer, 1e-3, 1);
      const { total } = await program.run(state, { ...inputs, ...masks, ...scalars });
      losses.push(total!.data[0]!);
      after.push(await state.read("first_moment"));
      const plain = engine.state(initial);
      const without = await program.run(plain, { ...inputs, ...scalars });
      if (evolver.masks.length > 0) expect(without.total!.data[0]).not.toBe(total!.data[0]);
      plain.dispose();
      state.dispose();
      await program.dispose();
    }
    for (const loss of losses) expect(loss / losses[0]!).toBeCloseTo(1, 5);
    for (const moment of after) expectClose(moment.data, after[0]!.data, { relative: 1e-4 });
  });

  it("learns a decay, and an interrupted training goes on to the same bits", async () => {
    const engine = await engineNamed("compiled");
    const { step, inputs, initial } = training(evolver);
    const program = engine.program("training", step);
    const run = async (from: HostTensors, first: number, count: number) => {
      const state = engine.state(from);
      const losses: number[] = [];
      for (let k = first; k < first + count; k++) {
        const { total } = await program.run(state, { ...inputs, ...adamWInputs(optimizer, 5e-3, k) });
        losses.push(total!.data[0]!);
      }
      const names = Object.keys(initial);
      const arrays = await Promise.all(names.map(async (name) => [name, await state.read(name)] as const));
      state.dispose();
      return { losses, arrays: Object.fromEntries(arrays) as HostTensors };
    };
    const whole = await run(initial, 1, 150);
    expect(whole.losses.every(Number.isFinite)).toBe(true);
    expect(whole.losses.at(-1)!, label).toBeLessThan(0.3 * whole.losses[0]!);
    const half = await run(initial, 1, 70);
    const rest = await run(half.arrays, 71, 80);
    expect(rest.arrays.parameters!.data).toEqual(whole.arrays.parameters!.data);
    await program.dispose();
  });

  it.each([
    [false, 1],
    [true, 1],
    [false, 3],
    [true, 3],
  ])(
    "is exported to ONNX as `Inference` computes it, with the scaling inside: %s, and %i members",
    async (scaling, members) => {
      const folder = join(testFolder(), `${label.replaceAll(/\W/g, "-")}-${members}`);
      mkdirSync(folder, { recursive: true });
      const paths = {
        autoencoder: join(folder, "autoencoder.safetensors"),
        emulator: join(folder, "emulator.safetensors"),
      };
      writeAutoencoder(paths.autoencoder, autoencoder as never);
      const of = (seed: number) => ({
        ...weights,
        trainable: initialEvolver(evolver, new RandomStream(3 + seed), 0.3),
        species,
        provenance,
        physical_parameters: [
          { name: "Density", range: [10, 1e9] },
          { name: "Timestep", range: [10, 1000] },
          { name: "Av", range: [0.1, 100] },
        ],
        window_size: steps + 1,
        scaled_latent_range: { lower: [0, 0], upper: [1, 1] },
        time_step_yr: null,
        autoencoder_hash: autoencoderHash(autoencoder as never),
      });
      const all = Array.from({ length: members }, (_, m) => of(m) as never);
      writeEmulator(paths.emulator, joinMembers(all, []));
      const tools = { log: () => {}, signal: new AbortController().signal };
      const { files } = await exportOnnx(
        { cwd: folder, scaling, output: `onnx-${scaling}`, ...paths, steps: 5 },
        tools,
      );
      for (const { deviation, kind } of files) expect(deviation, kind).toBeLessThan(1e-5);
      expect(existsSync(join(folder, `onnx-${scaling}`, "start.onnx"))).toBe(evolver.carry.length > 0);
    },
  );
});
