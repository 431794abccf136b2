import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { RandomStream } from "../../src/data/random.ts";
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts";
import { initialEvolver } from "../../src/models/evolver.ts";
import { evolverOf, evolvers } from "../../src/models/evolvers.ts";
import { joinMembers, memberCount, memberOf } from "../../src/models/members.ts";
import { Decoder, Roller } from "../../src/models/runners.ts";
import type { Trust } from "../../src/models/trust.ts";
import {
  type AutoencoderWeights,
  type EmulatorWeights,
  readEmulator,
  writeEmulator,
} from "../../src/models/weights-file.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { initialAutoencoder } from "../helpers/models.ts";
import { engineNamed, engines, expectClose, useWasm } from "../helpers/tensors.ts";

const [parameters, latent, batch, steps] = [3, 2, 3, 11];
const random = new RandomStream(8);
const uniform = (size: number): Float32Array => {
  const data = new Float32Array(size);
  random.fillUniform(data, 0, 1);
  return data;
};
const provenance = (seed: number) => ({ data_hash: "ab", seed, epoch: 3, best_metric: 0.1 * seed, versions: {} });

/** Members of one kind, of seeds of their own. */
function membersOf(model_name: string, count: number): EmulatorWeights[] {
  const { widths, reads } = evolvers[model_name as keyof typeof evolvers];
  const read = Object.fromEntries(reads.map((name, k) => [name, { index: k % parameters, range: [10, 1000] }]));
  const small = "hidden_dim" in widths ? { hidden_dim: 6 } : {};
  const evolver = evolverOf({
    model_name,
    model: { input_dim: parameters + latent, output_dim: latent, ...small, ...read },
  });
  return Array.from({ length: count }, (_, m) => ({
    model_name,
    model: evolver.shape,
    species: ["H2", "CO", "#H2O"],
    physical_parameters: ["Density", "Av", "Radfield"].map((name) => ({ name, range: [0.1, 1e9] as [number, number] })),
    window_size: 22,
    time_step_yr: 100,
    scaled_latent_range: { lower: [0, 0], upper: [1, 1] },
    autoencoder_hash: "cd",
    provenance: provenance(m + 1),
    trainable: initialEvolver(evolver, new RandomStream(m), 0.3),
  }));
}
const paths = ["a.safetensors", "b.safetensors", "c.safetensors"];

beforeAll(useWasm);

describe.each(Object.keys(evolvers))("an ensemble of %s", (name) => {
  it.each(engines)("rolls each member out as that does by itself, on the %s engine", async (engineName) => {
    const engine = await engineNamed(engineName);
    const members = membersOf(name, 3);
    const [physical, start] = [uniform(batch * steps * parameters), uniform(batch * latent)];
    const together = new Roller(engine, joinMembers(members, paths));
    const all = await together.rollout(physical, start, batch, steps);
    await together.dispose();
    expect(all.length).toBe(batch * steps * 3 * latent);
    for (const [m, member] of members.entries()) {
      const alone = new Roller(engine, member);
      const wanted = await alone.rollout(physical, start, batch, steps);
      await alone.dispose();
      const found = wanted.map((_, at) => all[(Math.floor(at / latent) * 3 + m) * latent + (at % latent)]!);
      expectClose(found, wanted, { absolute: 1e-6, what: `member ${m}` });
    }
  });
});

