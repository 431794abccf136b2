import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inspectFile } from "../../../src/analysis/inspection/inspect-file.ts";
import { encodeOnnx } from "../../../src/backend/onnx-model.ts";
import { inspectionText } from "../../../src/commands/inspection-text.ts";
import { writeNpy } from "../../../src/formats/npy.ts";
import { encodeSafetensors, writeSafetensors } from "../../../src/formats/safetensors.ts";
import { testFolder, thrownBy } from "../../helpers/folder.ts";
import { writeSampleWeights } from "./sample-weights.ts";
import { options } from "./settings.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const fixture = (name: string): string => join("tests/fixtures/formats", name);

describe("weights of this package", () => {
  it("tell the model, its species by phase and where it comes from", async () => {
    const { autoencoder } = writeSampleWeights(folder);
    const found = await inspectFile(autoencoder, options);
    expect(found).toMatchObject({
      kind: "weights",
      model_kind: "autoencoder",
      format_version: 4,
      model: { input_dim: 3, hidden_dims: [4, 3], latent_dim: 2 },
      species: { count: 3, gas: 1, surface: 1, bulk: 1, not_listed: ["#CO", "@CO"], missing: ["H2", "CO"] },
      metadata: { latent_range: [-0.2, 1.5], steps: 7, provenance: { epoch: 5, best_metric: 0.25 } },
    });
    expect(found).not.toHaveProperty("metadata.statistics");
  });

  it("tell of an emulator whether its autoencoder lies beside it", async () => {
    const { autoencoder, emulator } = writeSampleWeights(folder);
    const metadata = {
      window_size: 4,
      time_step_yr: 92.9,
      physical_parameters: [{ name: "Density", range: [1, 1e6] }],
    };
    expect(await inspectFile(emulator, options)).toMatchObject({ model_kind: "emulator", autoencoder, metadata });
    mkdirSync(at("alone"));
    renameSync(emulator, at("alone/emulator.safetensors"));
    expect(await inspectFile(at("alone/emulator.safetensors"), options)).toMatchObject({ autoencoder: null });
  });

  it("are refused where the metadata do not fit the arrays", async () => {
    writeSafetensors(at("broken.safetensors"), new Map(), { kind: "emulator", format_version: "1" });
    expect(await thrownBy(() => inspectFile(at("broken.safetensors"), options), folder)).toMatch(
      /^CheckpointError: .*damaged metadata/,
    );
  });
});

describe("arrays of other programs", () => {
  it("are listed with their values: safetensors", async () => {
    const data = Float32Array.of(-2, Number.NaN, 5, Number.POSITIVE_INFINITY);
    writeSafetensors(at("foreign.safetensors"), new Map([["a", { dtype: "F32", shape: [2, 2], data }]]), {
      origin: "x",
    });
    expect(await inspectFile(at("foreign.safetensors"), options)).toMatchObject({
      kind: "tensors",
      format: "safetensors",
      metadata: { origin: "x" },
      parameters: 4,
      looks_like: null,
      tensors: [{ name: "a", type: "F32", shape: [2, 2], min: -2, max: 5, nonfinite: 2 }],
    });
    expect(await inspectFile(at("foreign.safetensors"), { ...options, isQuick: true })).toMatchObject({
      tensors: [{ min: null, max: null, nonfinite: null }],
    });
  });

  it("are listed without their values where the type is none of JavaScript's", async () => {
    const parts = encodeSafetensors(new Map([["a", { dtype: "I16", shape: [2], data: Int16Array.of(1, 2) }]]));
    writeFileSync(
      at("bf16.safetensors"),
      Buffer.from(Buffer.concat(parts).toString("latin1").replace('"I16"', '"F16"'), "latin1"),
    );
    expect(await inspectFile(at("bf16.safetensors"), options)).toMatchObject({ tensors: [{ type: "F16", min: null }] });
  });

  it("are refused where two share their bytes", async () => {
    const header = {
      a: { dtype: "F32", shape: [1], data_offsets: [0, 4] },
      b: { dtype: "F32", shape: [1], data_offsets: [0, 4] },
    };
    const json = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(json.length));
    writeFileSync(at("shared.safetensors"), Buffer.concat([length, json, Buffer.alloc(4)]));
    expect(await thrownBy(() => inspectFile(at("shared.safetensors"), options), folder)).toMatch(/array b overlaps/);
  });

  it("are listed: PyTorch", async () => {
    const found = await inspectFile(fixture("hostile.pth"), options).catch((error) => error);
    const plain = await inspectFile(fixture("plain.pth"), options);
    expect(plain).toMatchObject({ kind: "tensors", format: "pytorch" });
    expect(String(found)).toMatch(/CheckpointError: the pickle asks for posix\.system/);
  });

  it("are not run: a hostile .pth is refused by name", async () => {
    expect(await thrownBy(() => inspectFile(fixture("hostile.pth"), options), folder)).toMatch(/^CheckpointError: /);
  });
});

