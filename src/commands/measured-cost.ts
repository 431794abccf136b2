import { CheckpointError } from "../errors.ts";
import { Inference } from "../inference/inference.ts";
import { surrogateFiles } from "./surrogate-files.ts";

/** Steps of a rollout, and how often it is repeated. */
const [steps, rounds] = [100, 20];

/**
 * What one step of one tracer takes, decoded, on one thread: the quickest of some rollouts, because others share the machine. Of an
 * autoencoder alone: to encode and decode a row.
 * @param run  folder of the training
 * @returns    microseconds
 */
export async function measureCost(run: string): Promise<number> {
  const files = surrogateFiles(run, []);
  if (files === null) throw new CheckpointError("this run holds no weights", { where: run, fix: "train it again" });
  const { autoencoder, emulator } = files;
  const surrogate = await Inference.load({ autoencoder, emulator: emulator ?? undefined, threads: 1 });
  try {
    const [n, phys] = [surrogate.species.length, surrogate.physicalParameters.length];
    const abundances = { data: new Float32Array(n).fill(0.5), shape: [1, n] };
    const physical = { data: new Float32Array(steps * phys).fill(0.5), shape: [1, steps, phys] };
    const once = async (): Promise<void> => {
      if (emulator !== null) await surrogate.emulate(physical, abundances, { scaled: true });
      else for (let i = 0; i < steps; i++) await surrogate.decode(await surrogate.encode(abundances, { scaled: true }));
    };
    await once();
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < rounds; round++) {
      const began = performance.now();
      await once();
      least = Math.min(least, performance.now() - began);
    }
    return Number(((1000 * least) / steps).toPrecision(4));
  } finally {
    await surrogate.dispose();
  }
}
