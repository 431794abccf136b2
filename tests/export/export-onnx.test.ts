import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import protobuf from "protobufjs/light.js";
import { beforeAll, describe, expect, it } from "vitest";
import { loadOnnxRuntime, type OnnxRuntime } from "../../src/backend/onnx-runtime.ts";
import { minmaxLatents } from "../../src/chemistry/scaling.ts";
import { exportCommand } from "../../src/commands/export.ts";
import { RandomStream } from "../../src/data/random.ts";
import { checkDeviation, type ExportRequest, type ExportSummary, exportOnnx } from "../../src/export/export-onnx.ts";
import { OnnxChecker } from "../../src/export/onnx-check.ts";
import { onnxFile } from "../../src/export/onnx-file.ts";
import { type Models, type PartKind, partOf } from "../../src/export/onnx-parts.ts";
import { Inference, type Matrix } from "../../src/inference/inference.ts";
import { autoencoderHash, writeAutoencoder, writeEmulator } from "../../src/models/weights-file.ts";
import { packageVersion } from "../../src/version.ts";
import { testContext } from "../commands/buffers.ts";
import { golden } from "../helpers/fixtures.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { autoencoderLayouts, emulatorLayout } from "../helpers/models.ts";
import { expectClose } from "../helpers/tensors.ts";

const folder = testFolder();
const { tensors, json } = golden<{ latents_minmax: [number, number] }>("emulator");
const named = (prefix: string): Map<string, { data: Float32Array }> =>
  new Map(
    [...tensors]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, t]) => [name.slice(prefix.length), { data: t.data as Float32Array }]),
  );

const shape = { input_dim: 333, hidden_dims: [160, 80], latent_dim: 14 } as const;
const layouts = autoencoderLayouts({ ...shape, hidden_dims: [160, 80] });
const provenance = { data_hash: null, seed: 0, epoch: 1, best_metric: null, versions: {} };
const species = Array.from({ length: 333 }, (_, k) => `S${k}`);
const autoencoder: Models["autoencoder"] = {
  species,
  provenance,
  model_name: "autoencoder",
  model: { ...shape, hidden_dims: [160, 80] },
  abundances_clipping: { lower: 1e-20, upper: 1 },
  latent_range: json.latents_minmax,
  // Narrow enough that the bounds hold back a part of what the checks decode.
  abundance_range: { lower: species.map(() => -15), upper: species.map((_, s) => (s % 2 ? -14 : -2)) },
  steps: 3,
  trainable: layouts.trainable.gather(named("autoencoder.")),
  statistics: layouts.statistics.gather(named("autoencoder.")),
};
const emulator: NonNullable<Models["emulator"]>["weights"] = {
  species,
  provenance,
  model_name: "emulator",
  model: { input_dim: 18, hidden_dim: 180, output_dim: 14 },
  physical_parameters: [
    { name: "Density", range: [68481, 1284211415] },
    { name: "Radfield", range: [1e-4, 26] },
    { name: "Av", range: [0.1, 6914] },
    { name: "gasTemp", range: [13, 133] },
  ],
  window_size: 15,
  scaled_latent_range: {
    lower: Array.from({ length: 14 }, (_, k) => k / 200),
    upper: Array.from({ length: 14 }, (_, k) => 0.1 + k / 100),
  },
  time_step_yr: 1000,
  autoencoder_hash: autoencoderHash(autoencoder),
  trainable: emulatorLayout({ input_dim: 18, hidden_dim: 180, output_dim: 14 }).gather(named("state.")),
};
const models: Models = { autoencoder, emulator: { weights: emulator, latents: minmaxLatents(json.latents_minmax) } };
const paths = {
  autoencoder: join(folder, "weights/made/autoencoder.safetensors"),
  emulator: join(folder, "weights/made/emulator.safetensors"),
};
let inference: Inference;
let ort: OnnxRuntime;

