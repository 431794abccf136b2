import { beforeAll, describe, expect, it } from "vitest";
import {
  cacheSized,
  type Engine,
  type EngineState,
  type HostTensor,
  type HostTensors,
  hostTensor,
  type Program,
} from "../../src/backend/engine.ts";
import { tf } from "../../src/backend/tf.ts";
import { tableOfNames } from "../../src/chemistry/element-table.ts";
import { minmaxLatents } from "../../src/chemistry/scaling.ts";
import { type AutoencoderPhase, AutoencoderRecipe, EmulatorRecipe } from "../../src/config/schema-recipes.ts";
import { type AutoencoderBatch, AutoencoderBatches } from "../../src/data/autoencoder-batches.ts";
import { MemoryRows } from "../../src/data/chunk-source.ts";
import { type EmulatorBatch, EmulatorBatches } from "../../src/data/emulator-batches.ts";
import { RandomStream } from "../../src/data/random.ts";
import { ConfigError, NumericsError } from "../../src/errors.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/formats/safetensors.ts";
import { AutoencoderTrainer } from "../../src/training/autoencoder-trainer.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../src/training/checkpoint.ts";
import { stoichiometryTensor } from "../../src/training/dataset-facts.ts";
import { EmulatorTrainerSequential } from "../../src/training/emulator-trainer.ts";
import type { EpochRecord } from "../../src/training/observer.ts";
import type { TrainerOptions, TrainerSettings, TrainingOutcome } from "../../src/training/trainer.ts";
import type { Snapshot, TrainingState } from "../../src/training/training-state.ts";
import { autoencoderOf, emulatorOf, initialAutoencoder, initialEmulator } from "../helpers/models.ts";
import { engineNamed, engines, partingEngine, useWasm } from "../helpers/tensors.ts";

/** Every element occurs: the logarithm of a total of none would be infinite. */
const species = ["HCN", "SIO", "HCL", "HE", "MG", "CS"];
/** 40 rows in batches of 16, 16 and 8. */
const [rows, batchSize, batchesPerEpoch] = [40, 16, 3];

const shape = { input_dim: species.length, hidden_dims: [5, 4], latent_dim: 2 } as const;
const loss = { power_weight: 20, worst_weight: 2, conservation_weight: 100, log10_lower: -20, log10_upper: 0 };

/** Patient settings, in which nothing happens but what a test changes. */
const calm: TrainerSettings = {
  lr: 1e-3,
  lr_decay: 0.5,
  lr_decay_patience: 1000,
  dropout: 0.2,
  dropout_decay_patience: 1000,
  dropout_reduction_factor: 0.05,
  stagnant_epoch_patience: 1000,
  low_dropout_threshold: 0.1,
  low_dropout_lr: 1e-3,
  betas: [0.9, 0.999],
  weight_decay: 1e-4,
  gradient_clipping: 1,
  max_epochs: 4,
  max_minutes: null,
  metric: "relative",
};

/** The one phase of the original's recipe. */
const original = {
  autoencoder: AutoencoderRecipe.parse({}).phases[0]!,
  emulator: EmulatorRecipe.parse({}).phases[0]!,
};

/** Two phases by cosine, epochs that are not passes over the data, a mean of the weights, and a noise of each phase's own. */
const curriculum = {
  autoencoder: AutoencoderRecipe.parse({
    phases: [
      { epochs: 2, epoch_steps: 4, schedule: "cosine", lr_scale: 5, dropout: 0.1, noise: 0.02, averaging: 0.5 },
      { epochs: 3, epoch_steps: 2, schedule: "cosine", final_lr: 0.1, averaging: 0.9 },
    ],
  }).phases,
  emulator: EmulatorRecipe.parse({
    phases: [
      {
        epochs: 2,
        epoch_steps: 4,
        schedule: "cosine",
        lr_scale: 4,
        noise: 0.1,
        loss: { of: "latents", name: "huber" },
      },
      { epochs: 3, epoch_steps: 2, schedule: "cosine", averaging: 0.9, decoded_steps: 2, loss: { name: "l1" } },
    ],
  }).phases,
};

/** Scaled abundances that wander smoothly, [rows, species]. */
function smoothRows(): Float32Array {
  return Float32Array.from({ length: rows * species.length }, (_, i) => {
    const [row, column] = [Math.floor(i / species.length), i % species.length];
    return 0.5 + 0.3 * Math.sin(row / 9 + column);
  });
}

interface Setup {
  readonly engine: Engine;
  readonly seed?: number;
  readonly settings?: Partial<TrainerSettings>;
  readonly options?: Partial<TrainerOptions<unknown>>;
  /** Of the training, in place of `smoothRows`. */
  readonly features?: Float32Array;
  readonly recipe?: "original" | "curriculum";
  /** Of the autoencoder, in place of the original's. */
  readonly phases?: readonly AutoencoderPhase[];
  /** Widths of the hidden layers, in place of a few. */
  readonly width?: number;
}

function optionsOf({ engine, seed = 7, settings, options }: Setup) {
  let clock = 0;
  return {
    engine,
    seed,
    settings: { ...calm, ...settings },
    observer: {},
    now: () => {
      clock += 1;
      return clock;
    },
    ...options,
  };
}

