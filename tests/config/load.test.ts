// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations of the configuration, not of JavaScript.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { load as readYaml } from "js-yaml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { packageConfigs } from "../../src/config/paths.ts";
import { formatPlace } from "../../src/config/problems.ts";
import type { RootName } from "../../src/config/schemas.ts";

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "astrochem-config-"));
});
afterEach(() => rmSync(cwd, { recursive: true }));

/** Files below the working folder: path → text. */
function write(files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true });
    writeFileSync(join(cwd, path), text);
  }
}

function load<R extends RootName>(root: R, overrides: readonly string[] = [], configDirs: readonly string[] = []) {
  return loadConfig({
    root,
    overrides,
    configDirs,
    cwd,
    env: { SCRATCH: "/scratch" },
    now: new Date(2026, 0, 2, 3, 4, 5),
  });
}

function failure(root: RootName, overrides: readonly string[] = [], configDirs: readonly string[] = []): string {
  try {
    load(root, overrides, configDirs);
  } catch (error) {
    expect((error as Error).name).toBe("ConfigError");
    return (error as Error).message.replaceAll(cwd, "<cwd>").replaceAll(packageConfigs, "<package>/configs");
  }
  throw new Error("was accepted");
}

describe("the package's configurations", () => {
  it("have the original's values for the autoencoder", () => {
    const { config, choices } = load("config");
    expect(choices).toEqual({
      datasets: "grav",
      models: "autoencoder",
      "recipes/autoencoder@recipe": "curriculum",
      launchers: "local",
    });
    expect(config).toMatchObject({
      mode: "both",
      device: "auto",
      seed: 0,
      memory_budget_mb: 2048,
      cache_dir: "data",
      run_dir: null,
    });
    expect(config.dataset).toEqual({
      name: "grav",
      dataset_path: join(cwd, "outputs/temp_data/grav_collapse_clean.h5"),
      physical_parameter_ranges: {
        Density: [68481, 1284211415],
        Radfield: [1e-4, 26],
        Av: [0.1, 6914],
        gasTemp: [13, 133],
      },
      abundances_clipping: { lower: 1e-20, upper: 1 },
      metadata: ["Index", "Model", "Time"],
      phys: ["Density", "Radfield", "Av", "gasTemp"],
      columns: {},
      units: {},
      time_step: "constant",
      start: "auto",
      initial_abundances_path: "utils/initial_abundances.npy",
      stoichiometric_matrix_path: "utils/stoichiometric_matrix.npy",
      elements: [],
      names: "auto",
      species_path: "utils/species.txt",
      preprocessing: {
        input_path: "data/gravitational_collapse.h5",
        output_path: join(cwd, "outputs/temp_data/grav_collapse_clean.h5"),
        input_key: "df",
        columns_to_drop: ["dustTemp", "dstep", "zeta", "SURFACE", "BULK"],
        train_split: 0.75,
        test_split: 0,
        seed: 42,
        min_radfield: 1e-4,
        uneven_steps: "error",
        shards: null,
        shard: null,
      },
    });
    expect(config.model).toEqual({
      model_name: "autoencoder",
      hidden_dims: [160, 80],
      latent_dim: 14,
      lr: 1e-3,
      lr_decay: 0.5,
      lr_decay_patience: 12,
      betas: [0.99, 0.999],
      weight_decay: 1e-4,
      power_weight: 20,
      conservation_weight: 100,
      worst_weight: 2,
      batch_size: 65536,
      stagnant_epoch_patience: 20,
      gradient_clipping: 2,
      dropout: 0.3,
      dropout_decay_patience: 10,
      dropout_reduction_factor: 0.05,
      low_dropout_threshold: 0.1,
      low_dropout_lr: 1e-3,
      noise: 0.1,
      shuffle_chunk_size: 1,
      max_epochs: null,
      max_minutes: null,
      save_model: true,
      pretrained_model_path: "weights/grav/autoencoder.safetensors",
      save_model_path: "weights/grav/autoencoder.safetensors",
      latents_minmax_path: null,
    });
  });

  it("have the original's values for the emulator", () => {
    const { config } = load("config_emulator");
    expect(config.autoencoder.model_name).toBe("autoencoder");
    expect(config.model).toEqual({
      model_name: "emulator",
      hidden_dim: 180,
      window_size: 240,
      lr: 1e-3,
      lr_decay: 0.5,
      lr_decay_patience: 5,
      betas: [0.9, 0.995],
      weight_decay: 1e-3,
      power_weight: 20,
      conservation_weight: 500,
      worst_weight: 2,
      batch_size: 3072,
      stagnant_epoch_patience: 20,
      gradient_clipping: 1,
      dropout: 0,
      dropout_decay_patience: 3,
      dropout_reduction_factor: 0.05,
      low_dropout_threshold: 0.1,
      low_dropout_lr: 1e-3,
      shuffle_chunk_size: 1,
      max_epochs: null,
      max_minutes: null,
      save_model: true,
      pretrained_model_path: "weights/grav/emulator.safetensors",
      save_model_path: "weights/grav/emulator.safetensors",
    });
  });

  it("are those of a file that says nothing but the model's name", () => {
    const models = {
      "datasets/none.yaml": "{}",
      "models/bare_a.yaml": "# @package model\nmodel_name: autoencoder",
      "models/bare_e.yaml": "# @package model\nmodel_name: emulator",
    };
    write(Object.fromEntries(Object.entries(models).map(([path, text]) => [`mine/${path}`, text])));
    expect(load("config", ["model=bare_a"], ["mine"]).config.model).toEqual(load("config").config.model);
    expect(load("config_emulator", ["model=bare_e"], ["mine"]).config.model).toEqual(
      load("config_emulator").config.model,
    );
  });

  it("have a small version for the sample, whose file gives the ranges", () => {
    const { config } = load("config_emulator", [
      "dataset=sample",
      "autoencoder=autoencoder_sample",
      "model=emulator_sample",
    ]);
    const patience = { stagnant_epoch_patience: 60 };
    const places = (name: string) => ({
      pretrained_model_path: `weights/sample/${name}.safetensors`,
      save_model_path: `weights/sample/${name}.safetensors`,
    });
    expect(config.model).toEqual({
      ...load("config_emulator").config.model,
      ...places("emulator"),
      ...patience,
      window_size: 96,
      batch_size: 64,
      lr_decay_patience: 15,
    });
    expect(config.autoencoder).toEqual({
      ...load("config").config.model,
      ...places("autoencoder"),
      ...patience,
      batch_size: 128,
      lr_decay_patience: 30,
      dropout_decay_patience: 15,
    });
    expect(config.dataset.preprocessing).toMatchObject({
      input_path: "data/sample_collapse.h5",
      output_path: "data/sample_collapse_clean.h5",
      input_key: "df",
    });
    // Least and largest of data/sample_collapse.h5, as pandas reads them.
    const extremes = {
      Density: [80698.05, 781494300],
      Radfield: [0.0012313704, 21.293291],
      Av: [1.1978048, 2675.444],
      gasTemp: [28.01393, 119.33355],
    };
    for (const [name, [least, largest]] of Object.entries(extremes)) {
      const [lower, upper] = config.dataset.physical_parameter_ranges[name]!;
      expect(lower).toBeLessThanOrEqual(least!);
      expect(lower).toBeGreaterThan(least! * 0.99);
      expect(upper).toBeGreaterThanOrEqual(largest!);
      expect(upper).toBeLessThan(largest! * 1.01);
    }
  });

  it("each open with a comment", () => {
    const files = (readdirSync(packageConfigs, { recursive: true }) as string[]).filter((path) =>
      path.endsWith(".yaml"),
    );
    expect(files.length).toBeGreaterThanOrEqual(8);
    for (const path of files) expect(readFileSync(join(packageConfigs, path), "utf8"), path).toMatch(/^# /);
  });
});

describe("loadConfig", () => {
  it("prefers --config-dir, then the working folder's configs, then the package's", () => {
    write({
      "configs/datasets/mine.yaml": "# @package dataset\ndefaults: [grav, _self_]\ndataset_path: cwd.h5\n",
      "extra/datasets/mine.yaml": "# @package dataset\ndefaults: [grav, _self_]\ndataset_path: extra.h5\n",
      "configs/datasets/grav.yaml": "# @package dataset\ndefaults: [sample]\n",
    });
    expect(load("config", ["dataset=mine"]).config.dataset.dataset_path).toBe("cwd.h5");
    expect(load("config", ["dataset=mine"], ["extra"]).config.dataset.dataset_path).toBe("extra.h5");
    expect(load("config").config.dataset.dataset_path).toBe("data/sample_collapse_clean.h5");
  });

  it("calls a dataset like its file, unless that or the command line says otherwise, and its weights' folder the same", () => {
    write({
      "configs/datasets/mine.yaml": "# @package dataset\ndefaults: [grav]\n",
      "configs/datasets/set/named.yaml": "# @package dataset\ndefaults: [/datasets/grav, _self_]\nname: a-b.1_c\n",
      "configs/datasets/set/nameless.yaml": "# @package dataset\ndefaults: [/datasets/grav]\n",
    });
    const named = (...overrides: string[]) => {
      const { config } = load("config_emulator", overrides);
      expect(config.autoencoder.pretrained_model_path).toBe(`weights/${config.dataset.name}/autoencoder.safetensors`);
      expect(config.model.save_model_path).toBe(`weights/${config.dataset.name}/emulator.safetensors`);
      expect(load("config_evaluate", overrides).config.emulator).toBe(config.model.save_model_path);
      return config.dataset.name;
    };
    expect(named("dataset=mine")).toBe("mine");
    expect(named("dataset=set/named")).toBe("a-b.1_c");
    expect(named("dataset=set/nameless")).toBe("set-nameless");
    expect(named("dataset=mine", "dataset.name=run2")).toBe("run2");
  });

  it("refuses a dataset's name that is no name of a folder, and asks for one where the dataset has no file", () => {
    write({
      "configs/datasets/two words.yaml": "# @package dataset\ndefaults: [grav]\n",
      "configs/alone/config.yaml":
        "defaults: [{models: autoencoder}, _self_]\ndataset:\n  dataset_path: a.h5\n  preprocessing: {input_path: b.h5}\n" +
        "  phys: [Av]\n  physical_parameter_ranges: {Av: [1, 2]}\n",
    });
    for (const name of ["a/b", "..", ".hidden", "-x", "''"]) {
      expect(failure("config", [`dataset.name=${name}`]), name).toContain("`dataset.name` must be a folder's name of");
    }
    expect(failure("config", ["dataset='two words'"])).toMatchInlineSnapshot(`
      "\`dataset.name\` must be a folder's name of letters, digits, \`.\`, \`_\`, \`-\`: give dataset.name=…, or rename the dataset's file
        at   configs/datasets/two words.yaml:2:1
        fix  it is 'two words'"
    `);
    expect(failure("config", [], ["configs/alone"])).toMatchInlineSnapshot(`
      "3 problems in the configuration
      1. \`\${dataset.name}\` needs \`dataset.name\`, which must be given
           at   <package>/configs/models/autoencoder.yaml:37:1
           fix  give dataset.name=value
      2. \`\${dataset.name}\` needs \`dataset.name\`, which must be given
           at   <package>/configs/models/autoencoder.yaml:38:1
           fix  give dataset.name=value
      3. a value must be given: \`dataset.name\`
           at   configs/alone/config.yaml:2:1
           fix  give dataset.name=…"
    `);
    expect(load("config", ["dataset.name=alone"], ["configs/alone"]).config.dataset.name).toBe("alone");
  });

  it("takes the original's names in a user's file", () => {
    write({
      "configs/config.yaml":
        "defaults: [{datasets: grav}, {models: autoencoder}, _self_]\nworking_path: ${oc.env:SCRATCH}\ndevice: cpu\n",
      "configs/datasets/grav.yaml": [
        "# @package _global_.dataset",
        "dataset_path: ${working_path}/clean.h5",
        "physical_parameter_ranges: {Av: [0.1, 6914]}",
        "parameters: [Av]",
        "preprocessing: {input_path: raw.h5}",
      ].join("\n"),
    });
    const { config } = load("config", ["mode=train"]);
    expect(config).toMatchObject({ working_path: "/scratch", mode: "train", device: "cpu" });
    expect(config.dataset).toMatchObject({ dataset_path: "/scratch/clean.h5", phys: ["Av"] });
    expect(config.dataset.preprocessing).toMatchObject({ output_path: "/scratch/clean.h5", train_split: 0.75 });
  });

  it("makes working_path absolute before anything refers to it", () => {
    expect(load("config", ["working_path=runs/a"]).config).toMatchObject({
      working_path: join(cwd, "runs/a"),
      dataset: { dataset_path: join(cwd, "runs/a/outputs/temp_data/grav_collapse_clean.h5") },
    });
  });

  it("knows where each key was written", () => {
    write({ "configs/datasets/mine.yaml": "# @package dataset\ndefaults: [sample, _self_]\nphys: [Av]\n" });
    const { sources } = load("config", ["dataset=mine", "model.lr=5e-4"]);
    expect(formatPlace(sources.get("dataset.phys")!)).toBe("configs/datasets/mine.yaml:3:1");
    expect(formatPlace(sources.get("model.lr")!)).toBe('override "model.lr=5e-4", column 1');
    expect(formatPlace(sources.get("model.betas.0")!)).toMatch(/configs\/models\/autoencoder\.yaml:\d+:9$/);
    expect(sources.has("dataset.species")).toBe(false);
  });

  it("writes YAML that holds everything, with and without the interpolations", () => {
    const loaded = load("config", ["run_dir=out/${now:%Y-%m-%d}", "model.hidden_dims=[8,4]"]);
    expect(readYaml(loaded.toYaml({ resolve: true }))).toEqual(JSON.parse(JSON.stringify(loaded.config)));
    const written = readYaml(loaded.toYaml({ resolve: false })) as Record<string, Record<string, unknown>>;
    expect(written).toMatchObject({
      working_path: ".",
      run_dir: "out/${now:%Y-%m-%d}",
      model: { hidden_dims: [8, 4], lr: 1e-3 },
    });
    expect(written.dataset).toMatchObject({ dataset_path: "${working_path}/outputs/temp_data/grav_collapse_clean.h5" });
    expect(loaded.config.run_dir).toBe("out/2026-01-02");
  });

  it("reads back its own YAML as the same configuration", () => {
    const first = load("config_emulator", ["dataset=sample"]);
    write({ "again/config_emulator.yaml": first.toYaml({ resolve: true }) });
    expect(load("config_emulator", [], ["again"]).config).toEqual(first.config);
  });

  it("accepts an empty root only with all that is required", () => {
    write({ "mine/config.yaml": "" });
    expect(failure("config", [], ["mine"])).toMatchInlineSnapshot(`
      "2 problems in the configuration
      1. \`dataset\` is missing
           at   mine/config.yaml:1:1
           fix  give dataset=… (mapping): What to learn from.
      2. \`model\` is missing
           at   mine/config.yaml:1:1
           fix  give model=… (mapping): The autoencoder to train."
    `);
  });
});

it.each([
  [["test_split=0.25"], "0.75 + 0.25"],
  [["train_split=0"], "0 + 0"],
  [["train_split=0", "test_split=0.5"], "0 + 0.5"],
])("refuses splits that leave no tracers to validate: %s", (words, sum) => {
  const overrides = (words as string[]).map((word) => `dataset.preprocessing.${word}`);
  expect(() => load("config", overrides)).toThrow(`and test_split (${sum}) must leave tracers to validate`);
});

describe("what is wrong is told all at once", () => {
  it("from files and overrides, with places and the nearest names", () => {
    write({
      "configs/models/mine.yaml": [
        "# @package _global_.model",
        "defaults: [autoencoder, _self_]",
        "latent_dims: 12",
        "lr: fast",
        "hidden_dims: [160, 80, 40]",
        "dropout: 1",
        "batch_size: 1.5",
        "save_model: yes",
      ].join("\n"),
    });
    expect(
      failure("config", [
        "model=mine",
        "device=cud",
        "train_split=0.8",
        "+dataset.phis=[a]",
        "seed=-1",
        "cache_dir=2026",
      ]),
    ).toMatchInlineSnapshot(`
      "11 problems in the configuration
      1. \`device\` must be auto | cuda | webgpu | cpu | wasm, got cud
           at   override "device=cud", column 1
           fix  did you mean cuda?
      2. \`seed\` must be integer ≥ 0, ≤ 4294967295, got -1
           at   override "seed=-1", column 1
      3. \`cache_dir\` must be text, got 2026
           at   override "cache_dir=2026", column 1
           fix  quote it: "cache_dir='2026'"
      4. unknown key \`dataset.phis\`
           at   override "+dataset.phis=[a]", column 2
           fix  did you mean \`dataset.phys\`? known keys of dataset: name, dataset_path, physical_parameter_ranges, abundances_clipping, metadata, phys, columns, units, time_step, start, initial_abundances_path, stoichiometric_matrix_path, elements, names, species_path, preprocessing
      5. \`model.hidden_dims\` must be [integer ≥ 1, integer ≥ 1], got [160, 80, 40]
           at   configs/models/mine.yaml:5:1
      6. \`model.batch_size\` must be integer ≥ 2, got 1.5
           at   configs/models/mine.yaml:7:1
      7. \`model.lr\` must be number > 0, got fast
           at   configs/models/mine.yaml:4:1
      8. \`model.dropout\` must be number ≥ 0, < 1, got 1
           at   configs/models/mine.yaml:6:1
      9. \`model.save_model\` must be true | false, got yes
           at   configs/models/mine.yaml:8:1
      10. unknown key \`model.latent_dims\`
           at   configs/models/mine.yaml:3:1
           fix  did you mean \`model.latent_dim\`? known keys of model: model_name, hidden_dims, latent_dim, batch_size, noise, latents_minmax_path, lr, lr_decay, lr_decay_patience, betas, weight_decay, power_weight, conservation_weight, worst_weight, stagnant_epoch_patience, gradient_clipping, dropout, dropout_decay_patience, dropout_reduction_factor, low_dropout_threshold, low_dropout_lr, shuffle_chunk_size, max_epochs, max_minutes, save_model, pretrained_model_path, save_model_path
      11. unknown key \`train_split\`
           at   override "train_split=0.8", column 1
           fix  did you mean \`dataset.preprocessing.train_split\`? known keys: working_path, device, engine, threads, mode, seed, memory_budget_mb, cache_dir, run_dir, checkpoint_minutes, logger, launcher, dataset, model, recipe"
    `);
  });

  it("in the dataset", () => {
    const overrides = [
      "dataset.phys=[Densty,Av]",
      "dataset.metadata=[Index,Index]",
      "dataset.physical_parameter_ranges.Av=[3,2]",
      "dataset.physical_parameter_ranges.gasTemp=[0,5]",
      "dataset.physical_parameter_ranges.Density=[1]",
      "dataset.abundances_clipping.lower=2",
      "dataset.preprocessing.train_split=1",
      "dataset.preprocessing.min_radfield=nan",
      "~dataset.dataset_path",
      "~dataset.preprocessing.output_path",
    ];
    expect(failure("config", overrides)).toMatchInlineSnapshot(`
      "9 problems in the configuration
      1. \`dataset.dataset_path\` is missing
           at   <package>/configs/datasets/grav.yaml:7:1
           fix  give dataset.dataset_path=… (text): Clean HDF5 file to train on.
      2. \`dataset.physical_parameter_ranges.Density\` must be [number, number], got [1]
           at   override "dataset.physical_parameter_ranges.Density=[1]", column 1
      3. \`dataset.physical_parameter_ranges.Av\` must have its lower bound first: [lower, upper], lower < upper
           at   override "dataset.physical_parameter_ranges.Av=[3,2]", column 1
           fix  it is [3, 2]
      4. \`dataset.physical_parameter_ranges\` must begin gasTemp above 0, as log10(gasTemp) is scaled
           at   <package>/configs/datasets/grav.yaml:10:1
           fix  it is {Density: [1], Radfield: [0.0001, 26], Av: [3, 2], gasTemp: [0, 5]}
      5. \`dataset.abundances_clipping\` must have lower < upper
           at   <package>/configs/datasets/grav.yaml:16:1
           fix  it is {lower: 2, upper: 1}
      6. \`dataset.metadata\` names \`Index\` twice
           at   override "dataset.metadata=[Index,Index]", column 1
           fix  it is [Index, Index]
      7. \`dataset.preprocessing.train_split\` must be number ≥ 0, < 1, got 1
           at   override "dataset.preprocessing.train_split=1", column 1
      8. \`dataset.preprocessing.min_radfield\` must be number > 0, got nan
           at   override "dataset.preprocessing.min_radfield=nan", column 1
      9. \`dataset.phys\` names what dataset.physical_parameter_ranges has no range for: \`Densty\` (did you mean \`Density\`?)
           at   override "dataset.phys=[Densty,Av]", column 1
           fix  it is [Densty, Av]"
    `);
  });

  it("in values that must be given and interpolations that fail, without telling their consequences", () => {
    expect(
      failure("config", ["model.lr=???", "dataset.preprocessing.input_path=???", "seed=${oc.env:NOT_SET}", "mode=x"]),
    ).toMatchInlineSnapshot(`
      "3 problems in the configuration
      1. the environment variable \`NOT_SET\` is not set
           at   override "seed=\${oc.env:NOT_SET}", column 1
           fix  set it, or give a default: \${oc.env:NOT_SET,default}
      2. 2 values must be given: \`dataset.preprocessing.input_path\`, \`model.lr\`
           at   override "dataset.preprocessing.input_path=???", column 1
           fix  give dataset.preprocessing.input_path=… model.lr=…
      3. \`mode\` must be preprocess | train | both, got x
           at   override "mode=x", column 1"
    `);
  });

  it("in overrides that cannot be read", () => {
    expect(failure("config", ["model.lr=1,2", "x", "mode=train"])).toMatchInlineSnapshot(`
      "2 problems in the configuration
      1. \`model.lr=1,2\` can be read in more than one way
           at   override "model.lr=1,2", column 11
           fix  a list is written with brackets: 'model.lr=[1,2]'
                text is quoted: model.lr="'1,2'"
                a sweep has one run for each value: add -m (preprocess, train-autoencoder, train-emulator, evaluate)
      2. \`=\` expected after the key \`x\`
           at   override "x", column 2
           fix  write key=value; key= sets empty text"
    `);
  });

  it("for a model of the other root", () => {
    expect(failure("config", ["model=emulator"])).toMatchInlineSnapshot(`
      "\`model.model_name\` must be autoencoder | autoencoder_elements | identity, got emulator
        at   <package>/configs/models/emulator.yaml:7:1"
    `);
  });

  it("for folders and files that cannot be used", () => {
    write({ "configs/datasets/latin1.yaml": "" });
    writeFileSync(join(cwd, "configs/datasets/latin1.yaml"), Buffer.from([0x61, 0x3a, 0x20, 0xe9]));
    expect(failure("config", [], ["nowhere"])).toMatchInlineSnapshot(`
      "--config-dir nowhere is not a folder
        at   <cwd>/nowhere"
    `);
    expect(failure("config", ["dataset=latin1"])).toMatchInlineSnapshot(`
      "cannot read <cwd>/configs/datasets/latin1.yaml: The encoded data was not valid for encoding utf-8
        at   <cwd>/configs/datasets/latin1.yaml
        fix  save it as UTF-8"
    `);
    expect(failure("config", ["dataset=../../secret"])).toMatchInlineSnapshot(`
      "there is no option \`../../secret\` of \`datasets\`
        at   override "dataset=../../secret", column 1
        fix  there are: grav, latin1, sample (searched in configs, <package>/configs)"
    `);
  });

  it("never from outside of the folders that are searched", () => {
    write({ "secret.yaml": "a: 1", "configs/datasets/x.yaml": "" });
    expect(failure("config", ["datasets=../../secret"])).toContain("there is no option");
    expect(failure("config", [`datasets=${cwd}/secret`])).toContain("there is no option");
  });
});

it("lists fifty problems of a file that is something else altogether, and counts the rest", () => {
  const keys = Array.from({ length: 3000 }, (_, i) => `key${i}: 1`).join("\n");
  write({ "configs/config.yaml": keys });
  const told = failure("config");
  expect(told).toMatch(/^\d{4} problems in the configuration\n/);
  expect(told).toMatch(/\nand \d{4} more$/);
  expect(told.match(/^\d+\. /gm)).toHaveLength(50);
});

it("finds no option whose name is too long for a file, or is none", () => {
  for (const name of ["x".repeat(5000), `a\0b`]) {
    expect(failure("config", [`dataset='${name}'`])).toContain("there is no option");
  }
});
