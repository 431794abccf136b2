import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { RandomStream } from "../src/data/random.ts";
import { autoencoderHash, writeAutoencoder, writeEmulator } from "../src/models/weights-file.ts";
import { testFolder } from "./helpers/folder.ts";
import { initialAutoencoder, initialEmulator } from "./helpers/models.ts";

/** A project that has the package installed, built as `npm test` builds it. */
const folder = testFolder();
const path = (name: string): string => join(folder, name);

function writeWeights(): void {
  const species = ["HCN", "SIO", "HCL"];
  const provenance = { data_hash: null, seed: null, epoch: null, best_metric: null, versions: {} };
  const model = { input_dim: 3, hidden_dims: [4, 3] as [number, number], latent_dim: 2 };
  const autoencoder = {
    model_name: "autoencoder",
    model,
    species,
    abundances_clipping: { lower: 1e-20, upper: 1 },
    latent_range: [-0.2, 1.5] as [number, number],
    steps: 0,
    provenance,
    ...initialAutoencoder(model, new RandomStream(1)),
  };
  writeAutoencoder(path("weights/autoencoder.safetensors"), autoencoder);
  const emulator = { input_dim: 3, hidden_dim: 5, output_dim: 2 };
  writeEmulator(path("weights/emulator.safetensors"), {
    model_name: "emulator",
    model: emulator,
    species,
    physical_parameters: [{ name: "Density", range: [1, 1e6] }],
    window_size: 4,
    time_step_yr: null,
    autoencoder_hash: autoencoderHash(autoencoder),
    provenance,
    trainable: initialEmulator(emulator, new RandomStream(2)),
  });
}

beforeAll(() => {
  writeWeights();
  mkdirSync(path("node_modules"));
  symlinkSync(process.cwd(), path("node_modules/astrochem"), "dir");
});

/** Two trajectories of three steps; prints what came out as JSON. */
const use = `
  const surrogate = await Inference.load({
    autoencoder: "weights/autoencoder.safetensors",
    emulator: "weights/emulator.safetensors",
    device: "wasm",
  });
  const physical = { data: [1, 10, 100, 1000, 10000, 100000], shape: [2, 3, 1] };
  const abundances = { data: new Float32Array([0.1, 1e-5, 0, 1e-9, 1, 1e-3]), shape: [2, 3] };
  const chemistry = await surrogate.emulate(physical, abundances, { conserve: false });
  const refused = await surrogate.emulate(physical, { data: [NaN, 1, 1, 1, 1, 1], shape: [2, 3] }).catch((error) => error);
  surrogate.dispose();
  console.log(JSON.stringify({
    shape: chemistry.shape,
    isFloat32: chemistry.data instanceof Float32Array,
    inRange: chemistry.data.every((x) => x > 1e-20 && x < 1),
    differ: new Set(chemistry.data).size,
    isDataError: refused instanceof DataError && refused instanceof AstrochemError,
    exitCode: refused.exitCode,
    species: surrogate.species,
  }));`;

function run(name: string, text: string): unknown {
  writeFileSync(path(name), text);
  const { status, stdout, stderr } = spawnSync(process.execPath, [name], { cwd: folder, encoding: "utf8" });
  // Nothing of the library's own on either stream: no banner, no warning.
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout);
}

const expected = {
  shape: [2, 3, 3],
  isFloat32: true,
  inRange: true,
  differ: 18,
  isDataError: true,
  exitCode: 3,
  species: ["HCN", "SIO", "HCL"],
};

