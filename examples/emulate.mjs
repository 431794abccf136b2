// The least that a simulation needs: physical conditions along a trajectory and the abundances at its start go in, the abundances at
// every later step come out. Here both come from a validation tracer, so that the result can be compared with the solver's.
//
// node examples/emulate.mjs [weights folder] [clean.h5] [species,species,…]
import { Dataset, Inference } from "astrochem";
import { print, printTable } from "./table.mjs";

const [
  folder = "outputs/demo/weights/sample",
  data = "outputs/demo/data/sample_collapse_clean.h5",
  chosen = "CO,H2O,#H2O,HCO+",
] = process.argv.slice(2);

const surrogate = await Inference.load({
  autoencoder: `${folder}/autoencoder.safetensors`,
  emulator: `${folder}/emulator.safetensors`,
});
const dataset = await Dataset.open(data, surrogate);
const { model, rows, times, physical, abundances } = dataset.val.tracer(0);
const [width, phys] = [surrogate.species.length, surrogate.physicalParameters.length];

// Batch of one: [1, steps, physical] and [1, species]. The last row's conditions lead beyond the end of the tracer.
const steps = rows - 1;
const started = performance.now();
const chemistry = await surrogate.emulate(
  { data: physical.data.subarray(0, steps * phys), shape: [1, steps, phys] },
  { data: abundances.data.subarray(0, width), shape: [1, width] },
);
const milliseconds = performance.now() - started;

const names = surrogate.physicalParameters.map(({ name }) => name).join(", ");
print(`tracer ${model}: ${steps} steps under ${names}, emulated in ${milliseconds.toFixed(1)} ms`);
print(`(the emulator was trained on windows of ${surrogate.windowSize} rows)\n`);
const shown = [1, 5, 10, 20, 40, 80, steps].filter((step, i, all) => step <= steps && all.indexOf(step) === i);
for (const name of chosen.split(",")) {
  const s = surrogate.species.indexOf(name);
  if (s < 0) throw new Error(`${name} is not among the surrogate's species`);
  print(`${name}`);
  printTable(
    shown.map((step) => {
      // Entry t of the result is the state one time step after row t.
      const [solver, emulated] = [abundances.data[step * width + s], chemistry.data[(step - 1) * width + s]];
      return { "time, yr": times[step], solver, emulated, "error, dex": Math.log10(emulated / solver) };
    }),
  );
  print();
}
dataset.close();
await surrogate.dispose();
