import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type TensorMap, tf } from "../../src/backend/tf.ts";
import { RandomStream } from "../../src/data/random.ts";
import { exportOnnx } from "../../src/export/export-onnx.ts";
import { type Evolver, rolloutFrom } from "../../src/models/evolver.ts";
import { evolverOf } from "../../src/models/evolvers.ts";
import { Roller } from "../../src/models/runners.ts";
import {
  type AutoencoderWeights,
  autoencoderHash,
  type EmulatorWeights,
  writeAutoencoder,
  writeEmulator,
} from "../../src/models/weights-file.ts";
import { testFolder } from "./folder.ts";
import { initialAutoencoder } from "./models.ts";
import { engineNamed, engines, expectClose } from "./tensors.ts";

/** The arrays of a model by name, in plain numbers, rows one after the other. */
export type Plain = (name: string) => number[];
/** The change of one state: from physical parameters and latents, in plain arithmetic. */
export type PlainChange = (arrays: Plain, physical: number[], latents: number[]) => number[];

/** x·weightᵀ + bias of a linear layer. */
export function plainLinear(arrays: Plain, name: string, x: number[]): number[] {
  const weight = arrays(`${name}.weight`);
  return arrays(`${name}.bias`).map((b, i) => x.reduce((sum, value, j) => sum + weight[i * x.length + j]! * value, b));
}

const random = new RandomStream(11);
function uniform(size: number): Float32Array {
  const data = new Float32Array(size);
  random.fillUniform(data, -0.5, 1);
  return data;
}

/** Tests of a kind, to be called in a `describe`: rollouts on every engine are `change` added step by step; gradients are finite differences of the rollout. */
export function describeEvolver(model_name: string, shape: object, change: PlainChange): void {
  const model = evolverOf({ model_name, model: shape });
  const { input_dim, output_dim: latent } = model.shape;
  const parameters = input_dim - latent;
  const folder = testFolder();
  // Every array matters: none is 0 or 1.
  const vector = uniform(model.layout.size);
  const arrays: Plain = (name) => [...model.layout.view(vector, name)];
  const [batch, steps] = [3, 4];
  const [physical, start] = [uniform(batch * steps * parameters), uniform(batch * latent)];

  it.each(engines)("its rollout on the %s engine is its definition, step by step", async (name) => {
    const weights = { model_name, model: model.shape, trainable: vector } as unknown as EmulatorWeights;
    const roller = new Roller(await engineNamed(name), weights);
    const found = await roller.rollout(physical, start, batch, steps);
    await roller.dispose();
    const expected = Array.from({ length: batch }, (_, b) => {
      let z = [...start.slice(b * latent, (b + 1) * latent)];
      return Array.from({ length: steps }, (_, t) => {
        const at = (b * steps + t) * parameters;
        const moved = change(arrays, [...physical.slice(at, at + parameters)], z);
        z = z.map((value, i) => value + moved[i]!);
        return z;
      });
    }).flat(2);
    expectClose(found, expected, { relative: 2e-5 });
  });

  it("it can be exported, and its files give what the models here do", async () => {
    const paths = await writtenWeights(folder, model_name, model, vector);
    const request = { cwd: folder, steps: 3, ...paths };
    for (const scaling of [false, true]) {
      const { files } = await exportOnnx({ ...request, scaling, output: `${model_name}-${scaling}` }, tools);
      expect(files.map(({ kind }) => kind)).toEqual(["encoder", "decoder", "step", "rollout"]);
      for (const { deviation } of files) expect(deviation).toBeLessThan(1e-5);
    }
  });

  describe("its gradients", () => {
    const dropout = model.masks.length > 0 ? [false, true] : [false];
    it.each(dropout)("are finite differences of the rollout, by every array; with dropout: %s", async (drops) => {
      await engineNamed("eager");
      const factors = uniform(steps * batch * latent);
      const value = (given: TensorMap): tf.Scalar => {
        const drive = {
          physical: tf.transpose(tf.tensor3d(physical, [batch, steps, parameters]), [1, 0, 2]),
          masks: drops ? masksOf(model, steps * batch, [steps, batch]) : null,
        };
        const states = rolloutFrom(model, given, drive, tf.tensor2d(start, [batch, latent]));
        return tf.sum(tf.mul(states, tf.tensor2d(factors, [steps * batch, latent])));
      };
      const { names, slopes } = tf.tidy(() => gradients(model, vector, value));
      // Along one direction of each array: a float has seven digits.
      for (const [k, name] of names.entries()) {
        const direction = uniform(slopes[k]!.length);
        const moved = (by: number): number => {
          const copy = vector.slice();
          const view = model.layout.view(copy, name);
          view.set(view.map((w, i) => w + by * direction[i]!));
          return tf.tidy(() => value(model.layout.unpack(tf.tensor1d(copy))).dataSync()[0]!);
        };
        const [h, along] = [2e-3, slopes[k]!.reduce((sum, slope, i) => sum + slope * direction[i]!, 0)];
        const difference = (moved(h) - moved(-h)) / (2 * h);
        expect(Math.abs(difference - along), `${name}: ${difference}, ${along}`).toBeLessThan(
          2e-2 * Math.abs(along) + 2e-3,
        );
      }
    });
  });
}