function autoencoderTrainer(setup: Setup): AutoencoderTrainer {
  const { features = smoothRows(), seed = 7, recipe, width } = setup;
  const sizes = width === undefined ? shape : { ...shape, hidden_dims: [width, width] as const };
  const usual = recipe === "curriculum" ? curriculum.autoencoder : [original.autoencoder];
  const { phases = usual } = setup;
  const batchesOf = (data: Float32Array, order: number | null) =>
    new AutoencoderBatches({
      source: new MemoryRows(data, species.length),
      chunkRows: rows,
      batchSize,
      seed: order,
    });
  const options: TrainerOptions<AutoencoderBatch> = {
    ...optionsOf(setup),
    phases: phases.map((settings) => ({ settings, train: batchesOf(features, seed) })),
    validation: batchesOf(smoothRows().subarray(0, 16 * species.length), null),
  };
  const initial = initialAutoencoder(sizes, new RandomStream(seed));
  return new AutoencoderTrainer(options, {
    compressor: autoencoderOf(sizes),
    loss,
    noise: 0.1,
    phases,
    stoichiometry: stoichiometryTensor(tableOfNames(species)),
    initial,
  });
}

const [metadata, physical, latent, window] = [3, 2, 2, 5];

/** Four tracers of ten rows: six windows each, 24 in all, in batches of 10, 10 and 4. */
function emulatorTrainer(setup: Setup): EmulatorTrainerSequential {
  const { features = smoothRows(), seed = 7, recipe } = setup;
  const phases = recipe === "curriculum" ? curriculum.emulator : [original.emulator];
  const width = metadata + physical + species.length + latent;
  const data = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const conditions = [Math.cos(row / 7) / 2, row / rows];
    const latents = [Math.sin(row / 5) / 2, 0.4];
    const abundances = features.subarray(row * species.length, (row + 1) * species.length);
    data.set([row, Math.floor(row / 10), 100 * (row % 10), ...conditions, ...abundances, ...latents], row * width);
  }
  const starts = Int32Array.from({ length: 24 }, (_, i) => 10 * Math.floor(i / 6) + (i % 6));
  const batchesOf = (order: number | null, targets: "abundances" | "latents" = "abundances") =>
    new EmulatorBatches({
      targets,
      source: new MemoryRows(data, width),
      starts,
      window,
      layout: { metadata, physical, species: species.length, latent },
      chunkWindows: starts.length,
      batchSize: 10,
      seed: order,
    });
  const options: TrainerOptions<EmulatorBatch> = {
    ...optionsOf(setup),
    phases: phases.map((settings) => ({ settings, train: batchesOf(seed, settings.loss.of) })),
    validation: batchesOf(null),
  };
  const emulator = { input_dim: physical + latent, hidden_dim: setup.width ?? 7, output_dim: latent };
  return new EmulatorTrainerSequential(options, {
    compressor: autoencoderOf(shape),
    evolver: emulatorOf(emulator),
    latents: minmaxLatents([-0.2, 1.4]),
    phases,
    loss,
    stoichiometry: stoichiometryTensor(tableOfNames(species)),
    frozen: initialAutoencoder(shape, new RandomStream(1)),
    initial: initialEmulator(emulator, new RandomStream(seed)),
  });
}

/** What a scripted engine answers. Steps and validations are counted from 0 over the whole training. */
interface Script {
  /** The loss and the norm of the gradient of a training step. */
  readonly step?: (index: number) => { total?: number; gradient_norm?: number };
  /** Mean relative error of each species, cyclically, after an epoch. */
  readonly validation?: (index: number) => readonly number[];
  /** Called after each step. */
  readonly afterStep?: (index: number) => void;
}

/** An engine whose numbers a test writes down. Each training step adds one to every parameter. */
class ScriptedEngine implements Engine {
  readonly name = "scripted";
  readonly blocks = cacheSized;
  /** The inputs of every training step. */
  readonly inputs: HostTensors[] = [];
  /** The first parameter as each training step found it, less the starting value: steps since the last load. */
  readonly found: number[] = [];
  readonly #script: Script;
  #validations = 0;

  constructor(script: Script) {
    this.#script = script;
  }

  state(initial: HostTensors): EngineState {
    return new ScriptedState(initial);
  }

  program(name: string): Program {
    const run = async (state: EngineState, inputs: HostTensors): Promise<HostTensors> => {
      const { values } = state as ScriptedState;
      return name.includes("validation") ? this.#validate(inputs) : this.#train(values, inputs);
    };
    return { run, dispose: async () => {} };
  }

