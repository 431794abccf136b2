/** Loads weights, emulates and disposes, again and again; prints the memory in bytes after each cycle. Run with --expose-gc. */
import { Inference } from "../../src/inference/inference.ts";

const [folder, cycles] = process.argv.slice(2);
// Held on to, so that nothing but `dispose` frees what they took.
const loaded: Inference[] = [];
const [batch, steps] = [4, 24];
for (let cycle = 0; cycle < Number(cycles); cycle++) {
  const surrogate = await Inference.load({
    autoencoder: `${folder}/autoencoder.safetensors`,
    emulator: `${folder}/emulator.safetensors`,
    threads: 1,
  });
  loaded.push(surrogate);
  const { species, physicalParameters } = surrogate;
  const physical = new Float32Array(batch * steps * physicalParameters.length).fill(0.5);
  const abundances = new Float32Array(batch * species.length).fill(0.5);
  await surrogate.emulate(
    { data: physical, shape: [batch, steps, physicalParameters.length] },
    { data: abundances, shape: [batch, species.length] },
    { scaled: true },
  );
  await surrogate.dispose();
  gc!();
  process.stdout.write(`${process.memoryUsage.rss()}\n`);
}