/** Inverted dropout with two in three kept. */
function masksOf({ masks }: Evolver, rows: number, leading: number[]): TensorMap {
  const drawn = masks.map(({ name, shape: [width] }, m) => {
    const values = Float32Array.from({ length: rows * width! }, (_, i) => ((i + m) % 3 ? 1.5 : 0));
    return [name, tf.tensor(values, [...leading, width!])];
  });
  return Object.fromEntries(drawn);
}

const tools = { log: () => {}, signal: new AbortController().signal };

/** Weights files of an emulator and of an autoencoder that fits it. */
async function writtenWeights(
  folder: string,
  model_name: string,
  { shape }: Evolver,
  trainable: Float32Array,
): Promise<{ autoencoder: string; emulator: string }> {
  const species = ["A", "B", "C", "D", "E"];
  const sizes = { input_dim: species.length, hidden_dims: [4, 4], latent_dim: shape.output_dim };
  const common = { species, provenance: { data_hash: null, seed: 0, epoch: 1, best_metric: null, versions: {} } };
  const autoencoder: AutoencoderWeights = {
    ...common,
    model_name: "autoencoder",
    model: sizes,
    abundances_clipping: { lower: 1e-20, upper: 1 },
    latent_range: [0, 1],
    steps: 1,
    ...initialAutoencoder(sizes, new RandomStream(1)),
  };
  const emulator: EmulatorWeights = {
    ...common,
    model_name,
    model: shape,
    physical_parameters: Array.from({ length: shape.input_dim - shape.output_dim }, (_, k) => ({
      name: `p${k}`,
      range: [1, 100] as const,
    })),
    window_size: 4,
    time_step_yr: 1000,
    autoencoder_hash: autoencoderHash(autoencoder),
    trainable,
  };
  const paths = {
    autoencoder: join(folder, "autoencoder.safetensors"),
    emulator: join(folder, "emulator.safetensors"),
  };
  writeAutoencoder(paths.autoencoder, autoencoder);
  writeEmulator(paths.emulator, emulator);
  return paths;
}

function gradients(
  { layout }: Evolver,
  vector: Float32Array,
  value: (arrays: TensorMap) => tf.Scalar,
): { names: string[]; slopes: Float32Array[] } {
  const names = layout.specs.map(({ name }) => name);
  const unpacked = layout.unpack(tf.tensor1d(vector));
  const of = (...arrays: tf.Tensor[]): tf.Scalar =>
    value(Object.fromEntries(names.map((name, k) => [name, arrays[k]!])));
  const slopes = tf.grads(of)(names.map((name) => unpacked[name]!));
  return { names, slopes: slopes.map((slope) => slope.dataSync() as Float32Array) };
}
