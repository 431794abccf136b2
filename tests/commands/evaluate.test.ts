import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { readMetrics } from "../../src/analysis/metrics-file.ts";
import { readSpeciesList } from "../../src/chemistry/species.ts";
import { main } from "../../src/commands/main.ts";
import { openFrame } from "../../src/data/frame.ts";
import { Inference } from "../../src/inference/inference.ts";
import { testFolder } from "../helpers/folder.ts";
import { madeRows, writeRawRows } from "../helpers/raw-frame.ts";
import { Buffered } from "./buffers.ts";

const species = readSpeciesList(fileURLToPath(new URL("../../utils/species.txt", import.meta.url)));
const cwd = testFolder();

async function command(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [new Buffered(), new Buffered()];
  const { signal } = new AbortController();
  const code = await main(args, { cwd, env: {}, now: () => new Date(), stdout, stderr, signal });
  const shown = (text: string): string => text.replaceAll(cwd, "…");
  return { code, stdout: shown(stdout.text), stderr: shown(stderr.text) };
}

const evaluate = (run: string, ...args: string[]) =>
  command("evaluate", "dataset.dataset_path=clean.h5", `run_dir=${run}`, ...args);

/** Eight tracers of 9 to 12 rows of smooth made-up chemistry; two epochs of tiny models. */
beforeAll(async () => {
  await writeRawRows(
    join(cwd, "raw.h5"),
    madeRows(8, (tracer) => 9 + (tracer % 2) * 3),
  );
  const common = ["dataset.dataset_path=clean.h5", "model.batch_size=16", "model.max_epochs=2"];
  const small = ["model.hidden_dims=[8,4]", "model.latent_dim=3"];
  for (const words of [
    ["preprocess", "input_path=raw.h5", "output_path=clean.h5", "dataset.start=configured"],
    ["train-autoencoder", ...common, ...small],
    ["train-emulator", ...common, "autoencoder.latent_dim=3", "model.hidden_dim=8", "model.window_size=6"],
    ["train-autoencoder", ...common, ...small, "seed=5", "model.save_model_path=weights/other.safetensors"],
  ]) {
    const { code, stderr } = await command(...words);
    expect(code, stderr).toBe(0);
    // Made-up abundances have no totals in common.
    if (words[0] === "train-autoencoder")
      expect(stderr).toMatch(/differ in their elements \(\w+ by .* dex\).*model=autoencoder_elements/);
  }
}, 60_000);

