import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { load as readYaml } from "js-yaml";
import { describe, expect, it } from "vitest";
import { differingKeys } from "../../src/config/difference.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { TrainingRoot } from "../../src/config/schemas.ts";
import { testFolder } from "../helpers/folder.ts";

const folder = testFolder();

function load<R extends TrainingRoot>(root: R, overrides: readonly string[], from?: string) {
  return loadConfig({ root, overrides, configDirs: [], cwd: folder, env: {}, now: new Date(0), from });
}

const phase = (loss: string): string => `recipe.phases=[{loss: {${loss}}}]`;

function lossOf(root: TrainingRoot, loss: string) {
  const { config, notes } = load(root, [phase(loss)]);
  return { loss: config.recipe.phases[0]!.loss, notes };
}

function failure(loss: string): string {
  try {
    lossOf("config", loss);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("was accepted");
}

const weights = { worst_weight: 0, conservation_weight: 0 };

describe("a loss in today's words", () => {
  it("is the original's where nothing is said", () => {
    expect(lossOf("config", "")).toEqual({ loss: { name: "original" }, notes: [] });
    expect(lossOf("config_emulator", "of: abundances").loss).toEqual({ name: "original", of: "abundances" });
  });

  it.each(["name: exponential", "name: exponential, cap: null"])("has had its own name since {%s}", (loss) => {
    expect(lossOf("config", loss)).toEqual({
      loss: { name: "original" },
      notes: ["read `loss.name: exponential` without a cap as `loss.name: original`"],
    });
  });

  it("keeps the plain exponential of latents", () => {
    const { loss, notes } = lossOf("config_emulator", "name: exponential, of: latents");
    expect(loss).toEqual({ name: "exponential", cap: 38, ...weights, of: "latents" });
    expect(notes).toHaveLength(1);
  });

  it("is the exponential where an old file gives a cap alone", () => {
    expect(lossOf("config", "cap: 2")).toEqual({ loss: { name: "exponential", cap: 2, ...weights }, notes: [] });
  });

  it.each([
    ["name: l1, corner: 0.2", "`recipe.phases.0.loss.corner` belongs to huber alone"],
    ["name: huber, cap: 3", "`recipe.phases.0.loss.cap` belongs to exponential alone"],
    ["name: original, cap: 3", "`recipe.phases.0.loss.cap` belongs to exponential alone"],
    [
      "name: exponential, worst_weight: 1",
      "`recipe.phases.0.loss.worst_weight` belongs to l1, huber, mse, exponential",
    ],
    ["name: l2", "`recipe.phases.0.loss.name` must be original | l1 | huber | mse | exponential, got l2"],
    ["name: huber, corners: 3", "did you mean `recipe.phases.0.loss.corner`?"],
  ])("refuses {%s}, with the place", (loss, message) => {
    expect(failure(loss)).toContain(message);
    expect(failure(loss)).toContain("at   override");
  });

  it("is not the original's for latents", () => {
    expect(() => lossOf("config_emulator", "name: original, of: latents")).toThrow("must be abundances, got latents");
  });
});

describe("a run's own configuration of an earlier version", () => {
  const all = (name: string, more = ""): string =>
    `{ loss: { name: ${name}, corner: 0.1, cap: null, worst_weight: 0, conservation_weight: 0${more} } }`;
  const old: Record<TrainingRoot, string> = {
    config: `[${all("exponential")}, ${all("l1")}]`,
    config_emulator: `[${all("huber", ", of: latents")}, ${all("exponential", ", of: abundances")}]`,
  };

  it.each(["config", "config_emulator"] as const)("is read, and resumes: %s", (root) => {
    const now = load(root, ["recipe.phases=[{}]"]);
    const before = readYaml(now.toYaml({ resolve: true })) as Record<string, Record<string, unknown>>;
    before.recipe!.phases = readYaml(old[root]);
    if (root === "config_emulator") before.model!.shuffle = true;
    const file = join(folder, `${root}.yaml`);
    writeFileSync(file, JSON.stringify(before));
    const loaded = load(root, [], file);
    const names = loaded.config.recipe.phases.map(({ loss }) => loss.name);
    expect(names).toEqual(root === "config" ? ["original", "l1"] : ["huber", "original"]);
    // What the checkpoint kept is the checked configuration: phases with all their keys.
    const phases = loaded.config.recipe.phases.map((each, i) => ({
      ...each,
      loss: (before.recipe!.phases as { loss: object }[])[i]!.loss,
    }));
    const kept = { ...before, recipe: { ...before.recipe, phases } };
    expect(differingKeys(kept, loaded.config, () => false)).not.toEqual([]);
    expect(differingKeys(loaded.inCurrentWords(kept), loaded.config, () => false)).toEqual([]);
  });
});

describe("keys that follow from others", () => {
  it("are ignored with one line", () => {
    const { notes, config } = load("config_emulator", [
      "+dataset.num_species=333",
      "+dataset.species=[H]",
      "+autoencoder.input_dim=333",
      "+model.latent_dim=14",
      "+model.columns=[Index]",
      "+model.shuffle=true",
    ]);
    expect(notes).toEqual([
      "ignored, as it follows from the species file and from other keys: dataset.species, dataset.num_species, " +
        "autoencoder.input_dim, model.latent_dim, model.columns, model.shuffle",
    ]);
    expect(config.model).not.toHaveProperty("columns");
  });

  it("are what they are where a model has them", () => {
    const { notes, config } = load("config", ["model.latent_dim=5"]);
    expect(notes).toEqual([]);
    expect(config.model).toHaveProperty("latent_dim", 5);
    expect(load("config", ["models=identity", "+model.latent_dim=5"]).notes).toHaveLength(1);
  });

  it("are errors under another name", () => {
    expect(() => load("config", ["+dataset.num_specie=3"])).toThrow("unknown key `dataset.num_specie`");
  });
});
