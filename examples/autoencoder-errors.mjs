// How well does an autoencoder give abundances back? Every validation row is encoded and decoded; errors are averaged over rows, each
// row weighted the same, then told per species. Also: when the training lowered its learning rate.
//
// node examples/autoencoder-errors.mjs [weights/autoencoder.safetensors] [clean.h5] [weights/autoencoder.json]
import { readFileSync } from "node:fs";
import { Dataset, Inference } from "astrochem";
import { print, printTable } from "./table.mjs";

const [
  weights = "outputs/demo/weights/autoencoder.safetensors",
  data = "outputs/demo/data/sample_collapse_clean.h5",
  log = weights.replace(/\.safetensors$/, ".json"),
] = process.argv.slice(2);

const surrogate = await Inference.load({ autoencoder: weights });
const dataset = await Dataset.open(data, { species: surrogate.species });
const width = surrogate.species.length;

// |truth − decoded| / truth and |log10(decoded / truth)|, summed per species.
const [relative, dex] = [new Float64Array(width), new Float64Array(width)];
for (const { abundances } of dataset.val) {
  const decoded = await surrogate.decode(await surrogate.encode(abundances));
  for (const [at, truth] of abundances.data.entries()) {
    relative[at % width] += Math.abs(truth - decoded.data[at]) / truth;
    dex[at % width] += Math.abs(Math.log10(decoded.data[at] / truth));
  }
}
const { rows, length: tracers } = dataset.val;
const errors = surrogate.species
  .map((species, s) => ({ species, "relative error": relative[s] / rows, "error, dex": dex[s] / rows }))
  .sort((a, b) => b["relative error"] - a["relative error"]);

const values = errors.map((each) => each["relative error"]);
const mean = values.reduce((a, b) => a + b) / width;
const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / width);
print(`${rows} validation rows of ${tracers} tracers, ${width} species, ${surrogate.latentDim} latents\n`);
printTable([
  {
    "mean relative error": "over species",
    mean,
    median: values[Math.floor(width / 2)],
    "standard deviation": deviation,
    max: values[0],
  },
]);
print("\nthe worst species");
printTable(errors.slice(0, 10));

// The curve of the training: the epochs in which the learning rate changed, and the best one.
const epochs = JSON.parse(readFileSync(log, "utf8"));
const best = epochs.reduce((a, b) => (b.metric < a.metric ? b : a));
const turns = epochs.filter((each, i) => i === 0 || each.learning_rate !== epochs[i - 1].learning_rate);
print(`\nthe training: ${epochs.length} epochs, the best is ${best.epoch}`);
printTable(
  [...new Set([...turns, best, epochs.at(-1)])]
    .sort((a, b) => a.epoch - b.epoch)
    .map(({ epoch, learning_rate, metric }) => ({
      epoch: String(epoch),
      "learning rate": learning_rate,
      "mean relative error": metric,
      "its log10": Math.log10(metric),
    })),
);

dataset.close();
await surrogate.dispose();
