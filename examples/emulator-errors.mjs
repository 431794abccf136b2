// How fast does the error of an emulator grow? Every window of the validation tracers is emulated from its first row alone; errors are
// averaged over windows, then told per step and per species, with the conservation of the elements.
//
// node examples/emulator-errors.mjs [weights folder] [clean.h5]
import { Dataset, elements, Inference, parseSpecies } from "astrochem";
import { print, printTable } from "./table.mjs";

const [folder = "outputs/demo/weights/sample", data = "outputs/demo/data/sample_collapse_clean.h5"] =
  process.argv.slice(2);

const surrogate = await Inference.load({
  autoencoder: `${folder}/autoencoder.safetensors`,
  emulator: `${folder}/emulator.safetensors`,
});
const dataset = await Dataset.open(data, surrogate);
const [width, phys] = [surrogate.species.length, surrogate.physicalParameters.length];
const steps = surrogate.windowSize - 1;
const atoms = surrogate.species.map((name) => elements.map((element) => parseSpecies(name).atoms.get(element) ?? 0));

const relative = Array.from({ length: steps }, () => new Float64Array(width));
const conservation = Array.from({ length: steps }, () => new Float64Array(elements.length));
let windows = 0;
for (const { rows, physical, abundances } of dataset.val) {
  const starts = Array.from({ length: Math.max(0, rows - steps) }, (_, start) => start);
  if (starts.length === 0) continue;
  // [windows, steps, physical] and [windows, species]: the windows of one tracer in one call.
  const histories = starts.flatMap((start) => [...physical.data.subarray(start * phys, (start + steps) * phys)]);
  const firsts = starts.flatMap((start) => [...abundances.data.subarray(start * width, (start + 1) * width)]);
  const emulated = await surrogate.emulate(
    { data: histories, shape: [starts.length, steps, phys] },
    { data: firsts, shape: [starts.length, width] },
  );
  for (const start of starts) {
    for (let step = 0; step < steps; step++) {
      const predicted = emulated.data.subarray((start * steps + step) * width).subarray(0, width);
      const truth = abundances.data.subarray((start + step + 1) * width).subarray(0, width);
      compare(predicted, truth, relative[step], conservation[step]);
    }
  }
  windows += starts.length;
}

function compare(predicted, truth, sums, totals) {
  const [before, after] = [new Float64Array(elements.length), new Float64Array(elements.length)];
  for (let s = 0; s < width; s++) {
    sums[s] += Math.abs(truth[s] - predicted[s]) / truth[s];
    for (const [e, count] of atoms[s].entries()) {
      before[e] += count * truth[s];
      after[e] += count * predicted[s];
    }
  }
  for (const e of elements.keys()) totals[e] += Math.abs(before[e] - after[e]) / before[e];
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const perSpecies = surrogate.species
  .map((species, s) => ({ species, "relative error": mean(relative.map((sums) => sums[s] / windows)) }))
  .sort((a, b) => b["relative error"] - a["relative error"]);

print(`${windows} windows of ${steps} steps, ${dataset.val.length} validation tracers\n`);
const shown = Array.from({ length: 8 }, (_, i) => Math.round((i * (steps - 1)) / 7));
printTable(
  [...new Set(shown)].map((step) => ({
    step: String(step + 1),
    "relative error, mean over species": mean(relative[step]) / windows,
    "median species": [...relative[step]].sort((a, b) => a - b)[width >> 1] / windows,
    "elements lost or made": mean(conservation[step]) / windows,
  })),
);
const errors = perSpecies.map((each) => each["relative error"]);
const deviation = Math.sqrt(mean(errors.map((error) => (error - mean(errors)) ** 2)));
print("\nmean over steps");
printTable([{ "relative error": "over species", mean: mean(errors), "standard deviation": deviation, max: errors[0] }]);
print("\nthe worst species, mean over steps");
printTable(perSpecies.slice(0, 10));
dataset.close();
await surrogate.dispose();