describe("the installed package", () => {
  it("emulates from a plain JavaScript module", () => {
    const text = `import { AstrochemError, DataError, Inference } from "astrochem";\n${use}\n`;
    expect(run("module.mjs", text)).toEqual(expected);
  });

  it("emulates from CommonJS", () => {
    const text = `"use strict";
(async () => {
  const { AstrochemError, DataError, Inference } = await import("astrochem");
  ${use}
})();\n`;
    expect(run("script.cjs", text)).toEqual(expected);
  });

  it("gives away what it promises and nothing else", () => {
    const text = `import * as astrochem from "astrochem";\nconsole.log(JSON.stringify(Object.keys(astrochem).sort()));\n`;
    expect(run("names.mjs", text)).toEqual([
      "AstrochemError",
      "CheckpointError",
      "ConfigError",
      "DataError",
      "Dataset",
      "Inference",
      "NumericsError",
      "elements",
      "parseSpecies",
      "trustFlags",
    ]);
  });
});

describe("the package's types", () => {
  const tsc = join(process.cwd(), "node_modules/typescript/bin/tsc");
  /** Compiles strictly, with the declarations checked too. @returns the compiler's complaints */
  function compile(name: string, text: string): string {
    writeFileSync(path("package.json"), '{ "type": "module" }');
    writeFileSync(path(name), text);
    const options = "--strict --noEmit --target ES2022 --module NodeNext --moduleResolution NodeNext --types".split(
      " ",
    );
    try {
      return execFileSync(process.execPath, [tsc, ...options, "", name], { cwd: folder, encoding: "utf8" });
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  }

  it("compile the README's example, as a strict project does", () => {
    const readme = readFileSync("README.md", "utf8");
    const example = /```ts\n([\s\S]*?)```/.exec(readme.slice(readme.indexOf("## Use it")))![1]!;
    expect(example).toContain('from "astrochem"');
    const consumer = `import type { Matrix, MatrixInput } from "astrochem";
declare const physical: MatrixInput, abundances: MatrixInput;
${example}
const result: Matrix = chemistry;
const [first]: Float32Array = result.data;
export const batch: number | undefined = result.shape[0];
export const value: number | undefined = first;
`;
    expect(compile("example.ts", consumer)).toBe("");
  });

  it("compile every method, and refuse what is wrong", () => {
    const consumer = `import { CheckpointError, type ComputeChoice, DataError, Inference, type PhysicalParameter } from "astrochem";
export async function all(path: string): Promise<readonly number[]> {
  const surrogate = await Inference.load({ autoencoder: path, device: "auto", engine: "eager", threads: null });
  const latents = await surrogate.encode({ data: [1, 2], shape: [1, 2] }, { scaled: true });
  const parameters: readonly PhysicalParameter[] = surrogate.physicalParameters;
  const choice: ComputeChoice = surrogate.compute;
  try {
    await surrogate.latentEmulate({ data: new Float64Array(1), shape: [1, 1, parameters.length] }, latents);
  } catch (error) {
    if (error instanceof DataError || error instanceof CheckpointError) return [error.exitCode, choice.threads];
  }
  // @ts-expect-error there is no such device
  await Inference.load({ autoencoder: path, device: "tpu" });
  // @ts-expect-error an array needs its shape
  await surrogate.encode(new Float32Array(2));
  return (await surrogate.decode(latents)).shape;
}
`;
    expect(compile("methods.ts", consumer)).toBe("");
  });

  it("compile a dataset opened for a surrogate, its tracers passed on as they are", () => {
    const consumer = `import { Dataset, elements, Inference, parseSpecies, type Tracer } from "astrochem";
export async function all(path: string, surrogate: Inference): Promise<number> {
  const dataset = await Dataset.open(path, surrogate);
  let sum = 0;
  for (const { abundances, times, rows } of dataset.val) {
    const latents = await surrogate.encode(abundances);
    sum += rows * (latents.data[0] ?? 0) + (times[0] ?? 0);
  }
  const first: Tracer = dataset.train.tracer(0);
  sum += first.physical.shape.length + (parseSpecies("#CO").atoms.get(elements[2]) ?? 0);
  sum += dataset.test.length;
  // @ts-expect-error there are three splits
  dataset.validation;
  dataset.close();
  return sum;
}
`;
    expect(compile("dataset.ts", consumer)).toBe("");
  });
});
