import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { Conservation } from "../../src/chemistry/conservation.ts";
import { tableOfNames } from "../../src/chemistry/element-table.ts";
import { main } from "../../src/commands/main.ts";
import { openFrame } from "../../src/data/frame.ts";
import { RandomStream } from "../../src/data/random.ts";
import { initialEvolver } from "../../src/models/evolver.ts";
import { autoencoderHash, writeAutoencoder, writeEmulator } from "../../src/models/weights-file.ts";
import { testFolder } from "../helpers/folder.ts";
import { emulatorOf, initialAutoencoder } from "../helpers/models.ts";
import { writeRawRows } from "../helpers/raw-frame.ts";
import { Buffered } from "./buffers.ts";

const folder = testFolder();
const species = ["H", "H2", "CO", "O", "E-", "C+"];
const start = [0.4, 0.2998, 1e-4, 2e-4, 1e-4, 1e-4];
const rowsEach = 9;
const conservation = new Conservation(tableOfNames(species));

async function emulate(...words: readonly string[]): Promise<void> {
  const [stdout, stderr] = [new Buffered(), new Buffered()];
  const signal = new AbortController().signal;
  const all = ["emulate", "raw.h5", "--autoencoder", "autoencoder.safetensors", "--emulator", "emulator.safetensors"];
  const code = await main([...all, "--key", "df", ...words], {
    ...{ cwd: folder, env: {}, now: () => new Date(), stdout, stderr, signal },
  });
  expect(code, stderr.text).toBe(0);
}

/** How far the totals of any row of an emulated file are from those of the start, of the float32 values that the file holds. */
async function worst(name: string): Promise<number> {
  const frame = await openFrame(join(folder, name), "emulated");
  const states = new Float32Array(frame.rows * species.length);
  frame.read(0, frame.rows, species, states);
  frame.close();
  const wanted = conservation.totals(Float32Array.from(start));
  const offs = Array.from({ length: frame.rows }, (_, row) =>
    Math.max(...conservation.off(states.subarray(row * species.length, (row + 1) * species.length), wanted)),
  );
  expect(offs.length).toBeGreaterThanOrEqual(2 * (rowsEach - 1));
  return Math.max(...offs);
}

/** Weights as they are before any training: what they give has other totals by far. */
beforeAll(async () => {
  const provenance = { data_hash: null, seed: 0, epoch: 1, best_metric: null, versions: {} };
  const shape = { input_dim: species.length, hidden_dims: [5, 4] as [number, number], latent_dim: 2 };
  const autoencoder = {
    ...{ species, provenance, model_name: "autoencoder" as const, model: shape, steps: 3 },
    abundances_clipping: { lower: 1e-20, upper: 1 },
    latent_range: [-1, 1] as [number, number],
    ...initialAutoencoder(shape, new RandomStream(4)),
  };
  const evolver = emulatorOf({ input_dim: 4, hidden_dim: 8, output_dim: 2 });
  writeAutoencoder(join(folder, "autoencoder.safetensors"), autoencoder);
  writeEmulator(join(folder, "emulator.safetensors"), {
    ...{ model_name: "emulator", model: evolver.shape, species, provenance, window_size: rowsEach, time_step_yr: 100 },
    physical_parameters: [
      { name: "Density", range: [10, 1e9] },
      { name: "Av", range: [0.1, 100] },
    ],
    latent_scaling: { shift: [-1, -0.5], scale: [2, 3] },
    autoencoder_hash: autoencoderHash(autoencoder),
    trainable: initialEvolver(evolver, new RandomStream(1), 2),
  });
  const abundances = Object.fromEntries(species.map((name, s) => [name, start[s]!]));
  const rows = Array.from({ length: 2 * rowsEach }, (_, i) => {
    const [Tracer, step] = [Math.floor(i / rowsEach), i % rowsEach];
    const conditions = { Density: 1e5 * (1 + step), gasTemp: 20, Av: 2 + step, radfield: 1 };
    return { Tracer, Time: 100 * step, ...conditions, ...abundances };
  });
  await writeRawRows(join(folder, "raw.h5"), rows);
});

describe("an emulated file", () => {
  it.each([[[]], [["--conserve"]]])(
    "holds the totals of the start to 1e-6 in its float32 values: %j",
    async (words) => {
      await emulate(...words, "--output", "kept.h5");
      expect(await worst("kept.h5")).toBeLessThan(1e-6);
    },
  );

  it("holds rows as decoded with --no-conserve", async () => {
    await emulate("--no-conserve", "--output", "decoded.h5");
    expect(await worst("decoded.h5")).toBeGreaterThan(0.1);
  });
});
