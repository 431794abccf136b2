import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { main } from "../../src/commands/main.ts";
import { Dataset } from "../../src/data/dataset.ts";
import { openFrame } from "../../src/data/frame.ts";
import { readNpy, writeNpy } from "../../src/formats/npy.ts";
import { Inference } from "../../src/inference/inference.ts";
import { readEmulator } from "../../src/models/weights-file.ts";
import { testFolder } from "../helpers/folder.ts";
import { type RawRow, writeRawRows } from "../helpers/raw-frame.ts";
import { expectClose } from "../helpers/tensors.ts";
import { Buffered } from "./buffers.ts";

const folder = testFolder();
const species = ["H", "H2", "CO", "O", "E-", "C+"];
const start = [0.4, 0.2998, 1e-4, 2e-4, 1e-4, 1e-4];

async function astrochem(...words: readonly string[]) {
  const [stdout, stderr] = [new Buffered(), new Buffered()];
  const signal = new AbortController().signal;
  const code = await main(words, { cwd: folder, env: {}, now: () => new Date(), stdout, stderr, signal });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** H turns into H2, CO into C+ and O, at a pace that the density sets: every total is conserved. */
function chemistry(time: number, tracer: number): Record<string, number> {
  const share = Math.exp(-time / (2000 + 200 * tracer));
  const [H, CO] = [0.1 + 0.3 * share, 1e-5 + 9e-5 * share];
  return { H, H2: (0.9996 - H) / 2 + 0.0, CO, O: 3e-4 - CO, "C+": 2e-4 - CO, "E-": 2e-4 - CO };
}

/** @param times years, of each tracer */
function rows(times: (tracer: number) => readonly number[], tracers = 8): RawRow[] {
  return Array.from({ length: tracers }, (_, tracer) =>
    times(tracer).map((time, row) => ({
      Tracer: tracer,
      Time: time,
      Density: 1e5 * (1 + tracer + row),
      radfield: 1,
      Av: 2 + row,
      gasTemp: 20 + tracer,
      ...chemistry(time, tracer),
    })),
  ).flat();
}

const every = (step: number, count = 12) => Array.from({ length: count }, (_, row) => step * (row + 1));
const growing = Array.from({ length: 12 }, (_, row) => 10 * 1.5 ** row);
const data = (raw: string, clean: string) => [
  "dataset.species_path=species.txt",
  "dataset.initial_abundances_path=initial.npy",
  "dataset.stoichiometric_matrix_path=null",
  `dataset.preprocessing.input_path=${raw}`,
  `dataset.dataset_path=${clean}`,
];
const sizes = ["recipe=original", "model.max_epochs=2"];
const autoencoder = ["model.hidden_dims=[8,8]", "model.latent_dim=3", "model.batch_size=16"];
const emulator = [
  "autoencoder.hidden_dims=[8,8]",
  "autoencoder.latent_dim=3",
  "model.hidden_dim=8",
  "model.window_size=6",
  "model.batch_size=4",
];
const weights = (place: string) => [
  `autoencoder.pretrained_model_path=${place}/autoencoder.safetensors`,
  `model.save_model_path=${place}/emulator.safetensors`,
];
const pair = (place: string) => [
  "--autoencoder",
  `${place}/autoencoder.safetensors`,
  "--emulator",
  `${place}/emulator.safetensors`,
];

/** Preprocesses and trains both models. */
async function train(raw: string, place: string, ...words: readonly string[]): Promise<void> {
  const common = [...data(raw, `${place}.h5`), ...words];
  for (const command of [
    ["preprocess", ...common],
    [
      "train-autoencoder",
      ...common,
      ...sizes,
      ...autoencoder,
      `model.save_model_path=${place}/autoencoder.safetensors`,
    ],
    ["train-emulator", ...common, ...sizes, ...emulator, ...weights(place)],
  ]) {
    const { code, stderr } = await astrochem(...command, `cache_dir=${place}-cache`);
    expect(code, stderr).toBe(0);
  }
}

beforeAll(async () => {
  writeFileSync(join(folder, "species.txt"), `${species.join("\n")}\n`);
  writeNpy(join(folder, "initial.npy"), { shape: [1, species.length], data: Float64Array.from(start) });
  await writeRawRows(
    join(folder, "every-100.h5"),
    rows(() => every(100)),
  );
  await writeRawRows(
    join(folder, "every-800.h5"),
    rows(() => every(800)),
  );
  await writeRawRows(
    join(folder, "growing.h5"),
    rows(() => growing),
  );
  await writeRawRows(
    join(folder, "mixed.h5"),
    rows((tracer) => every(tracer < 4 ? 100 : 1000)),
  );
  await writeRawRows(
    join(folder, "later.h5"),
    rows(() => every(100).map((time) => time + 5000)),
  );
  await train("every-100.h5", "constant");
  await train("growing.h5", "varying", "dataset.time_step=input");
});

describe("an evolver that reads physical parameters by themselves", () => {
  const shielding = (...words: string[]) =>
    astrochem(
      "train-emulator",
      ...data("every-100.h5", "constant.h5"),
      ...sizes,
      ...emulator,
      "autoencoder.pretrained_model_path=constant/autoencoder.safetensors",
      "model.save_model_path=shielding.safetensors",
      "model=latent_shielding",
      "cache_dir=shielding-cache",
      ...words,
    );

  it("finds them by their names", async () => {
    const { code, stderr } = await shielding();
    expect(code, stderr).toBe(0);
    const { model } = readEmulator(join(folder, "shielding.safetensors"));
    expect(model).toMatchObject({
      radfield: { index: 1, range: [1e-4, 26] },
      extinction: { index: 2, range: [0.1, 6914] },
    });
  });

  it("is refused where the dataset has none", async () => {
    const { code, stderr } = await shielding("dataset.phys=[Density,Radfield,gasTemp]");
    expect(code).toBe(2);
    expect(stderr).toContain("latent_shielding reads the extinction, which is not among Density, Radfield, gasTemp");
    expect(stderr).toContain("model=emulator");
  });
});

describe("rows that are not one step apart", () => {
  it.each(["growing", "mixed"])(
    "are refused by preprocess, and by a training on a file of another program: %s",
    async (name) => {
      const { code, stderr } = await astrochem("preprocess", ...data(`${name}.h5`, `${name}-clean.h5`));
      expect(code).toBe(3);
      expect(stderr).toMatch(/rows are not one step apart: in tracer \d, row 1 comes/);
      expect(stderr).toContain("dataset.time_step=input");
    },
  );

  it("are taken where they are allowed, with a warning, by the trainings after that, too", async () => {
    const words = [...data("growing.h5", "allowed.h5"), "dataset.preprocessing.uneven_steps=allow"];
    const made = await astrochem("preprocess", ...words);
    expect([made.code, made.stderr]).toEqual([0, expect.stringContaining("rows are not one step apart")]);
    const trained = await astrochem(
      ...["train-autoencoder", ...data("growing.h5", "allowed.h5"), ...sizes, ...autoencoder],
      ...["model.save_model_path=allowed/autoencoder.safetensors", "cache_dir=allowed-cache"],
    );
    expect(trained.code, trained.stderr).toBe(0);
  });
});

describe("a surrogate that steps by 100 yr", () => {
  it("knows its step, its start and the training rows' conditions", async () => {
    const {
      time_step_yr,
      time_step_found,
      start: known,
      physical_parameters,
    } = readEmulator(join(folder, "constant/emulator.safetensors"));
    expect([time_step_yr, time_step_found]).toEqual([100, "even"]);
    expect(Object.entries(known!.abundances!).map(([name]) => name)).toEqual(species);
    expectClose(Object.values(known!.abundances!), start, { relative: 1e-6 });
    const density = physical_parameters.find(({ name }) => name === "Density")!;
    expect(density.trained![0]).toBeGreaterThanOrEqual(1e5);
    expect(density.trained![1]).toBeLessThanOrEqual(1.9e6);
  });

  it("refuses histories of another step, unless it is told not to look", async () => {
    const words = ["emulate", "every-800.h5", ...pair("constant"), "--output", "out.h5"];
    const refused = await astrochem(...words);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toContain(
      "the surrogate steps by 100 yr; in tracer 0, row 1 comes 800 yr after the row before it",
    );
    const ignored = await astrochem(...words, "--ignore-time-step");
    expect(ignored.code, ignored.stderr).toBe(0);
  });

  it("is not evaluated, compared or opened on them", async () => {
    const made = await astrochem("preprocess", ...data("every-800.h5", "every-800-clean.h5"));
    expect(made.code, made.stderr).toBe(0);
    const surrogate = ["autoencoder=constant/autoencoder.safetensors", "emulator=constant/emulator.safetensors"];
    const words = [...data("every-800.h5", "every-800-clean.h5"), "species=[CO]"];
    const evaluated = await astrochem("evaluate", ...words, ...surrogate);
    expect([evaluated.code, evaluated.stderr]).toEqual([3, expect.stringContaining("the surrogate steps by 100 yr")]);
    const compared = await astrochem("compare", "constant", "constant/emulator.safetensors", ...words);
    expect([compared.code, compared.stderr]).toEqual([3, expect.stringContaining("the surrogate steps by 100 yr")]);
    const inference = await Inference.load({
      autoencoder: join(folder, "constant/autoencoder.safetensors"),
      emulator: join(folder, "constant/emulator.safetensors"),
    });
    expect(inference.timeStepYears).toBe(100);
    await expect(Dataset.open(join(folder, "every-800-clean.h5"), inference)).rejects.toThrow("steps by 100 yr");
    const dataset = await Dataset.open(join(folder, "constant.h5"), inference);
    dataset.close();
    inference.dispose();
  });

  it("is not evaluated beside baselines of training tracers of another step", async () => {
    const words = [...data("every-100.h5", "test-100.h5"), "train_split=0", "test_split=1"];
    const made = await astrochem("preprocess", ...words, "output_path=test-100.h5");
    expect(made.code, made.stderr).toBe(0);
    const surrogate = ["autoencoder=constant/autoencoder.safetensors", "emulator=constant/emulator.safetensors"];
    const test = [...surrogate, "species=[CO]", "split=test", "test_path=test-100.h5"];
    const refused = await astrochem("evaluate", ...data("every-800.h5", "every-800-clean.h5"), ...test);
    expect(refused.code).toBe(3);
    expect(refused.stderr).toMatch(/the surrogate steps by 100 yr; .*\n {2}at .*every-800-clean\.h5, key train/);
    const same = await astrochem("evaluate", ...data("every-100.h5", "constant.h5"), ...test);
    expect(same.code, same.stderr).toBe(0);
  });

  it("is not evaluated on conditions outside of the trained ranges where that is asked for, before anything is computed", async () => {
    const hot = rows(() => every(100)).map((row) => ({ ...row, gasTemp: 130 }));
    await writeRawRows(join(folder, "warm.h5"), hot);
    const words = [...data("warm.h5", "warm-clean.h5"), "train_split=0", "test_split=1"];
    expect((await astrochem("preprocess", ...words, "output_path=warm-clean.h5")).code).toBe(0);
    const surrogate = ["autoencoder=constant/autoencoder.safetensors", "emulator=constant/emulator.safetensors"];
    const test = [...surrogate, "species=[CO]", "split=test", "test_path=warm-clean.h5"];
    const { code, stderr } = await astrochem("evaluate", ...data("every-100.h5", "constant.h5"), ...test, "--strict");
    expect([code, stderr]).toEqual([3, expect.stringMatching(/outside the ranges[\s\S]*warm-clean\.h5, key test/)]);
    expect(stderr).not.toContain("training tracers for the baselines");
  });

  it("writes real times for arrays", async () => {
    writeNpy(join(folder, "p.npy"), { shape: [1, 2, 4], data: Float32Array.of(2e5, 1, 3, 21, 2e5, 1, 3, 21) });
    const words = ["--physical", "p.npy", "--abundances", "initial.npy", "--output", "arrays.h5"];
    const { code, stderr } = await astrochem("emulate", ...words, ...pair("constant"));
    expect(code, stderr).toBe(0);
    expect(await timesOf("arrays.h5")).toEqual(Float32Array.of(0, 100, 200));
  });

  it("starts from what the training started from, and says so; from each tracer's own first row where that is later", async () => {
    const first = await astrochem("emulate", "every-100.h5", ...pair("constant"), "--output", "first.h5");
    expect(first.stderr).toContain("start: 8 tracers from the start state of the training");
    expect((await timesOf("first.h5"))[0]).toBe(0);
    const later = await astrochem("emulate", "later.h5", ...pair("constant"), "--output", "later-out.h5");
    expect(later.stderr).toContain("start: 8 tracers from their own first row (8 that begin elsewhere");
    expect((await timesOf("later-out.h5"))[0]).toBe(5100);
  });

  it("starts from a state that is given", async () => {
    const given = readNpy(join(folder, "initial.npy")).data as Float64Array;
    writeNpy(join(folder, "given.npy"), { shape: [species.length], data: given.map((value) => value / 2) });
    const words = ["emulate", "every-100.h5", ...pair("constant"), "--start", "given.npy", "--output", "given.h5"];
    const { code, stderr } = await astrochem(...words);
    expect(code, stderr).toBe(0);
    const frame = await openFrame(join(folder, "given.h5"), "emulated");
    const row = new Float64Array(species.length);
    frame.read(0, 1, species, row);
    frame.close();
    expectClose(
      row,
      start.map((value) => value / 2),
      { relative: 1e-6 },
    );
    writeNpy(join(folder, "short.npy"), { shape: [2], data: Float64Array.of(1, 1) });
    const refused = await astrochem("emulate", "every-100.h5", ...pair("constant"), "--start", "short.npy");
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining("2 initial abundances for 6 species")]);
  });

  it("tells conditions outside of the training rows', and refuses them where it is asked to", async () => {
    const hot = rows(() => every(100)).map((row) => ({ ...row, gasTemp: 3000 }));
    await writeRawRows(join(folder, "hot.h5"), hot);
    const words = ["emulate", "hot.h5", ...pair("constant"), "--output", "hot-out.h5"];
    const told = await astrochem(...words);
    expect(told.code, told.stderr).toBe(0);
    expect(told.stderr).toMatch(/gasTemp: 96 of 96 rows outside the trained range 20 to \d+, up to 3000/);
    const refused = await astrochem(...words, "--strict");
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining("conditions are outside the ranges")]);
    // Nothing was computed for it: a start that cannot be emulated would have shown first.
    const arrays = ["--physical", "hot.npy", "--abundances", "bad.npy", ...pair("constant"), "--output", "hot-out.h5"];
    writeNpy(join(folder, "hot.npy"), { shape: [1, 2, 4], data: Float64Array.of(2e5, 1, 3, 3000, 2e5, 1, 3, 3000) });
    writeNpy(join(folder, "bad.npy"), { shape: [1, 6], data: new Float64Array(6).fill(-1) });
    expect((await astrochem("emulate", ...arrays)).stderr).toMatch(
      /outside the trained range[\s\S]*error: abundances holds -1/,
    );
    expect((await astrochem("emulate", ...arrays, "--strict")).stderr).toMatch(
      /error: conditions are outside the ranges\n.*\n {2}at {3}hot\.npy/,
    );
    const configured = await astrochem("preprocess", ...data("hot.h5", "hot-clean.h5"), "--strict");
    expect([configured.code, configured.stderr]).toEqual([
      3,
      expect.stringContaining("gasTemp: 104 of 104 rows outside the configured range 13 to 133"),
    ]);
  });
});