beforeAll(async () => {
  mkdirSync(join(folder, "weights/made"), { recursive: true });
  writeAutoencoder(paths.autoencoder, autoencoder);
  writeEmulator(paths.emulator, emulator);
  inference = await Inference.load({ ...paths, engine: "compiled", threads: 1 });
  ort = (await loadOnnxRuntime()) as OnnxRuntime;
});

const tools = { log: () => {}, signal: new AbortController().signal };

function request(output: string, changes: Partial<ExportRequest> = {}): ExportRequest {
  return { cwd: folder, scaling: false, output, ...paths, ...changes };
}

/** Runs a file on arrays. */
async function run(path: string, feeds: Record<string, Matrix>): Promise<Matrix> {
  const session = await ort.InferenceSession.create(path);
  const given = Object.entries(feeds).map(([name, { data, shape }]) => [name, new ort.Tensor("float32", data, shape)]);
  const { data, dims } = (await session.run(Object.fromEntries(given)))[session.outputNames[0]!]!;
  await session.release();
  return { data: data as Float32Array, shape: [...dims] };
}

const random = new RandomStream(5);
function values(shape: number[], low: number, high: number): Matrix {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  random.fillUniform(data, low, high);
  return { data, shape };
}
const mapped = ({ data, shape }: Matrix, f: (value: number, column: number) => number): Matrix => ({
  data: data.map((value, i) => f(value, i % shape.at(-1)!)),
  shape,
});
const [low, high] = json.latents_minmax;
const raw = (scaled: Matrix): Matrix => mapped(scaled, (z) => z * (high - low) + low);
const linear = (scaled: Matrix): Matrix => mapped(scaled, (x) => 10 ** (20 * x - 20));
const units = (scaled: Matrix): Matrix =>
  mapped(scaled, (p, column) => {
    const [from, to] = emulator.physical_parameters[column]!.range;
    return from * (to / from) ** p;
  });

/** Compares in scaled units. */
function expectSame(found: Matrix, expected: Matrix, what: string, scale: (value: number) => number): void {
  expect(found.shape, what).toEqual(expected.shape);
  expectClose([...found.data].map(scale), [...expected.data].map(scale), { absolute: 1e-5, what });
}
const same = (value: number): number => value;
const latent = (value: number): number => (value - low) / (high - low);
const dex = (value: number): number => Math.log10(value) / 20;

const inLinear = (shape: string): string => `${shape} linear abundances; inputs are clipped to abundances_clipping`;
const inScaled = (shape: string): string =>
  `${shape} (log10 x - log10 lower) / (log10 upper - log10 lower) of abundances clipped to abundances_clipping`;
const inUnits = (shape: string): string =>
  `${shape} physical parameters in their units, in the order of physical_parameters`;
const inRanges = (shape: string): string =>
  `${shape} (log10 p - log10 lower) / (log10 upper - log10 lower) with the ranges of physical_parameters, in that order`;
const scaledLatents = (shape: string): string => `${shape} (z - min) / (max - min) with latent_range`;

