import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { compressors } from "../../src/models/compressors.ts";
import { evolvers } from "../../src/models/evolvers.ts";

const namesIn = (folder: string): string[] =>
  readdirSync(`configs/${folder}`).map((file) => file.replace(/\.yaml$/, ""));

function compose(root: "config" | "config_emulator", ...overrides: string[]) {
  return loadConfig({ root, overrides, configDirs: [], cwd: process.cwd(), env: {}, now: new Date(0) }).config;
}

describe("what the package ships", () => {
  const models = namesIn("models").map((name) => [name] as const);

  it.each(models)("model=%s composes with the training that it is for", (name) => {
    const isCompressor = [...Object.keys(compressors)].some((known) => name.startsWith(known));
    if (name === "identity") compose("config_emulator", "autoencoder=identity");
    else expect(compose(isCompressor ? "config" : "config_emulator", `model=${name}`).model).toBeDefined();
  });

  it("has a file for each evolver, under its name", () => {
    expect(Object.keys(evolvers).filter((name) => !namesIn("models").includes(name))).toEqual([]);
  });

  it.each(namesIn("recipes/emulator").map((name) => [name] as const))("recipe=%s trains an emulator", (name) => {
    expect(compose("config_emulator", `recipe=${name}`).recipe).toBeDefined();
  });

  it.each(namesIn("recipes/autoencoder").map((name) => [name] as const))("recipe=%s trains an autoencoder", (name) => {
    expect(compose("config", `recipe=${name}`).recipe).toBeDefined();
  });

  it.each(namesIn("datasets").map((name) => [name] as const))("dataset=%s composes with both trainings", (name) => {
    expect([compose("config", `dataset=${name}`), compose("config_emulator", `dataset=${name}`)]).toHaveLength(2);
  });
});