  #train(values: HostTensors, inputs: HostTensors): HostTensors {
    const index = this.inputs.length;
    const parameters = values.parameters!;
    this.inputs.push(inputs);
    this.found.push(parameters.data[0]!);
    values.parameters = { ...parameters, data: parameters.data.map((value) => value + 1) };
    const { total = 1, gradient_norm = 1 } = this.#script.step?.(index) ?? {};
    this.#script.afterStep?.(index);
    const parts = { total, reconstruction: 10 * total, worst: 20 * total, conservation: 30 * total, gradient_norm };
    return Object.fromEntries(
      Object.entries(parts).map(([name, value]) => [name, hostTensor(Float32Array.of(value), [])]),
    );
  }

  /** There is one validation batch: its sums are the means times its rows. */
  #validate(inputs: HostTensors): HostTensors {
    const means = this.#script.validation?.(this.#validations++) ?? [1];
    const [count] = inputs.features!.shape as [number];
    const sums = Float32Array.from(species, (_, s) => means[s % means.length]! * count);
    return { errors: hostTensor(sums, [species.length]), dex: hostTensor(sums.map(Math.sqrt), [species.length]) };
  }
}

class ScriptedState implements EngineState {
  readonly values: HostTensors;

  constructor(initial: HostTensors) {
    const { parameters } = initial;
    this.values = { ...initial, parameters: { ...parameters!, data: new Float32Array(parameters!.data.length) } };
  }

  get names(): string[] {
    return Object.keys(this.values);
  }

  async read(name: string): Promise<HostTensor> {
    return this.values[name]!;
  }

  write(name: string, value: HostTensor): void {
    this.values[name] = value;
  }

  dispose(): void {}
}

const kinds = { autoencoder: autoencoderTrainer, emulator: emulatorTrainer };
/** The engines, and the compiled one with every training batch in parts. */
const cases = [...engines, "parting" as const].flatMap((engine) =>
  (["autoencoder", "emulator"] as const).map((kind) => [kind, engine] as const),
);
const engineFor = (name: (typeof cases)[number][1]): Promise<Engine> =>
  name === "parting" ? partingEngine(4000) : engineNamed(name);

beforeAll(useWasm);

async function trained(kind: keyof typeof kinds, setup: Setup): Promise<TrainingOutcome> {
  const trainer = kinds[kind](setup);
  try {
    return await trainer.run();
  } finally {
    await trainer.dispose();
  }
}

/** The autoencoder's trainer on numbers that the test wrote down. */
async function scripted(
  script: Script,
  setup: Omit<Setup, "engine"> = {},
): Promise<TrainingOutcome & { engine: ScriptedEngine }> {
  const engine = new ScriptedEngine(script);
  return { ...(await trained("autoencoder", { ...setup, engine })), engine };
}

/** What a training throws. */
async function failure(training: Promise<unknown>): Promise<NumericsError> {
  const error = await training.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(NumericsError);
  return error as NumericsError;
}

