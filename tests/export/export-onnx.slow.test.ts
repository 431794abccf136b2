import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { RandomStream } from "../../src/data/random.ts";
import { exportOnnx } from "../../src/export/export-onnx.ts";
import { Inference, type Matrix } from "../../src/inference/inference.ts";
import { autoencoderHash, writeAutoencoder, writeEmulator } from "../../src/models/weights-file.ts";
import { testFolder } from "../helpers/folder.ts";
import { initialAutoencoder, initialEmulator } from "../helpers/models.ts";
import { lackingPython, python } from "../helpers/python.ts";
import { expectClose } from "../helpers/tensors.ts";

const lacking = lackingPython("onnxruntime", "numpy");
const folder = testFolder();
const path = (name: string): string => join(folder, name);

const species = Array.from({ length: 41 }, (_, k) => `S${k}`);
const provenance = { data_hash: null, seed: 0, epoch: null, best_metric: null, versions: {} };
const [model, emulatorModel] = [
  { input_dim: 41, hidden_dims: [23, 17] as [number, number], latent_dim: 5 },
  { input_dim: 8, hidden_dim: 19, output_dim: 5 },
];
const files = { autoencoder: path("autoencoder.safetensors"), emulator: path("emulator.safetensors") };
const steps = 60;

beforeAll(() => {
  const random = new RandomStream(1);
  const autoencoder = {
    species,
    provenance,
    model_name: "autoencoder",
    model,
    abundances_clipping: { lower: 1e-18, upper: 0.5 },
    latent_range: [-0.17, 2.5] as [number, number],
    abundance_range: { lower: species.map(() => -12), upper: species.map((_, s) => (s % 2 ? -11 : -3)) },
    steps: 0,
    ...initialAutoencoder(model, random),
  };
  writeAutoencoder(files.autoencoder, autoencoder);
  writeEmulator(files.emulator, {
    species,
    provenance,
    model_name: "emulator",
    model: emulatorModel,
    physical_parameters: [
      { name: "Density", range: [10, 1e8] },
      { name: "Radfield", range: [1e-4, 50] },
      { name: "Av", range: [0.1, 1000] },
    ],
    window_size: steps,
    scaled_latent_range: { lower: [0, 0.1, 0.2, 0, -1], upper: [0.1, 0.3, 0.4, 1, 1] },
    time_step_yr: null,
    autoencoder_hash: autoencoderHash(autoencoder),
    trainable: initialEmulator(emulatorModel, random),
  });
});

/** Runs files on float32 arrays, as a script without this package would: everything it needs stands in the metadata. */
const program = `
import json, sys
import numpy as np
import onnxruntime
folder, batch = sys.argv[1], int(sys.argv[2])
session = lambda name: onnxruntime.InferenceSession(f"{folder}/{name}.onnx", providers=["CPUExecutionProvider"])
rollout, encoder, decoder, step = map(session, ["rollout", "encoder", "decoder", "step"])
facts = rollout.get_modelmeta().custom_metadata_map
species, parameters = json.loads(facts["species"]), json.loads(facts["physical_parameters"])
shape = [batch, int(facts["steps"]), len(parameters)]
physical = np.fromfile(f"{folder}/physical.f32", np.float32).reshape(shape)
abundances = np.fromfile(f"{folder}/abundances.f32", np.float32).reshape(batch, len(species))
evolved = rollout.run(None, {"physical": physical, "abundances": abundances})[0]
evolved.tofile(f"{folder}/evolved.f32")
latents = encoder.run(["latents"], {"abundances": abundances})[0]
for t in range(shape[1]):
    latents = step.run(["next_latents"], {"physical": physical[:, t], "latents": latents})[0]
decoder.run(["abundances"], {"latents": latents})[0].tofile(f"{folder}/last.f32")
print(json.dumps({"kind": facts["kind"], "shape": evolved.shape, "inputs": [i.shape for i in rollout.get_inputs()]}))
`;

const floats = (name: string): Float32Array => new Float32Array(new Uint8Array(readFileSync(name)).buffer);
const dex = (values: Float32Array): number[] => [...values].map((x) => Math.log10(x) / (Math.log10(0.5) + 18));

describe.skipIf(lacking)(`exported files in Python's onnxruntime${lacking ? ` (skipped: ${lacking})` : ""}`, () => {
  it.each([1, 3, 64])("give what Inference gives, whole and step by step, at a batch of %i", async (batch) => {
    const output = path(`batch-${batch}`);
    mkdirSync(output);
    const tools = { log: () => {}, signal: new AbortController().signal };
    await exportOnnx({ cwd: folder, scaling: true, output, ...files }, tools);
    const random = new RandomStream(batch);
    const logUniform = (shape: number[], low: number, high: number): Matrix => {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      random.fillUniform(data, Math.log10(low), Math.log10(high));
      return { data: data.map((x) => 10 ** x), shape };
    };
    const physical = logUniform([batch, steps, 3], 0.1, 50);
    const abundances = logUniform([batch, 41], 1e-20, 1);
    writeFileSync(join(output, "physical.f32"), physical.data);
    writeFileSync(join(output, "abundances.f32"), abundances.data);
    const told = JSON.parse(python(program, output, String(batch)));
    expect(told).toEqual({
      kind: "rollout",
      shape: [batch, steps, 41],
      inputs: [
        ["batch", steps, 3],
        ["batch", 41],
      ],
    });
    const inference = await Inference.load(files);
    const { data } = await inference.emulate(physical, abundances);
    inference.dispose();
    expectClose(dex(floats(join(output, "evolved.f32"))), dex(data), { absolute: 1e-5, what: "rollout" });
    const last = Array.from({ length: batch }, (_, b) => [
      ...data.subarray(((b + 1) * steps - 1) * 41, (b + 1) * steps * 41),
    ]);
    expectClose(dex(floats(join(output, "last.f32"))), dex(Float32Array.from(last.flat())), {
      absolute: 1e-5,
      what: "step by step",
    });
  });
});
