/**
 * A service that is asked for another batch and another length at every call: memory and milliseconds a call, every hundred calls.
 * Run: npx tsx bench/changing-sizes.ts [--calls 3000 --largest 300 --species 333 --engine compiled --threads 2]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { ComputeRequest } from "../src/backend/compute.ts";
import { RandomStream } from "../src/data/random.ts";
import { Inference } from "../src/inference/inference.ts";
import { writeRandomWeights } from "./random-weights.ts";

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "3000" },
    largest: { type: "string", default: "300" },
    species: { type: "string", default: "333" },
    engine: { type: "string", default: "compiled" },
    threads: { type: "string" },
  },
});
const [calls, largest, species] = [Number(values.calls), Number(values.largest), Number(values.species)];
const folder = mkdtempSync(join(tmpdir(), "astrochem-bench-"));
const megabytes = (): number => Math.round(process.memoryUsage.rss() / 1e6);

try {
  const surrogate = await Inference.load({
    ...writeRandomWeights(folder, species),
    engine: values.engine as ComputeRequest["engine"],
    threads: values.threads === undefined ? null : Number(values.threads),
  });
  const random = new RandomStream(1);
  const uniform = (...shape: number[]) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    random.fillUniform(data, 0, 1);
    return { data, shape };
  };
  const [drawn] = [uniform(2 * calls).data];
  const size = (k: number): number => 1 + Math.floor(drawn[k]! * largest);
  let started = performance.now();
  let rows = 0;
  process.stdout.write(`calls, RSS in MB, ms a call, µs a row\n0, ${megabytes()}\n`);
  for (let call = 1; call <= calls; call++) {
    const [batch, steps] = [size(2 * call - 2), size(2 * call - 1)];
    rows += batch * steps;
    await surrogate.emulate(uniform(batch, steps, 4), uniform(batch, species), { scaled: true });
    if (call % 100 !== 0) continue;
    const spent = performance.now() - started;
    process.stdout.write(
      `${call}, ${megabytes()}, ${(spent / 100).toFixed(1)}, ${((1000 * spent) / rows).toFixed(2)}\n`,
    );
    [started, rows] = [performance.now(), 0];
  }
  await surrogate.dispose();
  process.stdout.write(`disposed, ${megabytes()}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
