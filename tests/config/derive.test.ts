import { describe, expect, it } from "vitest";
import { derive } from "../../src/config/derive.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { TrainingRoot } from "../../src/config/schemas.ts";

const species = ["#H", "H2", "E-"];

function load<R extends TrainingRoot>(root: R, ...overrides: string[]) {
  return loadConfig({ root, overrides, configDirs: [], cwd: "/", env: {}, now: new Date(0) });
}

function failure(root: TrainingRoot, ...overrides: string[]): string {
  try {
    derive(load(root, ...overrides), species);
  } catch (error) {
    expect((error as Error).name).toBe("ConfigError");
    return (error as Error).message;
  }
  throw new Error("was accepted");
}

describe("derive", () => {
  it("counts what the dataset has", () => {
    const { dataset } = derive(load("config", "dataset.phys=[Av,gasTemp]"), species);
    expect(dataset).toMatchObject({ species, num_species: 3, num_phys: 2, num_metadata: 3 });
  });

  it("gives the autoencoder the species", () => {
    const { model } = derive(load("config"), species);
    expect(model).toMatchObject({ input_dim: 3, columns: species, num_columns: 3, latent_dim: 14 });
  });

  it("gives the emulator physical parameters, latents of the autoencoder and all columns", () => {
    const { model, autoencoder } = derive(load("config_emulator", "autoencoder.latent_dim=5"), species);
    expect(autoencoder).toMatchObject({ input_dim: 3, columns: species, latent_dim: 5 });
    expect(model).toMatchObject({
      input_dim: 9,
      latent_dim: 5,
      output_dim: 5,
      columns: ["Index", "Model", "Time", "Density", "Radfield", "Av", "gasTemp", "#H", "H2", "E-"],
      num_columns: 10,
    });
  });

  it("accepts what agrees with it", () => {
    const agreeing = [
      "+dataset.species=['#H',H2,E-]",
      "+dataset.num_species=3",
      "+model.input_dim=3",
      "+model.num_columns=3",
    ];
    expect(derive(load("config", ...agreeing), species).model.input_dim).toBe(3);
  });

  it("tells every contradiction with its place", () => {
    const contradicting = [
      "+dataset.species=['#H',H2O,E-,X]",
      "+dataset.num_species=333",
      "+dataset.num_phys=5",
      "+autoencoder.input_dim=333",
      "+model.input_dim=18",
      "+model.latent_dim=14",
      "+model.output_dim=14",
      "+model.columns=[Index]",
      "autoencoder.latent_dim=12",
    ];
    expect(failure("config_emulator", ...contradicting)).toMatchInlineSnapshot(`
      "8 problems in the configuration
      1. \`dataset.species\` differs from what the data give: at position 2 stands H2O, there H2 (4 in all, there 3)
           at   override "+dataset.species=['#H',H2O,E-,X]", column 2
           fix  leave dataset.species out: it is derived
      2. \`dataset.num_species\` is 333, but 3 follows from the species file
           at   override "+dataset.num_species=333", column 2
           fix  leave dataset.num_species out: it is derived
      3. \`dataset.num_phys\` is 5, but 4 follows from dataset.phys
           at   override "+dataset.num_phys=5", column 2
           fix  leave dataset.num_phys out: it is derived
      4. \`autoencoder.input_dim\` is 333, but 3 follows from the species, the physical parameters and the latents
           at   override "+autoencoder.input_dim=333", column 2
           fix  leave autoencoder.input_dim out: it is derived
      5. \`model.input_dim\` is 18, but 16 follows from the species, the physical parameters and the latents
           at   override "+model.input_dim=18", column 2
           fix  leave model.input_dim out: it is derived
      6. \`model.columns\` differs from what the data give: at position 2 stands nothing, there Model (1 in all, there 10)
           at   override "+model.columns=[Index]", column 2
           fix  leave model.columns out: it is derived
      7. \`model.latent_dim\` is 14, but 12 follows from the autoencoder's latent_dim
           at   override "+model.latent_dim=14", column 2
           fix  leave model.latent_dim out: it is derived
      8. \`model.output_dim\` is 14, but 12 follows from the autoencoder's latent_dim
           at   override "+model.output_dim=14", column 2
           fix  leave model.output_dim out: it is derived"
    `);
  });
});
