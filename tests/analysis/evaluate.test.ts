import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Evaluation, evaluateSurrogate } from "../../src/analysis/evaluate.ts";
import type { EvaluationRequest } from "../../src/analysis/evaluation-setup.ts";
import { EvenChoice } from "../../src/analysis/even-choice.ts";
import { metricsJson } from "../../src/analysis/metrics-file.ts";
import { TracerReader, tracerPlaces } from "../../src/analysis/tracer-blocks.ts";
import { type CleanData, openCleanData } from "../../src/data/clean-data.ts";
import { FrameWriter, openFrame } from "../../src/data/frame.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { Inference } from "../../src/inference/inference.ts";
import type { Layout } from "../../src/models/layout.ts";
import { joinMembers } from "../../src/models/members.ts";
import {
  type AutoencoderWeights,
  autoencoderHash,
  readEmulator,
  writeAutoencoder,
  writeEmulator,
} from "../../src/models/weights-file.ts";
import { testFolder } from "../helpers/folder.ts";
import { autoencoderLayouts, emulatorLayout } from "../helpers/models.ts";
import { expectClose } from "../helpers/tensors.ts";

/** Every element occurs in one species alone, but for C and N, which the first two share: HCN and CS. */
const species = ["HCN", "SIO", "HCL", "HE", "MG", "CS"];
const physicalNames = ["Density", "Av"];
const folder = testFolder();
const path = (name: string): string => join(folder, name);

/** Scaled abundances of all species but the first, whatever goes in. */
const constants = [0.5, 0.6, 0.7, 0.8, 0.9];
const logit = (p: number): number => Math.log(p / (1 - p));
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

function vector(layout: Layout, arrays: Record<string, number | readonly number[]>): Float32Array {
  const out = new Float32Array(layout.size);
  for (const [name, values] of Object.entries(arrays)) {
    const view = layout.view(out, name);
    if (typeof values === "number") view.fill(values);
    else view.set(values);
  }
  return out;
}

/**
 * Weights of which the surrogate can be written down. Ten is added where GELU is then the identity: the latent is x₀ + 10 for the
 * first species' scaled abundance x₀, and decodes to σ(latent − 10) for the first species and to constants for the others. The
 * emulator adds the scaled density, here from 0 to 1, to the latent, whose range is [0, 1].
 */
function handMade(): void {
  const model = { input_dim: 6, hidden_dims: [1, 1] as [number, number], latent_dim: 1 };
  const layouts = autoencoderLayouts(model);
  const norms = ["encoder_bn1", "encoder_bn2", "encoder_norm3", "decoder_bn1", "decoder_bn2"];
  const autoencoder: AutoencoderWeights = {
    model_name: "autoencoder",
    model,
    species,
    abundances_clipping: { lower: 1e-20, upper: 1 },
    latent_range: [0, 1],
    steps: 0,
    provenance: { data_hash: null, seed: null, epoch: null, best_metric: null, versions: {} },
    trainable: vector(layouts.trainable, {
      ...Object.fromEntries(norms.map((name) => [`${name}.weight`, 1])),
      "encoder_fc1.weight": [1, 0, 0, 0, 0, 0],
      "encoder_bn1.bias": 10,
      "encoder_fc2.weight": 1,
      "encoder_fc3.weight": 1,
      decoder_bias3: [-10, ...constants.map(logit)],
    }),
    // The variance that, with batch norm's epsilon, makes one.
    statistics: vector(layouts.statistics, Object.fromEntries(norms.map((name) => [`${name}.running_var`, 1 - 1e-5]))),
  };
  writeAutoencoder(path("autoencoder.safetensors"), autoencoder);
  const emulator = { input_dim: 3, hidden_dim: 1, output_dim: 1 };
  writeEmulator(path("emulator.safetensors"), {
    model_name: "emulator",
    model: emulator,
    species,
    physical_parameters: physicalNames.map((name) => ({ name, range: [1, 100] })),
    window_size: 3,
    time_step_yr: null,
    autoencoder_hash: autoencoderHash(autoencoder),
    provenance: autoencoder.provenance,
    trainable: vector(emulatorLayout(emulator), { "net.0.weight": [1, 0, 0], "net.3.weight": 1, "net.6.weight": 1 }),
  });
}