describe("evaluate", () => {
  it("writes the metrics, a table of species and the figures' samples, and prints a short table", async () => {
    const { code, stdout, stderr } = await evaluate("whole");
    expect(code, stderr).toBe(0);
    expect(stdout).toContain("surrogate, whole trajectory");
    const table = stdout.slice(0, stdout.indexOf("\n\n")).split("\n");
    expect(Math.max(...table.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(table.at(-1)).toMatch(/^rows: all \d+$/);
    expect(stdout).toMatch(/The surrogate (beats|loses to) persistence/);
    expect(stdout).toContain("whole/report.html");
    expect(readdirSync(join(cwd, "whole"))).toEqual(
      expect.arrayContaining(["report.html", "figures", "metrics.json", "metrics.csv", "samples.json", "summary.json"]),
    );
    const { predictions, windows, train, validation, provenance } = readMetrics(join(cwd, "whole"));
    expect(Object.keys(predictions)).toHaveLength(8);
    expect(train.tracers + validation.tracers).toBe(8);
    // Windows of six rows; raw tracers of 9 and 12 rows have one more with their start row.
    expect(windows!.all).toBe(validation.rows - 5 * validation.tracers);
    expect(provenance.autoencoder.hash).toMatch(/^[0-9a-f]{64}$/);
    const lines = readFileSync(join(cwd, "whole/metrics.csv"), "utf8").trim().split("\n");
    expect(lines).toHaveLength(334);
    expect(new Set(lines.map((line) => line.split(",").length))).toEqual(new Set([4 + 8 * 6]));
    const samples = JSON.parse(readFileSync(join(cwd, "whole/samples.json"), "utf8"));
    expect(samples.training.autoencoder).toHaveLength(2);
    expect(samples.tracers[0].series[0]).toMatchObject({ species: "CO", reason: "chosen" });
  });

  it("tells the error that the library's own emulation has", async () => {
    const { tracers } = readMetrics(join(cwd, "whole"));
    const weights = (name: string): string => join(cwd, "weights/grav", name);
    const surrogate = await Inference.load({
      autoencoder: weights("autoencoder.safetensors"),
      emulator: weights("emulator.safetensors"),
    });
    const frame = await openFrame(join(cwd, "clean.h5"), "val");
    const rows = tracers[0]!.rows;
    const [abundances, physical] = [new Float32Array(rows * 333), new Float32Array(rows * 4)];
    const start = frame.labels("Model").codes.indexOf(frame.labels("Model").values.indexOf(tracers[0]!.id));
    frame.read(start, rows, species, abundances);
    frame.read(start, rows, ["Density", "Radfield", "Av", "gasTemp"], physical);
    frame.close();
    const { data } = await surrogate.emulate(
      { data: physical.subarray(0, (rows - 1) * 4), shape: [1, rows - 1, 4] },
      { data: abundances.subarray(0, 333), shape: [1, 333] },
    );
    surrogate.dispose();
    // States that get their totals may leave the clipping range, to which abundances are clipped before they are compared.
    const clipped = data.map((value) => Math.min(Math.max(value, 1e-20), 1));
    const dex =
      clipped.reduce((sum, value, at) => sum + Math.abs(Math.log10(value / abundances[at + 333]!)), 0) / data.length;
    expect(tracers[0]!.errors.emulation![0] / dex).toBeCloseTo(1, 4);
  });

  it("evaluates the autoencoder alone, and prints nothing but JSON where asked", async () => {
    const { code, stdout } = await evaluate("alone", "emulator=null", "--json");
    expect(code).toBe(0);
    const printed = JSON.parse(stdout);
    expect(Object.keys(printed.predictions)).not.toContain("emulation");
    expect(printed.predictions.reconstruction.dex.mean).toBeGreaterThan(0);
    expect(readMetrics(join(cwd, "alone")).window_size).toBeNull();
  });

  it("scores test tracers, of the dataset or of a file of their own, beside baselines of the training tracers", async () => {
    const split = async (...words: string[]) => {
      const { code, stderr } = await command("preprocess", "input_path=raw.h5", ...words);
      expect(code, stderr).toBe(0);
    };
    await split("output_path=three.h5", "train_split=0.5", "test_split=0.25");
    await split("output_path=test.h5", "train_split=0", "test_split=1");
    const own = await command(
      "evaluate",
      "dataset.dataset_path=three.h5",
      "run_dir=test",
      "split=test",
      "emulator=null",
    );
    expect(own.code, own.stderr).toBe(0);
    expect(own.stdout).toMatch(/^2 test tracers /m);
    const { provenance, validation, train } = readMetrics(join(cwd, "test"));
    expect([provenance.split, provenance.test_dataset, validation.tracers, train.tracers]).toEqual([
      "test",
      undefined,
      2,
      4,
    ]);
    const page = readFileSync(join(cwd, "test/report.html"), "utf8");
    expect(page).toContain("/test: these chose nothing");
    expect(page).toContain("Physical histories of test tracers");
    expect(page).not.toMatch(/validation tracers|>validation</);
    const other = await evaluate("others", "split=test", "test_path=test.h5");
    expect(other.code, other.stderr).toBe(0);
    const found = readMetrics(join(cwd, "others"));
    expect(found.provenance.test_dataset).toMatchObject({ path: join(cwd, "test.h5"), hash: expect.any(String) });
    expect([found.validation.tracers, found.train.tracers]).toEqual([8, 6]);
    const emulated = await command("emulate", "test.h5", "--output", "emulated.h5");
    expect(emulated.code, emulated.stderr).toBe(0);
  });

  it("says which test tracers are missing", async () => {
    const told: string[] = [];
    for (const words of [
      ["split=test"],
      ["split=test", "test_path=raw.h5", "emulator=null"],
      ["test_path=clean.h5"],
      ["split=train"],
    ]) {
      const { code, stderr } = await evaluate("refused", ...words);
      told.push(`${code} ${stderr.slice(stderr.indexOf("error:")).split("\n")[0]}`);
    }
    expect(told).toEqual([
      "3 error: the file has no test tracers: it has /train, /val",
      "3 error: the file has no test tracers: it has /df",
      "2 error: test_path is given, but the validation tracers of the dataset are to be scored",
      "2 error: `split` must be val | test, got train",
    ]);
  });

  it("refuses the epoch log of a newer version by its number", async () => {
    mkdirSync(join(cwd, "newer"));
    copyFileSync(join(cwd, "weights/grav/autoencoder.safetensors"), join(cwd, "newer/autoencoder.safetensors"));
    writeFileSync(join(cwd, "newer/autoencoder.json"), '[{"format_version": 2, "epoch": 0}]');
    const { code, stderr } = await evaluate("refused", "emulator=null", "autoencoder=newer/autoencoder.safetensors");
    expect([code, stderr]).toEqual([
      3,
      expect.stringContaining("…/newer/autoencoder.json has epoch log format 2; this version reads 1"),
    ]);
  });

  it("shows a run's name that would command the terminal", async () => {
    const name = "e\u001b[2J\u009b";
    const { code, stdout, stderr } = await evaluate(`'${name}'`, "emulator=null");
    expect(code, stderr).toBe(0);
    expect(stdout).toContain(String.raw`e\u001b[2J\u009b/report.html`);
    const compared = await command("compare", name, name, "--resamples", "20");
    expect([compared.code, compared.stdout]).toEqual([0, expect.stringMatching(/^e\\u001b\[2J\\u009b /m)]);
    const json = await command("compare", name, name, "--resamples", "20", "--json");
    expect(JSON.parse(json.stdout).runs[1].name).toBe(name);
    for (const text of [stdout, compared.stdout, json.stdout]) expect(text).not.toMatch(/[^\P{Cc}\n]/u);
  });

  it("says what is missing", async () => {
    const first = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await evaluate("refused", ...args);
      return `${code} ${stderr.slice(stderr.indexOf("error:")).split("\n")[0]}`;
    };
    expect(await first("species=[H2OO]")).toBe("2 error: the weights know no species H2OO");
    expect(await first("autoencoder=absent.safetensors")).toBe(
      "4 error: there is no weights file …/absent.safetensors",
    );
    expect(await first("dataset.dataset_path=absent.h5")).toBe("3 error: there is no clean dataset …/absent.h5");
    expect(await first("autoencoder=weights/other.safetensors")).toContain("was trained with another autoencoder");
    expect(await first("max_tracer=1")).toContain("max_tracer");
  });
});

describe("compare", () => {
  it("tells the differences between runs on the same rows, with intervals", async () => {
    await evaluate("other", "emulator=null", "autoencoder=weights/other.safetensors");
    const { code, stdout, stderr } = await command("compare", "alone", "other", "--resamples", "200");
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(
      /^autoencoder alone +error, dex +relative, mean\nalone .*\nother .*\nother - alone: -?\d.* dex, /,
    );
    const comparison = JSON.parse(readFileSync(join(cwd, "compare.json"), "utf8"));
    const { runs } = comparison.kinds[0];
    const [a, b] = ["alone", "other"].map((run) => readMetrics(join(cwd, run)).predictions.reconstruction!);
    expect(runs[1].difference_dex.value).toBeCloseTo(b!.overall.all.dex.mean - a!.overall.all.dex.mean, 4);
    expect(runs[1].difference_dex.low).toBeLessThanOrEqual(runs[1].difference_dex.value);
    expect(runs[1].difference_dex.high).toBeGreaterThanOrEqual(runs[1].difference_dex.value);
  });

  const ofClean = "dataset.dataset_path=clean.h5";
  const compared = () => JSON.parse(readFileSync(join(cwd, "compare.json"), "utf8"));

  it("evaluates weights first, on the dataset of the overrides", async () => {
    const { code, stderr } = await command("compare", "alone", "weights/other.safetensors", ofClean, "run_dir=made");
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/evaluating weights\/other\.safetensors[\s\S]*evaluated in made\n/);
    const [made, other] = ["made", "other"].map((run) => readMetrics(join(cwd, run)));
    expect(made!.predictions).toEqual(other!.predictions);
    const { value } = compared().kinds[0].runs[1].mean_dex;
    expect(value).toBeCloseTo(other!.predictions.reconstruction!.overall.all.dex.mean, 5);
  });

  it("takes a training's run folder for the best weights in it", async () => {
    const [training] = readdirSync(join(cwd, "outputs"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith("-train-emulator"),
    ) as [string];
    const { code, stderr } = await command("compare", "whole", `outputs/${training}`, ofClean);
    expect(code, stderr).toBe(0);
    const { kinds, runs } = compared();
    expect(runs.map(({ name }: { name: string }) => name)).toEqual(["whole", `outputs/${training}`]);
    expect(kinds.length).toBeGreaterThan(2);
    for (const kind of kinds) expect(kind.runs[1], kind.kind).toMatchObject({ differs: false });
  });

  it("says where the autoencoder of an emulator is looked for, before anything is evaluated", async () => {
    mkdirSync(join(cwd, "alone-here"));
    copyFileSync(join(cwd, "weights/grav/emulator.safetensors"), join(cwd, "alone-here/emulator.safetensors"));
    const words = ["compare", "weights/other.safetensors", "alone-here", ofClean, "run_dir=never"];
    const { code, stdout, stderr } = await command(...words, "autoencoder=weights/other.safetensors");
    expect([code, stdout]).toEqual([4, ""]);
    expect(stderr).toMatch(
      /^error: the autoencoder that …\/alone-here\/emulator\.safetensors was trained with is in none of: …\/alone-here\/autoencoder\.safetensors, …\/weights\/other\.safetensors\n/,
    );
    expect(existsSync(join(cwd, "never"))).toBe(false);
  });

  it("compares evaluations of a sample of the rows, which they say", async () => {
    const of = (name: string) =>
      evaluate(`7-${name}`, "emulator=null", "max_rows=7", `autoencoder=weights/${name}.safetensors`);
    const { stdout } = await of("other");
    expect(stdout).toMatch(/^rows: 7 of \d+ \(max_rows=null takes all\), drawn with seed 0$/m);
    expect(readFileSync(join(cwd, "7-other/report.html"), "utf8")).toMatch(/Judged on 7 rows out of \d+, spread/);
    await of("grav/autoencoder");
    const { code, stderr } = await command("compare", "7-other", "7-grav/autoencoder");
    expect(code, stderr).toBe(0);
    for (const [r, name] of ["other", "grav/autoencoder"].entries()) {
      const { rows, overall } = readMetrics(join(cwd, `7-${name}`)).predictions.reconstruction!;
      expect(rows).toBe(7);
      expect(compared().kinds[0].runs[r].mean_dex.value).toBeCloseTo(overall.all.dex.mean, 4);
    }
    const all = await command("compare", "alone", "7-other");
    expect(all.stderr).toMatch(
      /^error: 7-other was evaluated on other rows than alone: 7 rows of 2 validation tracers of .*, not \d\d+ rows of 2/,
    );
  });

  it("leaves a page of somebody else's as it is", async () => {
    mkdirSync(join(cwd, "site"));
    writeFileSync(join(cwd, "site/compare.html"), "<title>mine</title>");
    const { code, stderr } = await command("compare", "alone", "other", "--output", "site");
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/^error: …\/site\/compare\.html exists, and is no comparison/),
    ]);
    expect(readdirSync(join(cwd, "site"))).toEqual(["compare.html"]);
    for (const overwrite of [["--overwrite"], []])
      expect((await command("compare", "alone", "other", "--output", "site", ...overwrite)).code).toBe(0);
  });

  it("refuses runs of other rows, a single run and what is no run", async () => {
    await evaluate("fewer", "emulator=null", "max_tracers=1");
    const told: string[] = [];
    for (const runs of [["alone", "fewer"], ["alone"], ["alone", "nothing"], ["alone", "other", "--resamples", "0"]]) {
      const { code, stdout, stderr } = await command("compare", ...runs);
      expect(stdout).toBe("");
      told.push(`${code} ${stderr.split("\n")[0]}`);
    }
    expect(told).toEqual([
      "3 error: fewer was evaluated on other rows than alone: 9 rows of 1 validation tracer of …/clean.h5, not 21 rows of 2 validation tracers of …/clean.h5",
      "2 error: a comparison needs two runs or more",
      "3 error: there is no …/nothing/metrics.json",
      "2 error: --resamples is 0, not a whole number from 1 to 100000",
    ]);
  });
});
