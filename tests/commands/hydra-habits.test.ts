import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseCommandLine } from "../../src/commands/command-line.ts";
import { commands } from "../../src/commands/registry.ts";
import { loadConfig } from "../../src/config/load.ts";
import { temporaryFolder } from "./buffers.ts";

const place = { cwd: "/nowhere", env: {}, now: () => new Date(0) };
const parse = (...words: string[]) => parseCommandLine(words, commands, { version: "1", width: 80, place });
const completions = async (...words: string[]): Promise<string[]> => {
  const got = await parse("--get-yargs-completions", "astrochem", ...words);
  return got.kind === "text" ? got.text.split("\n") : [];
};

describe("habits of Hydra", () => {
  it.each([
    ["-c job", { cfg: "job" }],
    ["-c=job", { cfg: "job" }],
    ["-m train_split=0.5,0.7", { multirun: true }],
    ["--multirun --resume", { multirun: true, resume: "" }],
    ["-cd mine", { "config-dir": ["mine"] }],
    ["-cfg job", { cfg: "job" }],
  ])("`%s` works", async (words, args) => {
    expect(await parse("preprocess", ...words.split(" "))).toMatchObject({ kind: "command", args });
  });

  it("single-dash long flags work", async () => {
    expect(await parse("emulate", "a.h5", "-weights", "w")).toMatchObject({ args: { weights: "w", input: ["a.h5"] } });
  });

  it("-h is the help, of the program and of a command", async () => {
    expect(await parse("-h")).toEqual(await parse("--help"));
    expect(await parse("preprocess", "-h")).toEqual(await parse("preprocess", "--help"));
  });

  it.each([
    ["--config-name x", "config.yaml in a folder for --config-dir"],
    ["-cn x", "config.yaml in a folder for --config-dir"],
    ["--config-path x", "--config-dir DIR"],
    ["-cp x", "--config-dir DIR"],
    ["--info defaults", "--cfg job"],
    ["-p model", "--cfg job"],
    ["--experimental-rerun x", "astrochem reproduce RUN"],
    ["--cfg hydra", "give job"],
  ])("`%s` is refused with ours: %s", async (words, fix) => {
    await expect(parse("preprocess", ...words.split(" "))).rejects.toThrow(fix);
  });

  it("-m of a command that cannot sweep says which can", async () => {
    await expect(parse("emulate", "a.h5", "-m")).rejects.toThrow("sweeps are for preprocess, train-autoencoder");
  });

  const load = (overrides: readonly string[], yaml?: string) => {
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, "mine"));
    if (yaml) writeFileSync(join(cwd, "mine", "config.yaml"), yaml);
    return loadConfig({
      root: "config",
      overrides,
      configDirs: yaml ? [join(cwd, "mine")] : [],
      cwd,
      env: {},
      now: new Date(0),
    });
  };
  const lists = "defaults:\n  - datasets: grav\n  - models: autoencoder\n  - recipes/autoencoder@recipe: curriculum\n";

  it("hydra.run.dir is run_dir, as an override and in a file", () => {
    expect(load(["hydra.run.dir=here"]).config.run_dir).toBe("here");
    expect(load([], `${lists}hydra:\n  run:\n    dir: there\n`).config.run_dir).toBe("there");
  });

  it.each([
    [["hydra.job.chdir=true"], undefined],
    [["hydra/launcher=basic"], undefined],
    [[], `${lists}hydra:\n  job:\n    chdir: true\n`],
    [[], `${lists}  - override hydra/job_logging: none\n`],
  ])("other settings of Hydra's are refused with ours: %j %j", (overrides, yaml) => {
    expect(() => load(overrides, yaml)).toThrow("of them there is the folder of the run alone: run_dir=DIR");
  });
});

it("a command that is the beginning of others is answered with them", async () => {
  await expect(parse("train")).rejects.toThrow("did you mean `train-autoencoder` or `train-emulator`?");
});

describe("the completion of overrides", () => {
  it("offers groups and keys, a level at a time", async () => {
    expect(await completions("train-emulator", "mod")).toEqual(["model.", "model=", "mode="]);
    expect(await completions("train-emulator", "dataset.prep")).toEqual(["dataset.preprocessing."]);
    expect(await completions("train-emulator", "model=latent_rnn", "model.hid")).toEqual(["model.hidden_dim="]);
    expect(await completions("preprocess", "train_s")).toEqual(["train_split="]);
  });

  it("offers the files of a group, in zsh's words and in bash's", async () => {
    expect(await completions("train-emulator", "dataset=")).toEqual(["dataset=grav", "dataset=sample"]);
    expect(await completions("train-emulator", "dataset", "=")).toEqual(["grav", "sample"]);
    expect(await completions("train-emulator", "dataset", "=", "s")).toEqual(["sample"]);
    expect(await completions("train-emulator", "recipe=")).toEqual([
      "recipe=curriculum",
      "recipe=long",
      "recipe=original",
    ]);
    expect(await completions("preprocess", "device=a")).toEqual(["device=auto"]);
    expect(await completions("train-emulator", "model.lr=")).toEqual([""]);
  });

  it("finds files of --config-dir", async () => {
    const mine = temporaryFolder();
    mkdirSync(join(mine, "datasets"));
    writeFileSync(join(mine, "datasets", "mine.yaml"), "");
    expect(await completions("preprocess", "--config-dir", mine, "dataset=m")).toEqual(["dataset=mine"]);
  });

  it("works in bash: no space after what goes on, values after the `=`", async () => {
    const got = await parse("completion");
    const script = got.kind === "text" ? got.text : "";
    expect(script).toContain("compopt -o nospace");
    const stub = "astrochem() { printf 'grav\\nsample\\n'; }";
    const ask = "COMP_WORDS=(astrochem preprocess dataset =) COMP_CWORD=3; _astrochem_yargs_completions";
    const run = [script, stub, ask, 'printf "%s " "$COMPREPLY" "$' + '{COMPREPLY[1]}"'].join("\n");
    expect(execFileSync("bash", ["-c", run], { encoding: "utf8" })).toBe("grav sample ");
  });
});