/** A tracer: per row the scaled abundance of the first species and the scaled density. */
type Rows = readonly (readonly [x: number, density: number])[];
const train: Rows[] = [
  [
    [0.6, 0],
    [0.7, 0],
    [0.9, 0],
  ],
  [
    [0.6, 0],
    [0.5, 0],
  ],
];
/** Of the last one row alone: nothing can be emulated of it. */
const val: Rows[] = [
  [
    [0.8, 0.5],
    [0.7, 1],
    [0.6, 0.25],
  ],
  [
    [0.5, 0],
    [0.4, 0.5],
  ],
  [
    [0.75, 0.25],
    [0.85, 0],
    [0.95, 0.75],
  ],
  [[0.5, 0]],
];

/** Columns stand in another order than the models want them in. */
async function writeSplits(name = "clean.h5", splits = { train, val }): Promise<string> {
  const file = await createHdf5(path(name));
  const float32 = ["Av", "Density", ...species.toReversed(), "Time"];
  for (const [key, tracers] of Object.entries(splits)) {
    const rows = tracers.flatMap((tracer, model) => tracer.map((row) => ({ model, row })));
    const writer = new FrameWriter(
      file,
      key,
      { float32, int64: ["Index", "Model"], order: ["Index", "Model", ...float32] },
      rows.length,
    );
    const floats = rows.flatMap(({ row: [x, density] }, time) => {
      const abundances = [x, ...constants].map((s) => 10 ** (20 * s - 20));
      return [50, 100 ** density, ...abundances.toReversed(), time];
    });
    const integers = rows.flatMap(({ model }, index) => [BigInt(index), BigInt(model)]);
    writer.append(Float32Array.from(floats), BigInt64Array.from(integers), rows.length);
    writer.finish();
  }
  file.close();
  return path(name);
}

let clean: CleanData;
let surrogate: Inference;
beforeAll(async () => {
  handMade();
  const columns = { metadata: ["Index", "Model", "Time"], phys: physicalNames, species };
  clean = await openCleanData(await writeSplits(), columns);
  surrogate = await Inference.load({
    engine: "eager",
    autoencoder: path("autoencoder.safetensors"),
    emulator: path("emulator.safetensors"),
  });
});
afterAll(() => {
  clean.close();
  surrogate.dispose();
});

/** Evaluates the hand-made surrogate, or one given. */
async function evaluate(changes: Partial<EvaluationRequest> = {}): Promise<Evaluation> {
  let clock = 0;
  const file = (name: string) => ({ path: path(name), hash: name });
  return evaluateSurrogate(
    {
      surrogate,
      clean,
      physical: physicalNames,
      physicalRanges: { Density: [1, 100], Av: [1, 100] },
      chosen: ["HE"],
      maxTracers: null,
      maxRows: null,
      maxWindows: null,
      seed: 0,
      conserve: false,
      files: { autoencoder: file("autoencoder"), emulator: file("emulator") },
      version: "0",
      ...changes,
    },
    {
      log: () => {},
      signal: new AbortController().signal,
      now() {
        clock += 250;
        return new Date(clock);
      },
    },
  );
}

/** Mean over rows of |Δ log10| of the first species, over all species: the others are met exactly. */
const meanDex = (errors: readonly number[]): number =>
  (20 * errors.reduce((sum, error) => sum + Math.abs(error), 0)) / errors.length / species.length;
/** The mean relative error of the first species, over all species. */
const meanRelative = (errors: readonly number[]): number =>
  errors.reduce((sum, error) => sum + Math.abs(10 ** (20 * error) - 1), 0) / errors.length / species.length;