describe.each(cases)("training the %s on the %s engine", (kind, name) => {
  it("gives the same bits from the same seed, and others from another", async () => {
    const engine = await engineFor(name);
    const settings = { max_epochs: 3 };
    const first = await trained(kind, { engine, settings });
    const second = await trained(kind, { engine, settings });
    const other = await trained(kind, { engine, settings, seed: 8 });
    expect(second).toEqual(first);
    expect(first.log).toHaveLength(3);
    expect(other.best!.arrays.parameters).not.toEqual(first.best!.arrays.parameters);
    expect(other.log[0]!.train_loss).not.toEqual(first.log[0]!.train_loss);
  });

  it("keeps no tensor from step to step, and none at all after it", async () => {
    const engine = await engineFor(name);
    const before = tf.memory().numTensors;
    const counts: number[] = [];
    const observer = { batchDone: () => counts.push(tf.memory().numTensors) };
    await trained(kind, { engine, options: { observer } });
    expect(counts).toHaveLength(4 * batchesPerEpoch);
    expect(counts[9]).toBe(counts[1]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it("ends at the first loss that is not finite, whatever made it so", async () => {
    const engine = await engineFor(name);
    const features = smoothRows();
    features[5 * species.length] = Number.NaN;
    const improved: Snapshot[] = [];
    const options = { onImproved: (best: Snapshot) => improved.push(best) };
    const bad = await failure(trained(kind, { engine, features, options }));
    expect(bad.exitCode).toBe(5);
    // A GPU may compare NaN as it likes, and finds Infinity.
    expect(bad.message).toMatch(
      /^the training loss is no longer finite \((NaN|Infinity)\)\n {2}at {3}epoch 1, batch [123]\n/,
    );
    expect(improved).toEqual([]);
  });

  it("lowers the error of what it learns", async () => {
    const engine = await engineFor(name);
    const { log, best } = await trained(kind, { engine, settings: { dropout: 0, lr: 1e-2, max_epochs: 12 } });
    expect(best!.metric).toBeLessThan(0.9 * log[0]!.mean);
    expect(best!.metric).toBe(Math.min(...log.map(({ metric }) => metric)));
  });
});

it.runIf(engines.includes("webgpu")).each(["autoencoder", "emulator"] as const)(
  "200 training steps of the %s on a GPU keep memory flat",
  async (kind) => {
    const engine = await engineNamed("webgpu");
    const megabytes: number[] = [];
    const observer = { batchDone: () => megabytes.push(process.memoryUsage.rss() / 1e6) };
    const trainer = kinds[kind]({ engine, width: 128, settings: { max_epochs: 67 }, options: { observer } });
    // 50 steps for shaders and pools of buffers; then its slope by least squares.
    await trainer.run().finally(() => trainer.dispose());
    const later = megabytes.slice(50);
    const middle = (later.length - 1) / 2;
    const squares = later.reduce((sum, _, k) => sum + (k - middle) ** 2, 0);
    const slope = later.reduce((sum, rss, k) => sum + (k - middle) * rss, 0) / squares;
    expect(later.length).toBeGreaterThanOrEqual(150);
    // A step that kept its weights and moments would add 12 bytes a parameter.
    expect(trainer.parameterCount * 12).toBeGreaterThan(0.15e6);
    expect(slope, `MB a step; ${megabytes[0]} … ${megabytes.at(-1)}`).toBeLessThan(0.1);
  },
  300_000,
);

it.each(engines)("a learning rate beyond all reason ends the training on the %s engine", async (name) => {
  const engine = await engineNamed(name);
  const error = await failure(trained("autoencoder", { engine, settings: { lr: 1e30 } }));
  // The first step is still one of sound weights.
  expect(error.message).toMatch(/no longer finite .*\n {2}at {3}epoch 1, batch [23]\n/);
});

it("a device that is lost half way ends the training with its error, and the epochs before are kept to go on from", async () => {
  const engine = await engineNamed("compiled");
  let runs = 0;
  const losing: Engine = {
    name: engine.name,
    state: (initial) => engine.state(initial),
    program(...given) {
      const program = engine.program(...given);
      const run: Program["run"] = async (...call) => {
        runs += 1;
        if (runs > 9) throw new ConfigError("the GPU has stopped computing: Device is lost.");
        return program.run(...call);
      };
      return { run, dispose: () => program.dispose() };
    },
  };
  const settings = { max_epochs: 4 };
  const kept: TrainingState[] = [];
  const keeper = { isDue: () => false, keep: (state: TrainingState) => kept.push(state) };
  const lost = trained("autoencoder", { engine: losing, settings, options: { keeper } });
  await expect(lost).rejects.toThrow("the GPU has stopped computing");
  expect(kept.length).toBeGreaterThan(0);
  const whole = await trained("autoencoder", { engine, settings });
  const resumed = await trained("autoencoder", { engine, settings, options: { resumed: kept.at(-1)! } });
  expect(resumed.best!.arrays).toEqual(whole.best!.arrays);
});

it.each(["autoencoder", "emulator"] as const)("batches of the %s in parts give its epoch to rounding", async (kind) => {
  const settings = { max_epochs: 1 };
  const whole = await trained(kind, { engine: await engineFor("compiled"), settings });
  const parted = await trained(kind, { engine: await engineFor("parting"), settings });
  for (const [name, value] of Object.entries(whole.log[0]!.train_loss)) {
    expect(parted.log[0]!.train_loss[name as "total"] / value, name).toBeCloseTo(1, 3);
  }
  // Three steps of Adam later.
  for (const name of ["mean", "std", "max", "dex"] as const) {
    expect(parted.log[0]![name] / whole.log[0]![name], name).toBeCloseTo(1, 2);
  }
  expect(parted.best!.arrays.parameters).not.toEqual(whole.best!.arrays.parameters);
});

it.each(["autoencoder", "emulator"] as const)(
  "a probe of the step changes no bit of the %s's training",
  async (kind) => {
    const engine = await engineNamed("compiled");
    const probed: Engine[] = [];
    const chooseEngine: TrainerOptions<unknown>["chooseEngine"] = async (prepare) => {
      const step = prepare(engine);
      for (let k = 0; k < 3; k++) await step.run();
      await step.dispose();
      probed.push(engine);
      return engine;
    };
    const settings = { max_epochs: 2 };
    const plain = await trained(kind, { engine, settings });
    const idle: Engine = { name: "idle", state: () => expect.unreachable(), program: () => expect.unreachable() };
    expect(await trained(kind, { engine: idle, settings, options: { chooseEngine } })).toEqual(plain);
    expect(probed).toHaveLength(1);
  },
);

describe("the training loop", () => {
  it("ends after max_epochs", async () => {
    const { log, reason } = await scripted({}, { settings: { max_epochs: 2 } });
    expect([log.map(({ epoch }) => epoch), reason]).toEqual([[0, 1], "max_epochs"]);
  });

  it("gives back nothing where no epoch is wanted", async () => {
    expect(await scripted({}, { settings: { max_epochs: 0 } })).toMatchObject({ best: null, log: [] });
  });

  it("writes means over rows and statistics over species into the log", async () => {
    // 16, 16 and 8 rows with losses 1, 2 and 3: (16 + 32 + 24) / 40 = 1.8.
    const { log } = await scripted(
      { step: (index) => ({ total: index + 1 }), validation: () => [1, 2, 3] },
      { settings: { max_epochs: 1 }, options: { now: clockOf(0) } },
    );
    // Species' means 1, 2, 3, 1, 2, 3: mean 2, unbiased variance 4 / 5, maximum 3.
    expect(log[0]).toMatchObject({ epoch: 0, mean: 2, metric: 2, max: 3, improved: true, stagnant_epochs: 0 });
    expect(log[0]!.std).toBeCloseTo(Math.sqrt(0.8), 12);
    expect(log[0]!.train_loss.total).toBeCloseTo(1.8, 6);
    expect(log[0]!.train_loss.conservation).toBeCloseTo(54, 5);
  });

  it("gives back the best weights, not the last ones", async () => {
    const metrics = [5, 2, 1, 3, 4];
    const improved: [Snapshot, EpochRecord][] = [];
    const { best, log } = await scripted(
      { validation: (epoch) => [metrics[epoch]!] },
      {
        settings: { max_epochs: 5 },
        options: { onImproved: (snapshot, record) => improved.push([snapshot, record]) },
      },
    );
    // A step adds one to each parameter: after three epochs of three steps they are 9, at the end 15.
    expect(best).toMatchObject({ epoch: 2, metric: 1, steps: 9 });
    expect([...new Set(best!.arrays.parameters)]).toEqual([9]);
    expect(log.map((record) => record.improved)).toEqual([true, true, true, false, false]);
    expect(log.map((record) => record.stagnant_epochs)).toEqual([0, 0, 0, 1, 2]);
    expect(improved.map(([{ steps }, { epoch }]) => [steps, epoch])).toEqual([
      [3, 0],
      [6, 1],
      [9, 2],
    ]);
    // A snapshot that was handed out stays what it was.
    expect(improved.map(([{ arrays }]) => arrays.parameters![0])).toEqual([3, 6, 9]);
  });

  it("ends without improvement for stagnant_epoch_patience epochs", async () => {
    const { log, reason } = await scripted(
      { validation: (epoch) => [epoch === 0 ? 1 : 2] },
      { settings: { max_epochs: null, stagnant_epoch_patience: 3 } },
    );
    expect([log.length, reason]).toEqual([4, "no improvement"]);
  });

  it("logs the learning rate that the optimizer had, and loads the best weights back", async () => {
    const notes: unknown[] = [];
    const { log, engine } = await scripted(
      { validation: (epoch) => [epoch === 0 ? 1 : 2] },
      {
        settings: { max_epochs: 5, lr: 0.25, lr_decay: 0.5, lr_decay_patience: 1 },
        options: { observer: { note: (message, details) => notes.push([message, details]) } },
      },
    );
    // The second bad epoch is the first beyond the patience of one; two more follow, and the rate is halved again for a sixth.
    expect(log.map(({ learning_rate }) => learning_rate)).toEqual([0.25, 0.25, 0.25, 0.125, 0.125]);
    const used = engine.inputs.map((inputs) => inputs.learning_rate!.data[0]);
    expect(used).toEqual(log.flatMap(({ learning_rate }) => Array(batchesPerEpoch).fill(learning_rate)));
    // 1 / (1 − 0.9^k) and 1 / √(1 − 0.999^k) at the second step.
    expect(engine.inputs[1]!.step_size!.data[0]).toBeCloseTo(0.25 / 0.19, 6);
    expect(engine.inputs[1]!.second_correction!.data[0]).toBeCloseTo(1 / Math.sqrt(0.001999), 4);
    // After the third epoch the weights of the first are back: they had seen three steps.
    expect(engine.found).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 3, 4, 5, 6, 7, 8]);
    expect(notes).toEqual([
      ["best weights loaded back", { epoch: 1 }],
      ["learning rate set", { learning_rate: 0.125 }],
      ["learning rate set", { learning_rate: 0.0625 }],
    ]);
  });

  it("lowers the dropout of the masks when nothing improves, and tells", async () => {
    const notes: unknown[] = [];
    const { log, engine } = await scripted(
      { validation: (epoch) => [epoch === 0 ? 1 : 2] },
      {
        settings: {
          max_epochs: 4,
          dropout: 0.5,
          dropout_decay_patience: 1,
          dropout_reduction_factor: 0.5,
          low_dropout_lr: 1e-4,
        },
        options: { observer: { note: (message, details) => notes.push([message, details]) } },
      },
    );
    expect(log.map(({ dropout, learning_rate }) => [dropout, learning_rate])).toEqual([
      [0.5, 1e-3],
      [0.5, 1e-3],
      [0, 1e-4],
      [0, 1e-4],
    ]);
    // Kept entries are doubled, the others gone; without dropout there are no masks.
    expect([...new Set(engine.inputs[0]!.encoder_mask!.data)].sort()).toEqual([0, 2]);
    expect(engine.inputs[5]).toHaveProperty("decoder_mask");
    expect(engine.inputs[6]).not.toHaveProperty("encoder_mask");
    expect(engine.inputs[6]!.noise!.shape).toEqual([16, 2]);
    expect(notes).toEqual([
      ["dropout lowered", { dropout: 0 }],
      ["learning rate set", { learning_rate: 1e-4 }],
    ]);
  });

  it("hands its masks and noise out anew in each epoch", async () => {
    const { engine } = await scripted({}, { settings: { max_epochs: 2 } });
    const [first, second] = [engine.inputs[0]!, engine.inputs[batchesPerEpoch]!];
    expect(second.noise!.data).not.toEqual(first.noise!.data);
    expect(second.features!.data).not.toEqual(first.features!.data);
  });
});

/** A clock that a test moves: seconds pass only where `tick` is called. */
function movedClock(): { now: () => number; tick: (seconds: number) => void } {
  let time = 1e12;
  return {
    now: () => time,
    tick: (seconds) => {
      time += 1000 * seconds;
    },
  };
}

function clockOf(time: number): () => number {
  return () => time;
}

describe("max_minutes", () => {
  /** Steps of ten seconds, validations of none: epochs of half a minute. */
  async function within(max_minutes: number): Promise<TrainingOutcome> {
    const { now, tick } = movedClock();
    return scripted({ afterStep: () => tick(10) }, { settings: { max_epochs: null, max_minutes }, options: { now } });
  }

  it("ends before an epoch that would not fit any more", async () => {
    const { log, reason } = await within(1);
    expect([log.length, reason]).toEqual([2, "max_minutes"]);
    expect(log[1]).toMatchObject({ seconds_training: 30, seconds_validation: 0 });
    // 40 rows in 30 seconds.
    expect(log[1]!.items_per_second).toBeCloseTo(4 / 3, 12);
    expect((await within(0.9)).log).toHaveLength(1);
  });

  it("cuts an epoch short that does not fit at all, and still validates it", async () => {
    const { best, log, reason } = await within(1 / 12);
    expect([log.length, reason, best!.steps]).toEqual([1, "max_minutes", 1]);
    expect(log[0]!.seconds_training).toBe(10);
  });
});

describe("an interruption", () => {
  /** Aborts after a training step. */
  async function interruptedAfter(step: number) {
    const controller = new AbortController();
    return scripted(
      { afterStep: (index) => index === step && controller.abort() },
      { options: { signal: controller.signal } },
    );
  }

  it("ends after the step under way, without the unfinished epoch", async () => {
    const { best, log, reason, engine } = await interruptedAfter(4);
    expect([log.length, reason, best!.epoch, best!.steps]).toEqual([1, "interrupted", 0, 3]);
    expect(engine.inputs).toHaveLength(5);
  });

  it("in the first epoch leaves no best weights", async () => {
    expect(await interruptedAfter(0)).toMatchObject({ best: null, log: [], reason: "interrupted" });
  });

  it("in the last step of an epoch leaves that epoch out", async () => {
    expect(await interruptedAfter(batchesPerEpoch - 1)).toMatchObject({ best: null, log: [], reason: "interrupted" });
  });

  it("in a validation keeps the epoch", async () => {
    const controller = new AbortController();
    const observer = { validationStarted: () => controller.abort() };
    const { log, reason } = await scripted({}, { options: { observer, signal: controller.signal } });
    expect([log.length, reason]).toEqual([1, "interrupted"]);
  });
});

describe("numbers that are no longer finite", () => {
  async function failedAt(script: Script) {
    const improved: Snapshot[] = [];
    const error = await failure(scripted(script, { options: { onImproved: (best) => improved.push(best) } }));
    return { error, improved };
  }

  it("are told with epoch and batch; the best weights stay as they were", async () => {
    const { error, improved } = await failedAt({ step: (index) => ({ total: index === 4 ? Number.NaN : 1 }) });
    expect(error.exitCode).toBe(5);
    expect(error.message).toMatchInlineSnapshot(`
      "the training loss is no longer finite (NaN)
        at   epoch 2, batch 2
        fix  lower model.lr or model.gradient_clipping; the best weights so far are unchanged"
    `);
    expect(improved.map(({ arrays, steps }) => [arrays.parameters![0], steps])).toEqual([[3, 3]]);
  });

  it("are found in the gradient too, whose norm would turn every weight to nothing", async () => {
    const { error } = await failedAt({
      step: (index) => ({ gradient_norm: index === 2 ? Number.POSITIVE_INFINITY : 1 }),
    });
    expect(error.message).toMatchInlineSnapshot(`
      "the norm of the gradient is no longer finite (Infinity)
        at   epoch 1, batch 3
        fix  lower model.lr or model.gradient_clipping; the best weights so far are unchanged"
    `);
  });

  it("are found in the validation", async () => {
    const { error, improved } = await failedAt({ validation: (epoch) => [epoch === 1 ? Number.NaN : 1] });
    expect(error.message).toMatchInlineSnapshot(`
      "the validation error is not a number
        at   epoch 2, validation
        fix  lower model.lr; the best weights so far are unchanged"
    `);
    expect(improved).toHaveLength(1);
  });

  it("of a validation error that overflows are no improvement, but no end either", async () => {
    const { log, best } = await scripted(
      { validation: (epoch) => [epoch === 0 ? 1 : Number.POSITIVE_INFINITY] },
      { settings: { max_epochs: 2 } },
    );
    expect(log[1]).toMatchObject({ improved: false, mean: Number.POSITIVE_INFINITY });
    expect(best!.epoch).toBe(0);
  });
});

/** A state as the file of a checkpoint gives it back. */
function throughFile(state: TrainingState): TrainingState {
  const { tensors, metadata } = encodeCheckpoint({ origin: {}, config: null, state });
  const bytes = Buffer.concat(encodeSafetensors(tensors, metadata));
  return decodeCheckpoint("a checkpoint", decodeSafetensors(bytes, "a checkpoint")).state;
}

/** Restless: at each epoch that is no improvement the best weights come back and the rate decays; at two the dropout falls. */
const restless = { lr: 0.3, lr_decay_patience: 0, dropout_decay_patience: 2, max_epochs: 8 };
const recipes = cases.flatMap(([kind, name]) => [
  { kind, name, recipe: "original" as const, settings: restless },
  { kind, name, recipe: "curriculum" as const, settings: { max_epochs: null, skip_overflow: true } },
]);

describe.each(recipes)("resuming the $kind on the $name engine, recipe $recipe", ({ kind, name, recipe, settings }) => {
  it("gives the same bits from within an epoch, within a validation and between two epochs", async () => {
    const engine = await engineFor(name);
    const states: TrainingState[] = [];
    const keeper = { isDue: () => true, keep: (state: TrainingState) => void states.push(throughFile(state)) };
    const options = { now: clockOf(0), keeper };
    const whole = await trained(kind, { engine, recipe, settings, options });
    if (recipe === "original") expect(whole.log.some(({ improved }) => !improved)).toBe(true);
    expect(new Set(whole.log.map(({ learning_rate }) => learning_rate)).size).toBeGreaterThan(1);
    // Two to four steps, a validation of one or three batches, and the end, each epoch.
    expect(states.length).toBeGreaterThanOrEqual(2 * 6 + 3 * 4);
    for (const resumed of states.filter((_, i) => i % 4 === 0)) {
      const { values } = resumed;
      const outcome = await trained(kind, { engine, recipe, settings, options: { now: clockOf(0), resumed } });
      expect(outcome, `epoch ${values.epoch}, ${JSON.stringify(values.position)}`).toEqual(whole);
    }
  });

  it("goes on from an interruption at any step as if there had been none", async () => {
    const engine = await engineFor(name);
    const whole = await trained(kind, { engine, recipe, settings, options: { now: clockOf(0) } });
    let resumed: TrainingState | undefined;
    const reasons: string[] = [];
    // Interrupted at every fourth step, over and over.
    while (reasons.at(-1) !== whole.reason) {
      const controller = new AbortController();
      let steps = 0;
      const observer = {
        batchDone: () => {
          steps += 1;
          if (steps === 4) controller.abort();
        },
      };
      const keep = (state: TrainingState): void => {
        resumed = throughFile(state);
      };
      const keeper = { isDue: () => false, keep };
      const options = { now: clockOf(0), signal: controller.signal, observer, keeper, resumed };
      const outcome = await trained(kind, { engine, recipe, settings, options });
      reasons.push(outcome.reason);
      if (outcome.reason === whole.reason) expect(outcome).toEqual(whole);
    }
    // 24 steps and 14: the last one is an interruption, too.
    expect(reasons).toHaveLength(recipe === "original" ? 7 : 4);
  });
});

describe("a resumed training", () => {
  const end = async (settings: Partial<TrainerSettings>, resumed?: TrainingState) => {
    let last: TrainingState | undefined;
    const keep = (state: TrainingState): void => {
      last = state;
    };
    const keeper = { isDue: () => false, keep };
    const { now, tick } = movedClock();
    const script = { afterStep: () => tick(10), validation: () => [1] };
    const outcome = await scripted(script, { settings, options: { now, keeper, resumed } });
    return { ...outcome, last };
  };

  it("that had ended has nothing left to do", async () => {
    const first = await end({ max_epochs: 2 });
    const again = await end({ max_epochs: 2 }, first.last);
    expect(again.engine.inputs).toHaveLength(0);
    expect(again).toMatchObject({ reason: "max_epochs", log: first.log, best: first.best, steps: 6 });
    const tired = await end({ stagnant_epoch_patience: 2 });
    expect(await end({ stagnant_epoch_patience: 2 }, tired.last)).toMatchObject({ reason: "no improvement" });
  });

  it("goes on where the limit that ended it has been raised", async () => {
    const { last } = await end({ max_epochs: 2 });
    expect((await end({ max_epochs: 3 }, last)).log).toHaveLength(3);
    // Epochs of half a minute: two fit into one, three into one and a half.
    const timed = await end({ max_epochs: null, max_minutes: 1 });
    expect([timed.log.length, timed.reason]).toEqual([2, "max_minutes"]);
    const same = await end({ max_epochs: null, max_minutes: 1 }, timed.last);
    expect([same.log.length, same.reason]).toEqual([2, "max_minutes"]);
    expect((await end({ max_epochs: null, max_minutes: 1.5 }, timed.last)).log).toHaveLength(3);
  });

  it("refuses the state of another model", async () => {
    const { last } = await end({ max_epochs: 1 });
    const arrays = { ...last!.arrays, "state/parameters": new Float32Array(3) };
    const thrown = await end({ max_epochs: 2 }, { ...last!, arrays }).catch((error: Error) => error.message);
    expect(thrown).toContain("the array state/parameters has 3 entries, not");
  });
});

it("maxSteps ends a training within an epoch, which is validated", async () => {
  const { log, steps, best, reason } = await scripted({}, { settings: { max_epochs: 2 }, options: { maxSteps: 4 } });
  expect([log.length, steps, best!.steps, reason]).toEqual([2, 4, 3, "max_epochs"]);
});

describe("phases", () => {
  const phase = (changed: Partial<AutoencoderPhase>): AutoencoderPhase => ({
    ...original.autoencoder,
    schedule: "cosine",
    warm_up: 0,
    ...changed,
  });
  const endless = { max_epochs: null };

  it("follow each other, each with its own learning rates, the best of all being kept", async () => {
    const { log, best, reason, engine } = await scripted(
      { validation: (epoch) => [[3, 1, 2][epoch]!] },
      {
        settings: { ...endless, lr: 1 },
        phases: [phase({ epochs: 2, epoch_steps: 2 }), phase({ epochs: 1, lr_scale: 2 })],
      },
    );
    expect(reason).toBe("end of the recipe");
    expect(log.map(({ epoch, phase: index, improved }) => [epoch, index, improved])).toEqual([
      [0, 0, true],
      [1, 0, true],
      [2, 1, false],
    ]);
    expect(best).toMatchObject({ epoch: 1, metric: 1, steps: 4 });
    // Four steps of half a cosine from 1, then three of one from 2; a rate is that of the step's beginning.
    const cosine = (share: number): number => (1 + Math.cos(Math.PI * share)) / 2;
    const expected = [...[0, 1, 2, 3].map((k) => cosine(k / 4)), ...[0, 1, 2].map((k) => 2 * cosine(k / 3))];
    const rates = engine.inputs.map((inputs) => inputs.learning_rate!.data[0]!);
    for (const [i, rate] of rates.entries()) expect(rate).toBeCloseTo(expected[i]!, 6);
    expect(rates).toHaveLength(7);
    expect(log.map(({ learning_rate }) => learning_rate)).toEqual(
      [1, 3, 6].map((i) => expect.closeTo(expected[i]!, 12)),
    );
  });

  it("share max_minutes, and every schedule ends when its part does", async () => {
    const { now, tick } = movedClock();
    // Steps of ten seconds; two minutes, a quarter of it for the first phase.
    const { log, reason, engine } = await scripted(
      { afterStep: () => tick(10) },
      {
        settings: { ...endless, max_minutes: 2, lr: 1 },
        options: { now },
        phases: [phase({ epochs: 50, epoch_steps: 2 }), phase({ epochs: 50, epoch_steps: 100, share: 3 })],
      },
    );
    expect(reason).toBe("max_minutes");
    // Phases end after the first step beyond their time, at 40 and at 130 seconds.
    expect(log.map(({ phase: index }) => index)).toEqual([0, 0, 1]);
    const rates = engine.inputs.map((inputs) => inputs.learning_rate!.data[0]!);
    expect(rates).toHaveLength(13);
    expect(rates[0]).toBe(1);
    expect(rates[3]).toBeCloseTo(0, 6);
    expect(rates[12]).toBeCloseTo(0, 6);
  });

  it("keep the mean of the weights where it is wanted, and go on from it", async () => {
    const { best, engine } = await scripted(
      { validation: () => [1] },
      {
        settings: endless,
        phases: [phase({ epochs: 1, epoch_steps: 2, averaging: 0.5 }), phase({ epochs: 1, epoch_steps: 1 })],
      },
    );
    // Weights 1 and 2 after the two steps; the young mean keeps a tenth of the first: 1.9.
    expect(best!.arrays.parameters![0]).toBeCloseTo(1.9, 6);
    expect(engine.found[2]).toBeCloseTo(1.9, 6);
  });

  it("leave steps out that overflow, count them, and end where there is nothing else", async () => {
    const notes: unknown[] = [];
    const { log } = await scripted(
      { step: (index) => ({ total: index + 1, gradient_norm: index === 1 ? Number.POSITIVE_INFINITY : 1 }) },
      {
        settings: { max_epochs: 1, skip_overflow: true },
        options: { observer: { note: (message, details) => notes.push([message, details]) } },
      },
    );
    expect(log[0]!.skipped_steps).toBe(1);
    // The losses 1 of 16 rows and 3 of 8: the second was left out.
    expect(log[0]!.train_loss.total).toBeCloseTo((16 + 24) / 24, 6);
    expect(notes).toEqual([["steps left out, their gradients were not finite", { steps: 1 }]]);
    const error = await failure(
      scripted({ step: () => ({ gradient_norm: Number.NaN }) }, { settings: { ...endless, skip_overflow: true } }),
    );
    expect(error.message).toContain("the norm of the gradient is no longer finite (NaN)\n  at   epoch 17, batch 2\n");
  });

  it("choose the best epoch by the error in dex where the recipe says so", async () => {
    const { log, best } = await scripted(
      { validation: (epoch) => [[4, 9][epoch]!] },
      { settings: { max_epochs: 2, metric: "dex" } },
    );
    // The scripted engine's errors in dex: the root of the sums 4 · 16 and 9 · 16, over 16 rows.
    expect(log.map(({ dex, metric }) => [dex, metric])).toEqual([
      [0.5, 0.5],
      [0.75, 0.75],
    ]);
    expect(best!.metric).toBe(0.5);
  });
});
