import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { decodeSafetensors } from "../../src/formats/safetensors.ts";
import { readAutoencoder, readEmulator } from "../../src/models/weights-file.ts";
import { type JsonMutation, jsonMutations, mutateJson } from "./json-mutations.ts";
import { type Mutation, mutateBytes, mutations } from "./mutations.ts";
import { demand, seedBytes, target } from "./target.ts";

const seeds = ["autoencoder-v1", "emulator-v1"].map((name) => seedBytes(`formats/${name}.safetensors`));

interface Case {
  readonly seed: number;
  readonly bytes: readonly Mutation[];
  readonly header: readonly JsonMutation[];
  /** Of the JSON texts within the metadata. */
  readonly metadata: readonly JsonMutation[];
  readonly key: number;
}

/** Weights files: bytes, the header's JSON, and the JSON texts within its metadata. */
export const safetensorsTarget = target<Case>({
  name: "safetensors",
  exitCodes: [4],
  cases: fc
    .record({
      seed: fc.nat({ max: 1 }),
      bytes: mutations,
      header: jsonMutations,
      metadata: jsonMutations,
      key: fc.nat(),
      which: fc.constantFrom("bytes", "header", "header", "metadata", "metadata", "all"),
    })
    .map(({ which, ...parts }) => ({
      ...parts,
      bytes: which === "bytes" || which === "all" ? parts.bytes : [],
      header: which === "header" || which === "all" ? parts.header : [],
      metadata: which === "metadata" || which === "all" ? parts.metadata : [],
    })),
  attack(one, folder) {
    const bytes = damagedFile(one);
    const path = join(folder, "weights.safetensors");
    writeFileSync(path, bytes);
    decodeSafetensors(bytes, path);
    if (one.seed === 0) {
      const { trainable, statistics, species, model, latent_range, abundances_clipping } = readAutoencoder(path);
      demand([...trainable, ...statistics].every(Number.isFinite), "weights that are not finite");
      demand(species.length === model.input_dim, "another number of species than inputs");
      demand(latent_range === null || latent_range[0] < latent_range[1], "an empty latent range");
      demand(abundances_clipping.lower < abundances_clipping.upper, "an empty clipping");
    } else {
      const { trainable, physical_parameters, model } = readEmulator(path);
      demand(trainable.every(Number.isFinite), "weights that are not finite");
      demand(physical_parameters.length + model.output_dim === model.input_dim, "sizes that do not fit");
      demand(
        physical_parameters.every(({ range: [lower, upper] }) => 0 < lower && lower < upper),
        "a range without logarithms",
      );
    }
  },
});

function damagedFile({ seed, bytes, header, metadata, key }: Case): Buffer {
  const whole = seeds[seed]!;
  const length = Number(whole.readBigUInt64LE(0));
  let json = whole.toString("utf8", 8, 8 + length);
  if (metadata.length > 0) {
    const parsed = JSON.parse(json) as Record<string, Record<string, string>>;
    const names = Object.keys(parsed.__metadata__!);
    const name = names[key % names.length]!;
    parsed.__metadata__![name] = mutateJson(parsed.__metadata__![name]!, metadata);
    json = JSON.stringify(parsed);
  }
  json = mutateJson(json, header);
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(Buffer.byteLength(json)));
  return mutateBytes(Buffer.concat([prefix, Buffer.from(json), whole.subarray(8 + length)]), bytes);
}