describe("with the totals of the starts", () => {
  it("emulated rows are scored after the projection, and both sides are told", async () => {
    const { metrics } = await evaluate({ conserve: true });
    const { conservation_check: check, predictions } = metrics;
    const plain = (await evaluate()).metrics.predictions.emulation!;
    expect(check).toMatchObject({ rows: plain.rows, unmet: 0 });
    expect(check!.dex.before).toBeCloseTo(plain.overall.all.dex.mean, 5);
    expect(check!.dex.after).toBeCloseTo(predictions.emulation!.overall.all.dex.mean, 5);
    // The first species is the only one that the surrogate moves: its total cannot change.
    expect(predictions.emulation!.overall.all.dex.mean).toBeCloseTo(predictions.persistence!.overall.all.dex.mean, 4);
    expect(Math.max(...check!.totals.map(({ worst }) => worst.before))).toBeGreaterThan(0.1);
    for (const { worst } of check!.totals) expect(worst.after).toBeLessThan(1e-6);
    expect(check!.correction_dex!.max).toBeGreaterThan(0);
  });

  it("an ensemble is scored as the mean of its members, before and after", async () => {
    // The second member adds half as much to the latent.
    const one = readEmulator(path("emulator.safetensors"));
    const half = one.trainable.map((value, at) =>
      at === one.trainable.findLastIndex((w) => w !== 0) ? value / 2 : value,
    );
    writeEmulator(path("ensemble.safetensors"), joinMembers([one, { ...one, trainable: half }], []));
    const both = await Inference.load({
      ...{ engine: "eager", autoencoder: path("autoencoder.safetensors"), emulator: path("ensemble.safetensors") },
    });
    try {
      const { metrics } = await evaluate({ surrogate: both, conserve: true });
      const plain = (await evaluate({ surrogate: both })).metrics.predictions.emulation!;
      const { emulation, persistence } = metrics.predictions;
      const alone = (await evaluate()).metrics.predictions.emulation!.overall.all.dex.mean;
      expect(plain.overall.all.dex.mean).not.toBeCloseTo(alone, 3);
      expect(metrics.conservation_check!.dex.before).toBeCloseTo(plain.overall.all.dex.mean, 5);
      expect(emulation!.overall.all.dex.mean).toBeCloseTo(persistence!.overall.all.dex.mean, 4);
      for (const { worst } of metrics.conservation_check!.totals) expect(worst.after).toBeLessThan(1e-6);
    } finally {
      await both.dispose();
    }
  });
});

describe("the tracers of a split", () => {
  it("come in blocks of one length, with the columns in the models' order", () => {
    const reader = new TracerReader(clean.val, {
      species,
      physical: physicalNames,
      clipping: surrogate.abundancesClipping,
    });
    const blocks = [...reader.blocks(tracerPlaces(clean.val))];
    expect(blocks.map(({ places, rows }) => [places.map(({ id }) => id), rows])).toEqual([
      [[3], 1],
      [[1], 2],
      [[0, 2], 3],
    ]);
    const { physical, times } = blocks[1]!;
    expectClose(blocks[1]!.scaledTracer(0), [0.5, ...constants, 0.4, ...constants], { absolute: 1e-6 });
    expectClose(physical, [1, 50, 10, 50], { absolute: 1e-5 });
    expect([...times]).toEqual([0, 1]);
  });

  it.each([
    [0, Number.NaN, "HCN is NaN in row 1"],
    [0, -1e-19, "HCN is -9.99"],
    [5, Number.POSITIVE_INFINITY, "CS is Infinity in row 1"],
    [7, 0, "Av is 0 in row 1"],
    [7, -1, "Av is -1 in row 1"],
    [6, Number.NaN, "Density is NaN in row 1"],
    [8, Number.NEGATIVE_INFINITY, "Time is -Infinity in row 1"],
    [0, -0, null],
    [0, 1e-45, null],
    // Smaller than the lower clipping: a solver's rounding.
    [0, -1e-30, null],
    [8, -5, null],
  ])(
    "are refused where a value has no logarithm, by row and column: value %i is %d",
    async (column, value, message) => {
      const file = await createHdf5(path("bad.h5"));
      const float32 = [...species, ...physicalNames, "Time"];
      const columns = { float32, int64: ["Model"], order: [...float32, "Model"] };
      const writer = new FrameWriter(file, "val", columns, 2);
      const row = [...species.map(() => 0), 1, 1, 0];
      writer.append(Float32Array.from([...row, ...row.with(column, value)]), BigInt64Array.of(1n, 1n), 2);
      writer.finish();
      file.close();
      const frame = await openFrame(path("bad.h5"), "val");
      const reader = new TracerReader(frame, {
        species,
        physical: physicalNames,
        clipping: { lower: 1e-20, upper: 1 },
      });
      const read = () => [...reader.blocks(tracerPlaces(frame))];
      if (message === null) expect(read()).toHaveLength(1);
      else expect(read).toThrow(message);
      frame.close();
    },
  );
});

