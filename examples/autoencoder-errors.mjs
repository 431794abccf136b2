// How well does an autoencoder give abundances back? Every validation row is encoded and decoded; errors are averaged over rows, each
// row weighted the same, then told per species. Also: how the training went.
//
// node examples/autoencoder-errors.mjs [weights/NAME/autoencoder.safetensors] [clean.h5] [weights/NAME/autoencoder.json]
import { readFileSync } from "node:fs";
import { Dataset, Inference } from "astrochem";
import { print, printTable } from "./table.mjs";

const [
  weights = "outputs/demo/weights/sample/autoencoder.safetensors",
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

// The curve of the training: ten epochs spread over it, and the one that was kept. The log counts epochs from 0.
const epochs = JSON.parse(readFileSync(log, "utf8"));
const best = epochs.reduce((a, b) => (b.metric < a.metric ? b : a));
const chosenBy = best.metric === best.dex ? "error in dex" : "mean relative error";
const shown = Array.from({ length: 10 }, (_, i) => epochs[Math.round((i * (epochs.length - 1)) / 9)]);
print(`\nthe training: ${epochs.length} epochs; the ${chosenBy} chose epoch ${best.epoch + 1}`);
printTable(
  [...new Set([...shown, best])]
    .sort((a, b) => a.epoch - b.epoch)
    .map(({ epoch, learning_rate, dex, mean }) => ({
      epoch: `${epoch + 1}${epoch === best.epoch ? " (kept)" : ""}`,
      "learning rate": learning_rate,
      "error, dex": dex,
      "mean relative error": mean,
    })),
);

dataset.close();
await surrogate.dispose();
