import { describe, expect, it } from "vitest";
import { RandomStream } from "../../src/data/random.ts";
import { Decoder, Encoder, Roller } from "../../src/models/runners.ts";
import type { AutoencoderWeights, EmulatorWeights } from "../../src/models/weights-file.ts";
import { initialAutoencoder, initialEmulator } from "../helpers/models.ts";
import { engineNamed, engines, expectClose } from "../helpers/tensors.ts";

const random = new RandomStream(5);
const autoencoderShape = { input_dim: 12, hidden_dims: [8, 6], latent_dim: 3 } as const;
const autoencoder = {
  model_name: "autoencoder",
  model: autoencoderShape,
  abundances_clipping: { lower: 1e-20, upper: 1 },
  ...initialAutoencoder(autoencoderShape, random),
} as unknown as AutoencoderWeights;
const emulatorShape = { input_dim: 5, hidden_dim: 7, output_dim: 3 };
const emulator = {
  model_name: "emulator",
  model: emulatorShape,
  trainable: initialEmulator(emulatorShape, random),
} as unknown as EmulatorWeights;

function uniform(size: number): Float32Array {
  const data = new Float32Array(size);
  random.fillUniform(data, 0, 1);
  return data;
}

describe.each(engines)("on the %s engine", (name) => {
  it.each([1024, 1024 + 37, 8192 + 37])(
    "%i rows come out the same in one call and one by one, whatever blocks they fall into",
    async (rows) => {
      const engine = await engineNamed(name);
      const [encoder, decoder] = [new Encoder(engine, autoencoder), new Decoder(engine, autoencoder)];
      const x = uniform(rows * 12);
      const z = await encoder.encode(x, rows);
      const { scaled: decoded } = await decoder.decode(z, rows);
      for (const row of [0, 1023, 1024, 8191, 8192, rows - 1].filter((index) => index < rows)) {
        const alone = await encoder.encode(x.slice(row * 12, (row + 1) * 12), 1);
        expectClose(z.subarray(row * 3, (row + 1) * 3), alone, { absolute: 1e-6 });
        expectClose(decoded.subarray(row * 12, (row + 1) * 12), (await decoder.decode(alone, 1)).scaled, {
          absolute: 1e-6,
        });
      }
      encoder.dispose();
      decoder.dispose();
    },
  );

  it.each([
    [1, 21],
    [130, 37],
  ])(
    "%i trajectories of %i steps come out the same step by step, in the first call and the next",
    async (batch, steps) => {
      const roller = new Roller(await engineNamed(name), emulator);
      const [physical, start] = [uniform(batch * steps * 2), uniform(batch * 3)];
      const first = await roller.rollout(physical, start, batch, steps);
      expectClose(await roller.rollout(physical, start, batch, steps), first, { absolute: 1e-6 });
      for (const trajectory of new Set([0, batch - 1])) {
        let z = start.slice(trajectory * 3, (trajectory + 1) * 3);
        for (let t = 0; t < steps; t++) {
          const at = trajectory * steps + t;
          z = (await roller.rollout(physical.slice(at * 2, (at + 1) * 2), z, 1, 1)).slice();
          expectClose(first.subarray(at * 3, (at + 1) * 3), z, { absolute: 1e-5, what: `step ${t}` });
        }
      }
      expect(first.length).toBe(batch * steps * 3);
      roller.dispose();
    },
  );

  it("the state of a rollout stays within a fifth of the training data's range of it, step for step", async () => {
    const engine = await engineNamed(name);
    const [steps, batch] = [40, 5];
    const scaled_latent_range = { lower: [0.4, 0.1, -0.3], upper: [0.5, 0.7, 0.2] };
    const [lower, upper] = [
      [0.38, -0.02, -0.4],
      [0.52, 0.82, 0.3],
    ];
    const [free, kept] = [new Roller(engine, emulator), new Roller(engine, { ...emulator, scaled_latent_range })];
    const [physical, start] = [uniform(batch * steps * 2), uniform(batch * 3)];
    const bounded = await kept.rollout(physical, start, batch, steps);
    let reached = 0;
    for (let b = 0; b < batch; b++) {
      let z: Float32Array = start.slice(b * 3, (b + 1) * 3);
      for (let t = 0; t < steps; t++) {
        const at = b * steps + t;
        const next = await free.rollout(physical.slice(at * 2, (at + 1) * 2), z, 1, 1);
        const within = next.map((value, k) => Math.min(Math.max(value, lower![k]!), upper![k]!));
        reached += within.filter((value, k) => value !== next[k]).length;
        expectClose(bounded.subarray(at * 3, (at + 1) * 3), within, { absolute: 1e-5, what: `step ${t}` });
        z = within;
      }
    }
    expect(reached).toBeGreaterThan(0);
    free.dispose();
    kept.dispose();
  });

  it("decoded abundances stay within the training data's range, widened by half a dex", async () => {
    const engine = await engineNamed(name);
    const abundance_range = {
      lower: Array.from({ length: 12 }, (_, s) => -10.6 + s / 20),
      upper: Array.from({ length: 12 }, (_, s) => -10.4 + s / 20),
    };
    const free = new Decoder(engine, autoencoder);
    const kept = new Decoder(engine, { ...autoencoder, abundance_range });
    const z = uniform(50 * 3).map((value) => 40 * value);
    const [plain, bounded] = [(await free.decode(z, 50)).scaled, (await kept.decode(z, 50)).scaled];
    const expected = plain.map((value, at) => {
      const [low, high] = [-11.1 + (at % 12) / 20, -9.9 + (at % 12) / 20];
      return (Math.min(Math.max(20 * value - 20, low), high) + 20) / 20;
    });
    expectClose(bounded, expected, { absolute: 1e-6 });
    expect(bounded.filter((value, at) => value !== plain[at]).length).toBeGreaterThan(100);
    free.dispose();
    kept.dispose();
  });
});