describe("an evaluation", () => {
  // Of the first species, scaled, in the order of groups of one length: the true rows after the first, and what is predicted.
  const truth = [0.7, 0.6, 0.85, 0.95, 0.4];
  const minus = (predicted: readonly number[]): number[] => predicted.map((x, i) => x - truth[i]!);
  const wanted = {
    reconstruction: minus(truth.map(sigmoid)),
    emulation: minus([1.3, 2.3, 1, 1, 0.5].map(sigmoid)),
    persistence: minus([0.8, 0.8, 0.75, 0.75, 0.5]),
    // Geometric means of the training tracers: of 0.7 and 0.5, then 0.9 alone.
    mean_trajectory: minus([0.6, 0.9, 0.6, 0.9, 0.6]),
    // Mean squared distances of the densities from the training tracers, which are 0, over the rows that both have: to the longer
    // one 0.44 and 0.21, to the shorter one 0.63 and 0.03 and the same for the tracer of two rows.
    nearest_tracer: minus([0.7, 0.9, 0.5, 0.5, 0.5]),
    // One species varies: one component holds everything.
    pca_reconstruction: minus(truth),
  };

  it("has the errors that follow by hand, of surrogate and baselines", async () => {
    const { metrics } = await evaluate();
    expect(metrics.validation).toEqual({ tracers: 3, rows: 8 });
    expect(metrics.train).toEqual({ tracers: 2, rows: 5, fitted_rows: 5, averaged_rows: 5 });
    expect(metrics.scored).toEqual({ all: 5, rows: 5 });
    for (const [name, errors] of Object.entries(wanted)) {
      const { rows, overall, species: each } = metrics.predictions[name as keyof typeof wanted]!;
      expect(rows, name).toBe(5);
      expect(overall.all.dex.mean, name).toBeCloseTo(meanDex(errors), 4);
      expect(overall.all.relative.mean / (meanRelative(errors) || 1), name).toBeCloseTo(
        meanRelative(errors) ? 1 : 0,
        3,
      );
      expect(each[0]!.all.dex.mean, name).toBeCloseTo(6 * meanDex(errors), 4);
    }
  });

  it.each([1, 2, 3, 4])("scores %i rows where no more are asked for: the same of all kinds", async (maxRows) => {
    const { metrics, samples } = await evaluate({ maxRows, seed: 3 });
    expect(metrics.scored).toEqual({ all: 5, rows: maxRows });
    const choice = new EvenChoice([2, 1, 2].entries(), maxRows, 3, "scored rows");
    // Where the rows of each tracer stand above.
    const places = [[0, 1], [4], [2, 3]].flatMap((list, tracer) => [...choice.of(tracer)].map((at) => list[at]!));
    expect(places).toHaveLength(maxRows);
    for (const [name, errors] of Object.entries(wanted)) {
      const { rows, overall } = metrics.predictions[name as keyof typeof wanted]!;
      expect(rows, name).toBe(maxRows);
      expect(overall.all.dex.mean, name).toBeCloseTo(meanDex(places.map((at) => errors[at]!)), 4);
    }
    expect(metrics.predictions.windows!.rows).toBe(maxRows);
    const scored = metrics.tracers.map(({ id, scored_rows }) => [id, scored_rows]);
    expect(Object.fromEntries(scored)).toEqual(
      Object.fromEntries([0, 1, 2].flatMap((k) => (choice.of(k).length > 0 ? [[k, choice.of(k).length]] : []))),
    );
    expect(samples.tracers.length).toBeLessThanOrEqual(scored.length);
    const { plane } = metrics.failure_maps.emulation!;
    expect(plane).toBeNull();
    expect(samples.density_plots.emulation!.counts.reduce((sum, count) => sum + count, 0)).toBe(maxRows * 6);
    const all = await evaluate({ seed: 3 });
    expect(metrics.provenance.rows_hash).not.toBe(all.metrics.provenance.rows_hash);
  });

  it("evaluates every window of the trained size, with the conditions of its own rows", async () => {
    const { metrics } = await evaluate();
    // Windows of three rows: the two tracers that have three.
    expect(metrics.windows).toEqual({ all: 2, evaluated: 2 });
    expect(metrics.predictions.windows).toMatchObject({ tracers: 2, rows: 4 });
    const errors = wanted.emulation.slice(0, 4);
    expect(metrics.predictions.windows!.overall.all.dex.mean).toBeCloseTo(meanDex(errors), 4);
  });

  it("has the elements' conservation of the emulated rows", async () => {
    const { metrics } = await evaluate();
    const linear = (s: number): number => 10 ** (20 * s - 20);
    const [, hcl, , , cs] = constants.map(linear) as [number, number, number, number, number];
    // HCN alone is wrong: it holds all N, and H beside HCL and C beside CS.
    const share = (rest: number): number =>
      wanted.emulation.reduce((sum, error, i) => {
        const was = linear(truth[i]!);
        return sum + Math.abs(linear(truth[i]! + error) - was) / (was + rest);
      }, 0) / 5;
    const of = (name: string): number => {
      return metrics.predictions.emulation!.conservation.find(({ element }) => element === name)!.mean;
    };
    expect(of("N") / share(0)).toBeCloseTo(1, 3);
    expect(of("H") / share(hcl)).toBeCloseTo(1, 3);
    expect(of("C") / share(cs)).toBeCloseTo(1, 3);
    expect(of("HE")).toBeLessThan(1e-5);
  });

  it("says plainly what beats what, and by which tracer", async () => {
    const { metrics } = await evaluate();
    const dex = (name: keyof typeof wanted): number => meanDex(wanted[name]);
    const persistence = metrics.verdicts.find(
      ({ baseline, phase, above_floor }) => baseline === "persistence" && phase === "all" && !above_floor,
    )!;
    expect(persistence.beats).toBe(dex("emulation") < dex("persistence"));
    expect(metrics.conclusions).toHaveLength(5);
    expect(metrics.conclusions[0]).toMatch(/^The surrogate (beats|loses to) persistence/);
    expect(metrics.conclusions[4]).toMatch(/^The autoencoder loses to the reconstruction by principal components/);
    const byTracer = Object.fromEntries(metrics.tracers.map(({ id, errors }) => [id, errors.persistence![0]]));
    const errors = wanted.persistence;
    expect(byTracer[1]).toBeCloseTo(meanDex(errors.slice(4)), 4);
    expect(byTracer[0]).toBeCloseTo(meanDex(errors.slice(0, 2)), 4);
  });

  it("says where it is worst, with the numbers beside the sentences, and how sure the mean is", async () => {
    const { metrics } = await evaluate();
    const weaknesses = metrics.weaknesses!;
    expect(weaknesses.map(({ about }) => about)).toEqual([
      "time",
      "conditions",
      "tracer",
      "species",
      "species above the floor",
      "conservation",
    ]);
    const { steps, overall, conservation } = metrics.predictions.emulation!;
    const peak = Math.max(...steps.map(({ dex }) => dex.mean));
    expect(weaknesses[0]).toMatchObject({ about: "time", dex: peak });
    expect(weaknesses[3]).toMatchObject({ worst: [{ species: "HCN" }, {}, {}, {}, {}] });
    // N is HCN's alone: its total is as wrong as the species is, in the row where that is worst.
    const worst = wanted.emulation.map((error, i) => ({ error: 10 ** (20 * error) - 1, row: i }));
    const { error, row: at } = worst.reduce((a, b) => (b.error > a.error ? b : a));
    const nitrogen = conservation.find(({ element }) => element === "N")!.worst!;
    expect(nitrogen.error / error).toBeCloseTo(1, 3);
    expect([nitrogen.tracer, nitrogen.step]).toEqual(
      [
        [0, 1],
        [0, 2],
        [2, 1],
        [2, 2],
        [1, 1],
      ][at],
    );
    const { emulation } = metrics.intervals!.dex;
    expect(emulation!.value).toBeCloseTo(overall.all.dex.mean, 9);
    expect(emulation!.low).toBeLessThan(emulation!.value);
    expect(emulation!.high).toBeGreaterThan(emulation!.value);
  });

  it("scores training rows as well, and names the values that are far off", async () => {
    const { metrics } = await evaluate();
    // Of the first species, scaled: σ of the training rows after the first, in tracer order; the others are met exactly.
    const errors = [0.7, 0.9, 0.5].map((x) => sigmoid(x) - x);
    const check = metrics.training_check!;
    expect(check).toMatchObject({ all: 3, rows: 3, emulation: { tracers: 2, rows: 3 } });
    expect(check.reconstruction.mean_dex).toBeCloseTo(meanDex(errors), 4);
    expect(check.reconstruction).toMatchObject({ far_off_values: 2, far_off_species: 1 });
    const worst = check.reconstruction.worst[0]!;
    expect(worst).toMatchObject({ species: "HCN", values: 2, tracer: 0, time_yr: 2 });
    expect(worst.dex).toBeCloseTo(-20 * errors[1]!, 4);
    expect(worst.true_log10).toBeCloseTo(-2, 4);
    // The conditions are 0: the emulated latents are those of the first rows.
    const emulated = [0.7, 0.9, 0.5].map((x) => sigmoid(0.6) - x);
    expect(check.emulation!.mean_dex).toBeCloseTo(meanDex(emulated), 4);
    expect(check.findings[0]).toMatch(
      /2 values .* in 1 species off by more than 1 dex; worst: HCN by 3\.8 dex in tracer 0 at 2 yr/,
    );
  });

  it("scores no more training rows than half of those that are asked for", async () => {
    const { metrics } = await evaluate({ maxRows: 4 });
    expect(metrics.training_check).toMatchObject({ all: 3, rows: 2 });
  });

  it("says how the baselines were chosen: with two training tracers, by all there is", async () => {
    const { metrics } = await evaluate();
    expect(metrics.baselines).toEqual({
      fitted_tracers: 2,
      nearest_tracer: { parameters: physicalNames, left_out_dex: null, left_out_dex_by_all: null },
      linear_history: { sources: [], ridge: null },
    });
  });

  it("rolls out ten times longer than trained, and says that it left the training range", async () => {
    const { metrics } = await evaluate();
    const [held, repeated] = metrics.long_rollouts;
    expect(held).toMatchObject({ history: "held", steps: 20, trained_steps: 2, finite: true, tracers: 3 });
    expect(held!.at_steps).toHaveLength(20);
    // The latent grows by the density each step. The histories are 0; 0.5, 1; and 0.25, 0. Repeated, two of three latents go on growing,
    // and σ of them comes more than half a dex (0.025) above the largest of the training, 0.9; held, only that of the second does.
    // One species of six.
    expect(repeated!.out_of_range.at(-1)).toBeCloseTo(2 / 3 / 6, 9);
    expect(held!.out_of_range.at(-1)).toBeCloseTo(1 / 3 / 6, 9);
    expect([held!.bounded, repeated!.bounded]).toEqual([false, false]);
    expect(metrics.sensitivity!.divergence_dex).toHaveLength(2);
  });

  it("gives bounded samples for the figures", async () => {
    const { samples } = await evaluate();
    expect(samples.tracers.map(({ reason }) => reason)).toEqual(["best", "median", "worst"]);
    const [first] = samples.tracers;
    expect(first!.series[0]).toMatchObject({ species: "HE", reason: "chosen" });
    expect(first!.series.every(({ actual, emulated }) => actual.length === emulated!.length)).toBe(true);
    expect(first!.latents.encoded[0]).toHaveLength(1);
    const counts = samples.density_plots.emulation!.counts.reduce((sum, count) => sum + count, 0);
    expect(counts).toBe(5 * species.length);
    expect(samples.parameter_histograms[0]!.val.counts.reduce((sum, count) => sum + count, 0)).toBe(8);
    expect(samples.features.map(({ split }) => split).sort()).toEqual(["train", "train", "val", "val", "val"]);
  });

  it("needs no emulator: reconstruction and baselines alone", async () => {
    const alone = await Inference.load({ engine: "eager", autoencoder: path("autoencoder.safetensors") });
    const { metrics, samples } = await evaluate({ surrogate: alone });
    alone.dispose();
    expect(Object.keys(metrics.predictions)).toEqual([
      "reconstruction",
      "persistence",
      "mean_trajectory",
      "nearest_tracer",
      "linear_history",
      "pca_reconstruction",
    ]);
    expect(metrics).toMatchObject({ window_size: null, windows: null, long_rollouts: [], sensitivity: null });
    expect(metrics.verdicts.every(({ subject }) => subject === "reconstruction")).toBe(true);
    expect(samples.tracers[0]!.series[0]!.emulated).toBeNull();
  });

  it("takes fewer tracers and windows where asked, and tells other rows by their hash", async () => {
    const [all, some, again] = [await evaluate(), await evaluate({ maxTracers: 1, maxWindows: 1 }), await evaluate()];
    expect(some.metrics.validation.tracers).toBe(1);
    expect(some.metrics.provenance.rows_hash).not.toBe(all.metrics.provenance.rows_hash);
    expect(again.metrics.provenance.rows_hash).toBe(all.metrics.provenance.rows_hash);
    expect(metricsJson(again.metrics)).toBe(metricsJson(all.metrics));
  });

  it("works with one tracer of two rows to train and to validate, and refuses a split where nothing can be predicted", async () => {
    const columns = { metadata: ["Index", "Model", "Time"], phys: physicalNames, species };
    const two: Rows[] = [train[1]!];
    const small = await openCleanData(await writeSplits("small.h5", { train: two, val: two }), columns);
    const { metrics } = await evaluate({ clean: small });
    small.close();
    expect(metrics.conclusions.at(-1)).toBe(
      "1 of the 1 scored tracers are training tracers, too: all errors look too small.",
    );
    expect(metrics.intervals).toBeUndefined();
    expect(metrics.predictions.mean_trajectory!.overall.all).toMatchObject({ count: 6, dex: { max: 0 } });
    expect(metrics.windows).toBeNull();
    expect(metrics.predictions.windows).toBeUndefined();
    const one = await openCleanData(await writeSplits("one.h5", { train, val: [val[3]!] }), columns);
    await expect(evaluate({ clean: one })).rejects.toThrow("no validation tracer has a second row");
    one.close();
  });

  it("stops between two blocks when it is told to", async () => {
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    const request = { surrogate, clean, physical: physicalNames, physicalRanges: {}, chosen: [] };
    const rest = { maxTracers: null, maxRows: null, maxWindows: null, seed: 0, version: "0" };
    const files = { autoencoder: { path: "", hash: "" }, emulator: null };
    const tools = { log: () => {}, signal: controller.signal, now: () => new Date(0) };
    await expect(evaluateSurrogate({ ...request, ...rest, files }, tools)).rejects.toThrow("enough");
  });
});