describe.each([false, true])("an export with the scaling inside: %s", (scaling) => {
  const output = `onnx-${scaling}`;
  const file = (kind: PartKind): string => join(folder, output, `${kind}.onnx`);
  let summary: ExportSummary;

  beforeAll(async () => {
    summary = await exportOnnx(request(output, { scaling, steps: 7 }), tools);
  });

  it("is four files, each with its deviation from Inference", () => {
    const names = ["decoder.onnx", "encoder.onnx", "rollout.onnx", "step.onnx"];
    expect(readdirSync(join(folder, output)).sort()).toEqual(names);
    expect(summary.files.map(({ kind }) => kind)).toEqual(["encoder", "decoder", "step", "rollout"]);
    for (const { path, bytes, deviation } of summary.files) {
      expect(readFileSync(path).length).toBe(bytes);
      expect(deviation).toBeLessThan(1e-6);
    }
    expect(summary).toMatchObject({ opset: 18, scaling, tolerance: 1e-5, batches: [1, 3, 64] });
  });

  it.each([1, 5, 130])("gives what Inference gives, at a batch of %i", async (batch) => {
    const options = { scaled: !scaling };
    const abundances = values([batch, 333], scaling ? -0.1 : 0, scaling ? 1.05 : 1);
    const given = scaling ? linear(abundances) : abundances;
    if (scaling) given.data.set([0, 1e-30, 2]);
    const encoded = await run(file("encoder"), { [scaling ? "abundances" : "features"]: given });
    expectSame(encoded, await inference.encode(given, options), "encoder", latent);

    const latents = values([batch, 14], 0, 1);
    const decoded = await run(file("decoder"), { latents: raw(latents) });
    expectSame(decoded, await inference.decode(raw(latents), options), "decoder", scaling ? dex : same);

    const physical = (steps: number): Matrix => {
      const scaled = values([batch, steps, 4], 0, 1);
      return scaling ? units(scaled) : scaled;
    };
    const one = physical(1);
    const next = await run(file("step"), {
      physical: { data: one.data, shape: [batch, 4] },
      latents: scaling ? raw(latents) : latents,
    });
    const expected = await inference.latentEmulate(one, raw(latents), options);
    const asRaw = scaling ? next : raw(next);
    expectSame(asRaw, { data: expected.data, shape: [batch, 14] }, "step", latent);

    const seven = physical(7);
    if (scaling) {
      // Starts as the surrogate knows them: from those drawn at random no totals can be kept in few steps.
      const starts = await inference.decode(await inference.encode(given));
      const evolved = await run(file("rollout"), { physical: seven, abundances: starts });
      expectSame(evolved, await inference.emulate(seven, starts), "rollout", dex);
    } else {
      const evolved = await run(file("rollout"), { physical: seven, latents });
      expectSame(raw(evolved), await inference.latentEmulate(seven, raw(latents), options), "rollout", latent);
    }
  });

  it("has plain names and a dimension called batch", async () => {
    const ports: Record<string, unknown> = {};
    for (const { kind, path, inputs, outputs } of summary.files) {
      const session = await ort.InferenceSession.create(path);
      const shapes = [...session.inputMetadata, ...session.outputMetadata].map((each) => [
        each.name,
        each.isTensor ? each.shape : [],
      ]);
      await session.release();
      ports[kind] = Object.fromEntries(shapes);
      expect(ports[kind]).toEqual({ ...inputs, ...outputs });
    }
    const latents = ["batch", 14];
    expect(ports).toEqual({
      encoder: { [scaling ? "abundances" : "features"]: ["batch", 333], latents },
      decoder: { latents, abundances: ["batch", 333] },
      step: { physical: ["batch", 4], latents, next_latents: latents },
      rollout: scaling
        ? {
            physical: ["batch", 7, 4],
            abundances: ["batch", 333],
            evolved_abundances: ["batch", 7, 333],
            correction: ["batch", 7],
          }
        : { physical: ["batch", 7, 4], latents, evolved_latents: ["batch", 7, 14] },
    });
  });

  it("says in each file what goes in and out, and where it comes from", () => {
    for (const { kind, path, inputs, outputs } of summary.files) {
      const { opset, producer, metadata } = readHeader(path);
      expect([opset, producer]).toEqual([18, `astrochem ${packageVersion}`]);
      expect(metadata).toMatchObject({
        kind,
        scaling: scaling ? "inside: linear abundances, physical units, raw latents" : "outside: scaled values",
        autoencoder_hash: autoencoderHash(autoencoder),
        opset: "18",
        astrochem_version: packageVersion,
      });
      const parsed = (key: string): unknown => JSON.parse(metadata[key]!);
      expect(parsed("species")).toEqual(species);
      expect(parsed("physical_parameters")).toEqual(emulator.physical_parameters);
      expect(parsed("abundances_clipping")).toEqual({ lower: 1e-20, upper: 1 });
      expect(parsed("latent_range")).toEqual(json.latents_minmax);
      expect(parsed("time_step_yr")).toBe(1000);
      expect(Object.keys(parsed("inputs") as object)).toEqual(Object.keys(inputs));
      expect(Object.keys(parsed("outputs") as object)).toEqual(Object.keys(outputs));
      expect(metadata.steps).toBe(kind === "rollout" ? "7" : undefined);
    }
  });

  it("tells the units of every input and output", () => {
    const told = Object.fromEntries(
      summary.files.map(({ kind, path }) => {
        const { metadata } = readHeader(path);
        return [kind, { ...JSON.parse(metadata.inputs!), ...JSON.parse(metadata.outputs!) }];
      }),
    );
    expect(told).toMatchObject({
      encoder: { latents: "[batch, 14] latents as the encoder gives them" },
      decoder: { abundances: scaling ? inLinear("[batch, 333]") : inScaled("[batch, 333]") },
      step: { physical: scaling ? inUnits("[batch, 4]") : inRanges("[batch, 4]") },
      rollout: scaling
        ? { physical: inUnits("[batch, steps, 4]"), evolved_abundances: inLinear("[batch, steps, 333]") }
        : { physical: inRanges("[batch, steps, 4]"), evolved_latents: scaledLatents("[batch, steps, 14]") },
    });
  });
});

