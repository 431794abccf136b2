import { expect, it } from "vitest";
import { longest, TracerReader } from "../../src/analysis/tracer-blocks.ts";
import { trainingPass } from "../../src/analysis/training-pass.ts";
import { PhysicalScaling } from "../../src/chemistry/scaling.ts";
import type { Frame } from "../../src/data/frame.ts";

it("looks for the nearest history among 131,072 of more training tracers", async () => {
  const places = Array.from({ length: 140_000 }, (_, k) => ({ id: k, start: 2 * k, rows: 2 }));
  const read = (start: number, count: number, columns: readonly string[], target: Float32Array): void => {
    for (let i = 0; i < count * columns.length; i++) target[i] = 0.1 + ((start + i) % 7) / 10;
  };
  const frame = { rows: 280_000, path: "x", key: "train", read } as unknown as Frame;
  const columns = { species: ["CO"], physical: ["Av"], clipping: { lower: 1e-20, upper: 1 } };
  const knowledge = await trainingPass(new TracerReader(frame, columns), places, {
    components: 1,
    longestRows: longest(places),
    physical: new PhysicalScaling(["Av"], { Av: [0.1, 10] }),
    vectors: 4,
    visit: async () => {},
    checkpoint: async () => {},
  });
  expect(knowledge.tracers).toBe(140_000);
  expect(knowledge.places).toHaveLength(131_072);
  expect(knowledge.places.at(-1)!.id).toBeGreaterThan(139_990);
});
