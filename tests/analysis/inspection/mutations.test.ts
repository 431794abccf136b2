import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { hintsFor } from "../../../src/analysis/inspection/hints.ts";
import { inspectFile } from "../../../src/analysis/inspection/inspect-file.ts";
import { encodeOnnx } from "../../../src/backend/onnx-model.ts";
import { inspectionText } from "../../../src/commands/inspection-text.ts";
import { RandomStream } from "../../../src/data/random.ts";
import { AstrochemError } from "../../../src/errors.ts";
import { writeClean } from "../../data/clean-sample.ts";
import { testFolder } from "../../helpers/folder.ts";
import { writeRawRows } from "../../helpers/raw-frame.ts";
import { writeSampleWeights } from "./sample-weights.ts";
import { options, settings } from "./settings.ts";

const folder = testFolder();
const golden = (name: string): string => join("tests/fixtures/golden/preprocess", name);
const format = (name: string): string => join("tests/fixtures/formats", name);
const eachTimes = 60;

async function originals(): Promise<string[]> {
  mkdirSync(folder, { recursive: true });
  const clean = await writeClean(folder, "clean.h5", { tracers: [5, 6] }, { tracers: [5] });
  const raw = join(folder, "raw.h5");
  const rows = Array.from({ length: 12 }, (_, i) => ({
    Tracer: i >> 2,
    Time: i % 4,
    Density: 5,
    Av: 1,
    H: 0.5,
    CO: 1e-5,
  }));
  await writeRawRows(raw, rows);
  const weights = writeSampleWeights(folder);
  const log = join(folder, "log.json");
  writeFileSync(log, JSON.stringify([{ epoch: 0, metric: 1 }]));
  const config = join(folder, "config.yaml");
  writeFileSync(config, "seed: 3\nmodel:\n  lr: 1e-3\n");
  const onnx = join(folder, "step.onnx");
  const port = { name: "x", type: "float32", shape: ["batch", 2] } as const;
  const node = { op: "Neg", inputs: ["x"], outputs: ["y"], attributes: {} };
  const graph = { name: "g", nodes: [node], constants: [], inputs: [port], outputs: [{ ...port, name: "y" }] };
  writeFileSync(onnx, encodeOnnx(graph, "1", { species: '["H2"]', kind: "step" }));
  const pandas = ["raw_table.h5", "raw_zlib_f32.h5"].map(golden);
  const others = ["plain.pth", "grid-f8.npy", "cube-i2-fortran-big.npy"].map(format);
  return [clean, raw, ...pandas, ...Object.values(weights), ...others, log, config, onnx];
}

/** One to forty bytes changed, half of them near the beginning, where the structure is; every eighth file is cut off. */
function mutated(original: Buffer, random: RandomStream): Buffer {
  const bytes = Buffer.from(original);
  const pick = (count: number): number => Math.floor(random.uniform() * count);
  for (let flips = 1 + pick(40); flips > 0; flips--) {
    const at = pick(pick(2) === 0 ? Math.min(4096, bytes.length) : bytes.length);
    bytes[Math.min(at, bytes.length - 1)] = pick(256);
  }
  return pick(8) === 0 ? bytes.subarray(0, pick(bytes.length)) : bytes;
}

describe("a damaged file", () => {
  it("is inspected or refused, whatever its bytes, and the report keeps to the terminal", async () => {
    const random = new RandomStream(20261123);
    const outcomes = { told: 0, refused: 0 };
    for (const path of await originals()) {
      const original = readFileSync(path);
      const target = join(folder, `mutated${extname(path)}`);
      for (let time = 0; time < eachTimes; time++) {
        writeFileSync(target, mutated(original, random));
        try {
          const inspection = await inspectFile(target, options);
          const text = inspectionText(inspection, hintsFor(inspection, { settings, overrides: [], path: "f" }), "f");
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
          expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
          JSON.stringify(inspection);
          outcomes.told++;
        } catch (error) {
          if (!(error instanceof AstrochemError)) throw new Error(`${path}, mutation ${time}`, { cause: error });
          outcomes.refused++;
        }
      }
    }
    expect(outcomes.told).toBeGreaterThan(100);
    expect(outcomes.refused).toBeGreaterThan(100);
  });
});
