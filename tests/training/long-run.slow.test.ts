import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { beforeAll, expect, it } from "vitest";
import { type EngineState, hostTensor, type Program } from "../../src/backend/engine.ts";
import { tf } from "../../src/backend/tf.ts";
import { tableOfNames } from "../../src/chemistry/element-table.ts";
import { RandomStream } from "../../src/data/random.ts";
import { adamWInputs } from "../../src/training/adamw.ts";
import { autoencoderTrainStep } from "../../src/training/autoencoder-steps.ts";
import { stoichiometryTensor } from "../../src/training/dataset-facts.ts";
import { autoencoderLayouts, autoencoderOf, initialAutoencoder } from "../helpers/models.ts";
import { engineNamed, engines, useWasm } from "../helpers/tensors.ts";

const species = ["HCN", "SIO", "HCL", "HE", "MG", "CS"];
const shape = { input_dim: species.length, hidden_dims: [32, 16], latent_dim: 4 } as const;
const loss = { power_weight: 20, worst_weight: 2, conservation_weight: 100, log10_lower: -20, log10_upper: 0 };
const optimizer = { betas: [0.9, 0.999], weight_decay: 1e-4, gradient_clipping: 1 } as const;
const rows = 64;

const [steps, every] = [10_000, 100];
/** Kernels are compiled, pools filled and the heap grown by then. */
const warmUp = 3000;
/** A lost batch, [64, 6] float32, would be 15 MB in 10,000 steps; garbage that waits for its collection is no trend. */
const mostMegabytes = 10;

beforeAll(useWasm);

/** One optimizer step on rows that differ from step to step. */
function trainStep(program: Program, state: EngineState, step: number): Promise<unknown> {
  const features = Float32Array.from(
    { length: rows * species.length },
    (_, i) => 0.5 + 0.3 * Math.sin(i / 9 + (i % species.length) + step),
  );
  return program.run(state, { features: hostTensor(features, [rows, 6]), ...adamWInputs(optimizer, 1e-4, step) });
}

/** Slope of the least-squares line through (x, y). */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (axis: 0 | 1): number => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [x0, y0] = [mean(0), mean(1)];
  const covariance = points.reduce((sum, [x, y]) => sum + (x - x0) * (y - y0), 0);
  return covariance / points.reduce((sum, [x]) => sum + (x - x0) ** 2, 0);
}

/** What waits for its collection is not lost: it would make a saw of tens of megabytes of the line. */
const collectGarbage = ((): (() => void) => {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
})();

it.each(engines)("10,000 optimizer steps leave memory and tensors as they were (%s engine)", async (name) => {
  const engine = await engineNamed(name);
  const size = autoencoderLayouts(shape).trainable.size;
  const { trainable, statistics } = initialAutoencoder(shape, new RandomStream(1));
  const zeros = (): Float32Array => new Float32Array(size);
  const state = engine.state({
    parameters: hostTensor(trainable, [size]),
    first_moment: hostTensor(zeros(), [size]),
    second_moment: hostTensor(zeros(), [size]),
    statistics: hostTensor(statistics, [statistics.length]),
    stoichiometry: stoichiometryTensor(tableOfNames(species)),
  });
  const program = engine.program("train", autoencoderTrainStep(autoencoderOf(shape), loss, optimizer));
  const memory: [step: number, megabytes: number][] = [];
  const tensors = new Set<number>();
  for (let step = 1; step <= steps; step++) {
    await trainStep(program, state, step);
    if (step <= warmUp || step % every !== 0) continue;
    collectGarbage();
    memory.push([step, process.memoryUsage.rss() / 1e6]);
    tensors.add(tf.memory().numTensors);
  }
  program.dispose();
  state.dispose();
  expect(tensors.size).toBe(1);
  const growth = slope(memory) * steps;
  expect(growth, JSON.stringify(memory.filter((_, i) => i % 10 === 0))).toBeLessThan(mostMegabytes);
});