describe("the options of an export", () => {
  it("only: one file, which needs no emulator where it is the autoencoder's", async () => {
    const { files } = await exportOnnx(request("one", { only: "encoder", emulator: "absent.safetensors" }), tools);
    expect(files.map(({ path }) => path)).toEqual([join(folder, "one/encoder.onnx")]);
    expect(readdirSync(join(folder, "one"))).toEqual(["encoder.onnx"]);
    expect(readHeader(files[0]!.path).metadata.physical_parameters).toBeUndefined();
    const missing = request("none", { only: "step", emulator: "absent.safetensors" });
    await expect(exportOnnx(missing, tools)).rejects.toThrow("absent.safetensors");
    expect(existsSync(join(folder, "none"))).toBe(false);
  });

  it("steps: as many as are asked for, and the training window's by default", async () => {
    const [one, window] = [
      await exportOnnx(request("steps", { only: "rollout", steps: 1 }), tools),
      await exportOnnx(request("steps", { only: "rollout" }), tools),
    ];
    expect(one.files[0]!.outputs).toEqual({ evolved_latents: ["batch", 1, 14] });
    expect(window.files[0]!.outputs).toEqual({ evolved_latents: ["batch", 15, 14] });
  });

  it("steps that make no sense are errors", async () => {
    const thrown = (changes: Partial<ExportRequest>) =>
      thrownBy(() => exportOnnx(request("none", changes), tools), folder);
    expect(await thrown({ steps: 0 })).toMatch("ConfigError: --steps is 0; a rollout has one step or more");
    expect(await thrown({ steps: 1.5 })).toMatch("--steps is 1.5");
    expect(await thrown({ steps: 5, only: "step" })).toMatch("--steps is for the rollout, not for the step");
  });
});

