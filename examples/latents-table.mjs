// The latents of 100 random validation rows as a table (CSV): Model, Time, latent_0, latent_1, … for a notebook or a plot.
//
// node examples/latents-table.mjs [weights/NAME/autoencoder.safetensors] [clean.h5] [latents.csv]
import { writeFileSync } from "node:fs";
import { Dataset, Inference } from "astrochem";
import { print, printTable } from "./table.mjs";

const [
  weights = "outputs/demo/weights/sample/autoencoder.safetensors",
  data = "outputs/demo/data/sample_collapse_clean.h5",
  output = "latents.csv",
] = process.argv.slice(2);
const wanted = 100;

const surrogate = await Inference.load({ autoencoder: weights });
const dataset = await Dataset.open(data, { species: surrogate.species });
const width = surrogate.species.length;

// Reservoir sampling: each row is as likely as any other, however many there are, and only `wanted` of them are kept.
const kept = [];
let seen = 0;
for (const { model, rows, times, abundances } of dataset.val) {
  for (let row = 0; row < rows; row++, seen++) {
    const place = seen < wanted ? seen : Math.floor(Math.random() * (seen + 1));
    if (place < wanted)
      kept[place] = { model, time: times[row], state: abundances.data.slice(row * width, (row + 1) * width) };
  }
}
kept.sort((a, b) => a.model - b.model || a.time - b.time);

const rows = Float32Array.from(kept.flatMap(({ state }) => [...state]));
const latents = await surrogate.encode({ data: rows, shape: [kept.length, width] });
const table = kept.map(({ model, time }, row) => {
  const own = [...latents.data.subarray(row * surrogate.latentDim, (row + 1) * surrogate.latentDim)];
  return { Model: String(model), Time: time, ...Object.fromEntries(own.map((value, k) => [`latent_${k}`, value])) };
});

const lines = [Object.keys(table[0]), ...table.map((row) => Object.values(row))].map((cells) => cells.join(","));
writeFileSync(output, `${lines.join("\n")}\n`);
printTable(
  table
    .slice(0, 5)
    .map(({ Model, Time, latent_0, latent_1, latent_2 }) => ({ Model, Time, latent_0, latent_1, latent_2 })),
);
print(`… ${table.length} rows of ${seen}, ${surrogate.latentDim} latents each, in ${output}`);
dataset.close();
await surrogate.dispose();