describe("a surrogate whose step is an input", () => {
  it("has it for a condition, with the range of the data", () => {
    const { physical_parameters, time_step_found } = readEmulator(join(folder, "varying/emulator.safetensors"));
    const { name, range } = physical_parameters.at(-1)!;
    expect([name, time_step_found]).toEqual(["Timestep", "input"]);
    // From the first step, 15 − 10 yr, to the last one.
    expectClose(range, [5, growing[11]! - growing[10]!], { relative: 1e-5 });
  });

  it("emulates histories of any steps, and keeps their times", async () => {
    for (const raw of ["growing", "every-100", "mixed"]) {
      const { code, stderr } = await astrochem("emulate", `${raw}.h5`, ...pair("varying"), "--output", `${raw}-v.h5`);
      expect(code, stderr).toBe(0);
    }
    expectClose((await timesOf("growing-v.h5")).subarray(0, 13), [0, ...growing], { relative: 1e-6 });
  });

  it("takes the step as a physical parameter from scripts, too", async () => {
    const inference = await Inference.load({
      autoencoder: join(folder, "varying/autoencoder.safetensors"),
      emulator: join(folder, "varying/emulator.safetensors"),
    });
    expect(inference.timeStepYears).toBeNull();
    const at = async (step: number) => {
      const physical = { data: [2e5, 1, 3, 21, step], shape: [1, 1, 5] };
      return (await inference.latentEmulate(physical, await inference.encode({ data: start, shape: [1, 6] }))).data;
    };
    const [short, long] = [await at(10), await at(100)];
    expect([...short]).not.toEqual([...long]);
    inference.dispose();
    writeNpy(join(folder, "steps.npy"), {
      shape: [1, 2, 5],
      data: Float32Array.of(2e5, 1, 3, 21, 10, 2e5, 1, 3, 21, 30),
    });
    const words = ["--physical", "steps.npy", "--abundances", "initial.npy", "--output", "steps.h5"];
    const { code, stderr } = await astrochem("emulate", ...words, ...pair("varying"));
    expect(code, stderr).toBe(0);
    expect(await timesOf("steps.h5")).toEqual(Float32Array.of(0, 10, 40));
  });

  it("is evaluated and exported", async () => {
    const surrogate = ["autoencoder=varying/autoencoder.safetensors", "emulator=varying/emulator.safetensors"];
    const words = [...data("growing.h5", "varying.h5"), "dataset.time_step=input", "species=[CO]"];
    const evaluated = await astrochem("evaluate", ...words, ...surrogate);
    expect(evaluated.code, evaluated.stderr).toBe(0);
    const folderOf = /outputs\/\S+-evaluate(-\d+)?/.exec(evaluated.stdout)![0];
    const { predictions, time_step_yr } = JSON.parse(readFileSync(join(folder, folderOf, "metrics.json"), "utf8"));
    expect(time_step_yr).toBeNull();
    const { times, rows } = predictions.emulation;
    expect(times.reduce((sum: number, bin: { rows: number }) => sum + bin.rows, 0)).toBe(rows);
    // Each time lies in its bin, a sixth of a decade wide.
    for (const { step, time_yr } of times) expect(Math.floor(6 * Math.log10(time_yr)) + 1).toBe(step);
    const exported = await astrochem("export", "onnx", ...pair("varying"), "--scaling", "--output", "onnx");
    expect(exported.code, exported.stderr).toBe(0);
  });
});

async function timesOf(name: string): Promise<Float32Array> {
  const frame = await openFrame(join(folder, name), "emulated");
  const times = new Float32Array(frame.rows);
  frame.read(0, frame.rows, ["Time"], times);
  frame.close();
  return times;
}
