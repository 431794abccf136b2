// What is in a dataset? Ranges and distributions of the physical parameters, abundances by decades, the most variable species.
// node examples/explore-dataset.mjs [clean.h5]
import { Dataset, parseSpecies } from "astrochem";
import { print, printTable } from "./table.mjs";

const [data = "outputs/demo/data/sample_collapse_clean.h5"] = process.argv.slice(2);
const dataset = await Dataset.open(data);
const [width, phys] = [dataset.species.length, dataset.physicalParameters.length];

// One pass over both splits. The parameters fit into memory; of the abundances only counts are kept.
const parameters = dataset.physicalParameters.map(() => []);
const decades = ["gas", "surface", "bulk"].map((phase) => ({ phase, counts: new Float64Array(21), total: 0 }));
const phaseOf = dataset.species.map((name) => decades.findIndex(({ phase }) => phase === parseSpecies(name).phase));
for (const split of [dataset.train, dataset.val]) {
  for (const { physical, abundances } of split) {
    for (const [at, value] of physical.data.entries()) parameters[at % phys].push(value);
    for (const [at, value] of abundances.data.entries()) {
      const group = decades[phaseOf[at % width]];
      group.counts[Math.min(20, Math.max(0, Math.floor(-Math.log10(value))))]++;
      group.total++;
    }
  }
}

print(`${dataset.train.length} tracers to train on, ${dataset.val.length} to validate; ${width} species\n`);
printTable(
  dataset.physicalParameters.map((name, p) => {
    const sorted = Float64Array.from(parameters[p]).sort();
    const at = (share) => sorted[Math.round(share * (sorted.length - 1))];
    return {
      parameter: name,
      min: at(0),
      "0.5 %": at(0.005),
      median: at(0.5),
      "99.5 %": at(0.995),
      max: at(1),
      histogram: bars(sorted),
    };
  }),
);
print("  histogram: 20 bins of log10 between the quantiles 0.5 % and 99.5 %\n");
printTable(
  decades.map(({ phase, counts, total }) => {
    const share = (from, to) => counts.slice(from, to).reduce((a, b) => a + b, 0) / total;
    return { phase, "≥ 1e-6": share(0, 6), "to 1e-12": share(6, 12), "to 1e-18": share(12, 18), below: share(18, 21) };
  }),
);
print("  shares of the abundances\n");

// The species that vary most: largest mean deviation of log10 within three rows that follow one another.
const { model, rows, abundances } = dataset.val.tracer(0);
const log = (row, s) => Math.log10(abundances.data[row * width + s]);
const variable = dataset.species.map((species, s) => {
  let sum = 0;
  for (let row = 1; row + 1 < rows; row++) sum += deviation([log(row - 1, s), log(row, s), log(row + 1, s)]);
  return { species, variability: sum / (rows - 2), start: log(0, s), middle: log(rows >> 1, s), end: log(rows - 1, s) };
});
print(`the most variable species of tracer ${model}, and their log10`);
printTable(variable.sort((a, b) => b.variability - a.variability).slice(0, 15));
dataset.close();

function deviation(values) {
  const mean = values.reduce((a, b) => a + b) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
}

function bars(sorted) {
  const logs = sorted.map(Math.log10);
  const [low, high] = [0.005, 0.995].map((share) => logs[Math.round(share * (logs.length - 1))]);
  const counts = new Float64Array(20);
  for (const value of logs) {
    if (value >= low && value <= high) counts[Math.min(19, Math.floor((20 * (value - low)) / (high - low || 1)))]++;
  }
  return [...counts].map((count) => " ▁▂▃▄▅▆▇█"[Math.ceil((8 * count) / Math.max(...counts))]).join("");
}