describe("what is decoded of an ensemble", () => {
  const shape = { input_dim: 4, hidden_dims: [5, 4] as [number, number], latent_dim: latent };
  const autoencoder = {
    model_name: "autoencoder",
    model: shape,
    abundances_clipping: { lower: 1e-20, upper: 1 },
    // The last species is far below 1e-12, and counts for no spread.
    abundance_range: { lower: [-9, -9, -9, -19], upper: [-3, -3, -3, -18] },
    ...initialAutoencoder(shape, new RandomStream(4)),
  } as unknown as AutoencoderWeights;

  it.each(engines)("is the mean in scaled space, and the spread in dex, by hand, on the %s engine", async (name) => {
    const engine = await engineNamed(name);
    const [rows, members] = [1500, 3];
    const latents = uniform(rows * members * latent).map((value) => 30 * value);
    const [alone, together] = [new Decoder(engine, autoencoder), new Decoder(engine, autoencoder, members)];
    const each = await alone.decode(latents, rows * members);
    expect(each.spread).toBeNull();
    const found = await together.decode(latents, rows);
    const [mean, spread] = [new Float64Array(rows * 4), new Float64Array(rows)];
    for (let row = 0; row < rows; row++) {
      let [sum, count] = [0, 0];
      for (let s = 0; s < 4; s++) {
        const values = [0, 1, 2].map((m) => 20 * each.scaled[(row * 3 + m) * 4 + s]! - 20);
        const middle = (values[0]! + values[1]! + values[2]!) / 3;
        mean[row * 4 + s] = (middle + 20) / 20;
        if (middle <= -12) continue;
        sum += Math.sqrt(values.reduce((total, value) => total + (value - middle) ** 2, 0) / 2);
        count += 1;
      }
      spread[row] = sum / count;
    }
    expectClose(found.scaled, mean, { absolute: 1e-6 });
    expectClose(found.spread!, spread, { absolute: 1e-4 });
    expect(Math.max(...spread)).toBeGreaterThan(0.1);
    await Promise.all([alone.dispose(), together.dispose()]);
  });
});

describe("weights of an ensemble", () => {
  const folder = testFolder();
  const path = join(folder, "ensemble.safetensors");
  const members = membersOf("latent_rnn", 2);

  it("come back whole, under the members' names, and each member as it was", () => {
    const ensemble = joinMembers(members, paths);
    writeEmulator(path, ensemble);
    const read = readEmulator(path);
    expect(read).toEqual(ensemble);
    expect(memberCount(read)).toBe(2);
    expect(read.provenance).toEqual({ data_hash: "ab", seed: 1, epoch: null, best_metric: null, versions: {} });
    expect([0, 1].map((m) => memberOf(read, m))).toEqual(members);
    const names = [...readSafetensors(path).tensors.keys()];
    const own = evolverOf(members[0]!).layout.specs.map(({ name }) => name);
    expect(names.sort()).toEqual([0, 1].flatMap((m) => own.map((name) => `members.${m}.${name}`)).sort());
    expect(readSafetensors(path).metadata.format_version).toBe("4");
  });

  it("know no calibration of a member", () => {
    const trust = { level: 0.9 } as unknown as Trust;
    const ensemble = joinMembers(
      members.map((member) => ({ ...member, trust })),
      paths,
    );
    expect(ensemble).toEqual(joinMembers(members, paths));
    expect(memberOf({ ...ensemble, trust }, 1)).toEqual(members[1]);
  });

  it("of one model stay what they were", () => {
    writeEmulator(path, joinMembers([members[0]!], paths));
    expect(readEmulator(path)).toEqual(members[0]);
    expect("members" in readSafetensors(path).metadata).toBe(false);
    expect(memberCount(readEmulator(path))).toBe(1);
    expect(memberOf(members[0]!, 0)).toBe(members[0]);
  });

  it("are refused where a member's arrays are missing, and where members are not alike", async () => {
    writeEmulator(path, joinMembers(members, paths));
    const { tensors, metadata } = readSafetensors(path);
    const claims = { ...metadata, members: JSON.stringify([provenance(1), provenance(2), provenance(3)]) };
    writeSafetensors(path, tensors, claims);
    expect(await thrownBy(() => readEmulator(path), folder)).toContain("missing array members.2.");
    const odd = { ...members[1]!, window_size: 5, provenance: { ...provenance(2), data_hash: "ef" } };
    expect(await thrownBy(() => joinMembers([members[0]!, odd], paths), folder)).toMatchInlineSnapshot(`
      "CheckpointError: b.safetensors and a.safetensors are no members of one ensemble: they differ in window_size,data_hash
        at   b.safetensors
        fix  train all members on the same data: begin a new run"
    `);
  });
});