describe("a file that deviates from Inference", () => {
  it("is found out, whatever is wrong with it", async () => {
    const checker = new OnnxChecker(ort, inference, models);
    const part = partOf("decoder", models, { scaling: true, steps: 1 });
    const bias = { data: part.weights.decoder_bias3!.data.slice(), shape: [333] };
    bias.data[7]! += 1e-3;
    const wrong = { ...part, weights: { ...part.weights, decoder_bias3: bias } };
    expect(await checker.deviation(onnxFile(part, models), part)).toBeLessThan(1e-6);
    expect(await checker.deviation(onnxFile(wrong, models), part)).toBeGreaterThan(1e-5);
    const longer = partOf("rollout", models, { scaling: false, steps: 3 });
    const shorter = partOf("rollout", models, { scaling: false, steps: 2 });
    await expect(checker.deviation(onnxFile(longer, models), shorter)).rejects.toThrow("invalid dimensions");
  });

  it("is not written", async () => {
    const broken = join(folder, "weights/made/broken.safetensors");
    writeEmulator(broken, { ...emulator, trainable: emulator.trainable.map(() => 3e38) });
    const error = await thrownBy(() => exportOnnx(request("broken", { emulator: broken }), tools), folder);
    expect(error).toMatchInlineSnapshot(`
      "NumericsError: the step deviates from Inference by NaN in scaled units; 1e-5 is allowed
        fix  nothing was written: look for weights or ranges that are extreme"
    `);
    expect(existsSync(join(folder, "broken"))).toBe(false);
  });

  it("is one above 1e-5 or without a number", () => {
    expect(() => checkDeviation("step", 1e-5)).not.toThrow();
    for (const deviation of [1.1e-5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => checkDeviation("step", deviation)).toThrow("the step deviates from Inference by");
    }
  });
});

describe("astrochem export", () => {
  const args = { format: "onnx", only: "step", output: "out" };

  it("prints what was written", async () => {
    const context = testContext({ cwd: folder, args });
    await exportCommand.run(context);
    expect(context.stdout.text.replace(/\S+e-\d+$/m, "…")).toMatchInlineSnapshot(`
      "file           in                   out                        bytes  deviation
      out/step.onnx  physical [batch,4],  next_latents [batch,14]  159,062  …
                     latents [batch,14]
      opset 18, scaled values in and out; deviation from Inference in scaled units, at batches of 1, 3, 64; 1e-5 is allowed
      "
    `);
    expect(context.stderr.text).toMatch(
      /^using the weights in weights\/made\nchecking against the compiled engine on cpu: .*; \d+ threads?: .*\nstep: deviates by \S+ at most/,
    );
  });

  it("prints JSON where that is wanted", async () => {
    const context = testContext({ cwd: folder, args: { ...args, scaling: true }, json: true });
    await exportCommand.run(context);
    expect(JSON.parse(context.stdout.text)).toMatchObject({ scaling: true, files: [{ kind: "step" }] });
  });

  it("knows one format", async () => {
    const context = testContext({ cwd: folder, args: { format: "tflite" } });
    await expect(exportCommand.run(context)).rejects.toThrow("unknown format `tflite`");
  });

  it("stops before it writes when it is interrupted", async () => {
    const context = testContext({ cwd: folder, args: { ...args, output: "late" }, signal: AbortSignal.abort() });
    await expect(exportCommand.run(context)).rejects.toThrow("aborted");
    expect(existsSync(join(folder, "late"))).toBe(false);
  });
});

const field = (id: number, type: string, rule?: "repeated") => (rule ? { id, type, rule } : { id, type });
const modelType = protobuf.Root.fromJSON({
  nested: {
    Model: {
      fields: {
        producer_name: field(2, "string"),
        producer_version: field(3, "string"),
        opset_import: field(8, "Opset", "repeated"),
        metadata_props: field(14, "Entry", "repeated"),
      },
    },
    Opset: { fields: { version: field(2, "int32") } },
    Entry: { fields: { key: field(1, "string"), value: field(2, "string") } },
  },
}).lookupType("Model");

/** What stands in a file beside its graph. */
function readHeader(path: string): { opset: number; producer: string; metadata: Record<string, string> } {
  const model = modelType.toObject(modelType.decode(readFileSync(path))) as {
    producer_name: string;
    producer_version: string;
    opset_import: { version: number }[];
    metadata_props: { key: string; value: string }[];
  };
  return {
    opset: model.opset_import[0]!.version,
    producer: `${model.producer_name} ${model.producer_version}`,
    metadata: Object.fromEntries(model.metadata_props.map(({ key, value }) => [key, value])),
  };
}