describe("NumPy arrays", () => {
  it("tell shape, type and values", async () => {
    writeNpy(at("a.npy"), { shape: [2, 3], data: Float64Array.of(0, -1, 2, Number.NaN, Number.NEGATIVE_INFINITY, 7) });
    expect(await inspectFile(at("a.npy"), options)).toMatchObject({
      kind: "array",
      type: "f8",
      shape: [2, 3],
      min: -1,
      max: 7,
      nan: 1,
      infinite: 1,
      negative: 1,
      zero: 1,
    });
    expect(await inspectFile(at("a.npy"), { ...options, isQuick: true })).toMatchObject({ shape: [2, 3], min: null });
  });

  it("are read in blocks and in either byte order", async () => {
    const data = Float32Array.from({ length: 3_000_000 }, (_, i) => i);
    writeNpy(at("long.npy"), { shape: [data.length], data });
    expect(await inspectFile(at("long.npy"), options)).toMatchObject({ min: 0, max: 2_999_999, zero: 1 });
    const [big, little] = await Promise.all([
      inspectFile(fixture("grid-f8-big.npy"), options),
      inspectFile(fixture("grid-f8.npy"), options),
    ]);
    expect(big).toMatchObject({ type: "f8" });
    expect({ ...big, path: "", bytes: 0 }).toEqual({ ...little, path: "", bytes: 0 });
  });

  it("of objects or records are refused", async () => {
    for (const name of ["objects.npy", "records.npy"]) {
      expect(await thrownBy(() => inspectFile(fixture(name), options), folder)).toMatch(/^DataError: /);
    }
  });
});

describe("a model in ONNX", () => {
  const port = { name: "x", type: "float32", shape: ["batch", 2] } as const;
  const graph = {
    name: "g",
    nodes: [{ op: "Add", inputs: ["x", "c"], outputs: ["y"], attributes: {} }],
    constants: [{ name: "c", type: "float32", shape: [2], data: Float32Array.of(1, 2) }],
    inputs: [port],
    outputs: [{ ...port, name: "y" }],
  } as const;
  const metadata = { species: '["H2", "#X"]', latent_range: "[0, 1]", kind: "step" };

  it("tells what goes in and out, and its metadata", async () => {
    writeFileSync(at("model.onnx"), encodeOnnx(graph, "9.9", metadata));
    const found = await inspectFile(at("model.onnx"), options);
    expect(found).toMatchObject({
      kind: "onnx",
      producer: "astrochem 9.9",
      opset: 18,
      nodes: 1,
      parameters: 2,
      inputs: [{ name: "x", type: "float32", shape: ["batch", 2] }],
      outputs: [{ name: "y", type: "float32", shape: ["batch", 2] }],
      species: { count: 2, gas: 1, surface: 1, not_listed: ["#X"] },
      metadata: { latent_range: [0, 1], kind: "step" },
    });
    expect(inspectionText(found, [], "model.onnx")).toMatch(/input +x: float32 \[batch, 2\]\n/);
  });

  it("is refused where it is cut off or something else, and archives of arrays by their name", async () => {
    writeFileSync(at("cut.onnx"), encodeOnnx(graph, "9.9").subarray(0, 40));
    writeFileSync(at("text.onnx"), "not a model");
    writeFileSync(at("arrays.npz"), Buffer.from("PK\x03\x04"));
    for (const [name, message] of [
      ["cut.onnx", "no ONNX model"],
      ["text.onnx", "no ONNX model"],
      ["arrays.npz", "an archive of arrays"],
    ] as const) {
      expect(await thrownBy(() => inspectFile(at(name), options), folder), name).toMatch(`DataError: ${message}`);
    }
  });
});
