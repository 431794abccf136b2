import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { Interruption } from "../../src/commands/interruption.ts";
import { main } from "../../src/commands/main.ts";
import { withLock } from "../../src/formats/lock.ts";
import { joinMembers, memberOf } from "../../src/models/members.ts";
import { type EmulatorWeights, readAutoencoder, readEmulator, writeEmulator } from "../../src/models/weights-file.ts";
import { readCheckpoint } from "../../src/training/checkpoint.ts";
import type { EpochRecord } from "../../src/training/observer.ts";
import { writeClean } from "../data/clean-sample.ts";
import { readEvents } from "../helpers/event-files.ts";
import { testFolder } from "../helpers/folder.ts";
import { Buffered, temporaryFolder } from "./buffers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const program = process.env.ASTROCHEM_SKIP_BUILD
  ? ["--import", import.meta.resolve("tsx"), join(root, "src/cli.ts")]
  : [join(root, "dist/cli.js")];
/** Of the clean sample. */
const species = ["H", "H2", "CO"];
const dataset = [
  ...["dataset.dataset_path=clean.h5", "dataset.species_path=species.txt", "dataset.phys=[Density, Av]"],
  "~dataset.physical_parameter_ranges",
  "+dataset.physical_parameter_ranges={Density: [1e-9, 1], Av: [1e-9, 1]}",
];
const common = [...dataset, "recipe=original", "model.batch_size=4", "model.max_epochs=5", "threads=1"];
const words = {
  "train-autoencoder": [...common, "model.hidden_dims=[4,3]", "model.latent_dim=2"],
  "train-emulator": [...common, "autoencoder.latent_dim=2", "model.hidden_dim=4", "model.window_size=3"],
};
type Kind = keyof typeof words;
const weightsOf = {
  "train-autoencoder": "weights/grav/autoencoder",
  "train-emulator": "weights/grav/emulator",
} as const;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command in this process. @param interruptAt aborts once stderr holds that text */
async function command(
  args: readonly string[],
  cwd: string,
  { interruptAt, checkpointAt }: { interruptAt?: string; checkpointAt?: string } = {},
): Promise<Outcome> {
  const [stdout, stderr, controller] = [new Buffered(), new Buffered(), new AbortController()];
  let isAsked = false;
  const now = (): Date => {
    // The clock is read at each step.
    if (interruptAt !== undefined && stderr.text.includes(interruptAt)) controller.abort(new Interruption("SIGTERM"));
    return new Date();
  };
  const takeCheckpointRequest = (): boolean => {
    const isDue = checkpointAt !== undefined && !isAsked && stderr.text.includes(checkpointAt);
    isAsked ||= isDue;
    return isDue;
  };
  const signal = controller.signal;
  const code = await main(args, { cwd, env: {}, now, stdout, stderr, signal, takeCheckpointRequest });
  return { code, stdout: stdout.text.replaceAll(cwd, "…"), stderr: stderr.text.replaceAll(cwd, "…") };
}

const made = testFolder();

beforeAll(async () => {
  await writeClean(made, "clean.h5", { tracers: [7, 6, 8] }, { tracers: [6] });
  writeFileSync(join(made, "species.txt"), `${species.join("\n")}\n`);
  for (const kind of ["train-autoencoder", "train-emulator"] as const) {
    const { code, stderr } = await command([kind, ...words[kind]], made);
    expect(code, stderr).toBe(0);
  }
});

/** A folder with the data, and the autoencoder's weights for the emulator. */
function folderFor(kind: Kind): string {
  const cwd = temporaryFolder();
  for (const name of ["clean.h5", "species.txt"]) cpSync(join(made, name), join(cwd, name));
  mkdirSync(join(cwd, "weights/grav"), { recursive: true });
  if (kind === "train-emulator")
    cpSync(join(made, "weights/grav/autoencoder.safetensors"), join(cwd, "weights/grav/autoencoder.safetensors"));
  return cwd;
}

function runsIn(cwd: string): string[] {
  const outputs = join(cwd, "outputs");
  return readdirSync(outputs).flatMap((day) => readdirSync(join(outputs, day)).map((run) => join(outputs, day, run)));
}

function json(path: string): Record<string, unknown> {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** The epochs of a log without their times. */
function epochsIn(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8").replace(/"(seconds_\w+|items_per_second)": ?[^,\n}]+/g, '"time": 0'));
}

function expectSame(cwd: string, kind: Kind): void {
  const weights = `${weightsOf[kind]}.safetensors`;
  expect(readFileSync(join(cwd, weights)).equals(readFileSync(join(made, weights)))).toBe(true);
  const log = `${weightsOf[kind]}.json`;
  expect(epochsIn(join(cwd, log))).toEqual(epochsIn(join(made, log)));
}

/** Each epoch once, with the numbers of `epochs.jsonl`, in one file a session. */
function expectEvents(run: string, files: number): void {
  const events = readEvents(run);
  expect(new Set(events.map(({ file }) => file)).size).toBe(files);
  const epochs = events.filter(({ scalars }) => Object.keys(scalars).length > 0);
  const records = readFileSync(join(run, "epochs.jsonl"), "utf8").trimEnd().split("\n");
  expect(epochs.map(({ step }) => step)).toEqual(records.map((_, i) => i + 1));
  const last = JSON.parse(records.at(-1)!);
  expect(epochs.at(-1)!.scalars).toMatchObject({
    "train_loss/total": Math.fround(last.train_loss.total),
    "validation/dex": Math.fround(last.dex),
    "training/learning_rate": Math.fround(last.learning_rate),
    "training/items_per_second": Math.fround(last.items_per_second),
  });
  const texts = events.flatMap(({ texts }) => texts.hyperparameters ?? []);
  expect(texts).toContainEqual(expect.stringContaining("| model.batch_size | 4 |"));
}

const kinds = ["train-autoencoder", "train-emulator"] as const;

describe.each(kinds)("%s --resume", (kind) => {
  it("goes on with the newest unfinished run, in its folder, to the same bits", async () => {
    const cwd = folderFor(kind);
    const begun = [kind, ...words[kind], "logger.tensorboard=true"];
    const first = await command(begun, cwd, { interruptAt: "epoch 2/" });
    expect([first.code, first.stderr]).toEqual([
      143,
      expect.stringContaining(`go on with: astrochem ${kind} --resume`),
    ]);
    const [run] = runsIn(cwd) as [string];
    expect(json(join(run, "summary.json")).outcome).toBe("interrupted");
    const { state } = readCheckpoint(join(run, "checkpoints/last.safetensors"));
    expect([state.values.epoch, state.values.position?.batch]).toEqual([2, 1]);
    // A second time, to be sure that what was resumed can be resumed.
    expect((await command([...begun, "--resume"], cwd, { interruptAt: "epoch 4/" })).code).toBe(143);
    const last = await command([...begun, "--resume"], cwd);
    expect([last.code, last.stderr]).toEqual([0, expect.stringContaining("going on with outputs/")]);
    expectSame(cwd, kind);
    expect(runsIn(cwd)).toEqual([run]);
    const lines = readFileSync(join(run, "epochs.jsonl"), "utf8").trimEnd().split("\n");
    // The same records as beside the weights: those of earlier sessions, too.
    expect(lines.map((line) => JSON.parse(line))).toEqual(json(join(cwd, `${weightsOf[kind]}.json`)));
    expect(lines).toHaveLength(5);
    expect(json(join(run, "summary.json"))).toMatchObject({ outcome: "completed", epochs: 5 });
    expect(json(join(run, "environment.json")).sessions).toHaveLength(2);
    expect(readdirSync(run).filter((name) => name.startsWith("."))).toEqual([]);
    expectEvents(run, 3);
  });

  it("logs nothing twice where the last epochs were logged, and their checkpoint is lost", async () => {
    const cwd = folderFor(kind);
    const begun = [kind, ...words[kind], "logger.tensorboard=true", "run_dir=run"];
    await command(begun, cwd, { interruptAt: "epoch 3/" });
    rmSync(join(cwd, "run/checkpoints"), { recursive: true });
    const { code, stderr } = await command([...begun, "--resume", "run"], cwd);
    expect([code, stderr]).toEqual([0, expect.stringContaining("it begins again")]);
    expect(readFileSync(join(cwd, "run/epochs.jsonl"), "utf8").trimEnd().split("\n")).toHaveLength(5);
    expectEvents(join(cwd, "run"), 2);
    // A new run leaves nothing of the earlier one; the logger is of no account for what is resumed.
    await command([kind, ...words[kind], "run_dir=run"], cwd, { interruptAt: "epoch 3/" });
    expect(readEvents(join(cwd, "run"))).toEqual([]);
    expect((await command([...begun, "--resume"], cwd)).code).toBe(0);
    expect(new Set(readEvents(join(cwd, "run")).map(({ step }) => step))).toEqual(new Set([0, 4, 5]));
    expectSame(cwd, kind);
  });

  it("DIR takes the run's own configuration from anywhere, with limits raised on top", async () => {
    const cwd = folderFor(kind);
    const short = [kind, ...words[kind], "model.max_epochs=3"];
    expect((await command(short, cwd, { interruptAt: "epoch 2/" })).code).toBe(143);
    const [run] = runsIn(cwd) as [string];
    const { code, stderr } = await command([kind, "--resume", run, "model.max_epochs=5"], temporaryFolder());
    expect(code, stderr).toBe(0);
    expectSame(cwd, kind);
    // It has ended; raising its limit further goes on all the same.
    expect((await command([kind, "--resume", run, "model.max_epochs=6"], cwd)).code).toBe(0);
    expect(json(join(run, "summary.json")).epochs).toBe(6);
  });

  it("DIR takes the words that began the run as well, and refuses others by name", async () => {
    const cwd = folderFor(kind);
    const begun = [kind, ...words[kind]];
    expect((await command([...begun, "run_dir=run"], cwd, { interruptAt: "epoch 2/" })).code).toBe(143);
    const other = await command([...begun, "recipe=curriculum", "--resume", "run"], cwd);
    expect([other.code, other.stderr]).toEqual([
      4,
      expect.stringMatching(/cannot change within a run: .*recipe\.name/),
    ]);
    const { code, stderr } = await command([...begun, "--resume", "run"], cwd);
    expect(code, stderr).toBe(0);
    expectSame(cwd, kind);
  });

  it("begins from `best` too, which holds the weights and all of the training", async () => {
    const cwd = folderFor(kind);
    await command([kind, ...words[kind]], cwd, { interruptAt: "epoch 3/" });
    const [run] = runsIn(cwd) as [string];
    const best = join(run, "checkpoints/best.safetensors");
    const { state } = readCheckpoint(best);
    expect(state.values.best!.epoch).toBe(state.values.epoch - 1);
    expect((await command([kind, "--resume", best], cwd)).code).toBe(0);
    expectSame(cwd, kind);
  });
});

describe("--pause-after", () => {
  it.each(kinds)("%s pauses after so many epochs, and goes on to the same bits", async (kind) => {
    const cwd = folderFor(kind);
    const args = [kind, ...words[kind], "run_dir=run"];
    const epochs = () => readFileSync(join(cwd, "run/epochs.jsonl"), "utf8").trim().split("\n");
    expect((await command([...args, "--pause-after", "2"], cwd)).code).toBe(0);
    expect(json(join(cwd, "run/summary.json"))).toMatchObject({ outcome: "interrupted", epochs: 2 });
    expect(existsSync(join(cwd, `${weightsOf[kind]}.safetensors`))).toBe(false);
    const second = await command([kind, "--resume", "run", "--pause-after", "3"], cwd);
    expect([second.code, second.stdout, epochs().length]).toEqual([
      0,
      expect.stringContaining("ended: interrupted"),
      3,
    ]);
    const third = await command([kind, "--resume", "run"], cwd);
    expect([third.code, epochs().length]).toEqual([0, 5]);
    expect(json(join(cwd, "run/summary.json"))).toMatchObject({ outcome: "completed" });
    expectSame(cwd, kind);
  });

  it("is a number of epochs", async () => {
    const { code, stderr } = await command(["train-autoencoder", "--pause-after", "0"], temporaryFolder());
    expect([code, stderr]).toEqual([2, expect.stringContaining("--pause-after is no number of epochs")]);
  });
});

describe("train-emulator members=2", () => {
  const kind = "train-emulator";
  // A calibration belongs to the whole, not to a member.
  const one = [kind, ...words[kind], "calibrate=false"];
  const args = [...one, "members=2"];
  const [weights, log] = ["weights/grav/emulator.safetensors", "weights/grav/emulator.json"];
  const ensembleIn = (cwd: string) => readEmulator(join(cwd, weights));
  /** Those of a training by itself. */
  const alone: EmulatorWeights[] = [];

  beforeAll(async () => {
    for (const seed of [0, 1]) {
      const own = `model.save_model_path=alone/${seed}.safetensors`;
      const { code, stderr } = await command([...one, `seed=${seed}`, own], made);
      expect(code, stderr).toBe(0);
      alone.push(readEmulator(join(made, `alone/${seed}.safetensors`)));
    }
  });

  it("trains what two trainings of these seeds train; killed half way, only the member under way goes on", async () => {
    const cwd = folderFor(kind);
    const killed = await command(args, cwd, { interruptAt: "member 2 of 2" });
    expect([killed.code, killed.stderr]).toEqual([143, expect.stringContaining("member 1 of 2, seed 0")]);
    expect(existsSync(join(cwd, weights))).toBe(false);
    const [run] = runsIn(cwd) as [string];
    const again = await command([kind, "--resume", run], cwd, { interruptAt: "epoch 3/" });
    expect([again.code, again.stderr]).toEqual([143, expect.stringContaining("member 1 of 2, seed 0: trained before")]);
    const last = await command([...args, "--resume"], cwd);
    expect(last.code, last.stderr).toBe(0);
    expect(last.stderr).not.toContain("epoch 1/");
    expect(last.stdout).toMatch(/^2 members, .*member 1: best .*member 2: best /);
    expect([0, 1].map((m) => memberOf(ensembleIn(cwd), m))).toEqual(alone);
    const records = json(join(cwd, log)) as unknown as EpochRecord[];
    expect(records.map(({ member, epoch }) => [member, epoch])).toEqual(
      [0, 1].flatMap((member) => [0, 1, 2, 3, 4].map((epoch) => [member, epoch])),
    );
    const lines = readFileSync(join(run, "epochs.jsonl"), "utf8").trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual(records);
    expect(json(join(run, "summary.json"))).toMatchObject({ outcome: "completed", epochs: 10, members: [{}, {}] });
    const reproduced = await command(["reproduce", run], cwd);
    expect([reproduced.code, reproduced.stdout], reproduced.stderr).toEqual([
      0,
      expect.stringMatching(/^weights: the same bits\nepochs: the same numbers\n/),
    ]);
  });

  it("gets more members later: those that are there are not trained again", async () => {
    const cwd = folderFor(kind);
    expect((await command([...one, "run_dir=run"], cwd)).code).toBe(0);
    const more = await command([kind, "--resume", "run", "members=2"], cwd);
    expect(more.code, more.stderr).toBe(0);
    expect([0, 1].map((m) => memberOf(ensembleIn(cwd), m))).toEqual(alone);
  });

  it("starts each from its own weights with --warm-start, or all from one; other numbers are refused", async () => {
    const cwd = folderFor(kind);
    writeEmulator(join(cwd, "two.safetensors"), joinMembers(alone, ["", ""]));
    const from = ["--warm-start", "model.pretrained_model_path=two.safetensors", "model.max_epochs=1"];
    const refused = await command([...args, "members=3", ...from], cwd);
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining("holds an ensemble of 2, not 3")]);
    expect(refused.stderr).toContain("members=2: each goes on from its own weights");
    const { code, stderr } = await command([...args, ...from], cwd);
    expect(code, stderr).toBe(0);
    const second = memberOf(ensembleIn(cwd), 1);
    writeEmulator(join(cwd, "one.safetensors"), alone[1]!);
    const single = await command([...one, "seed=1", ...from, "model.pretrained_model_path=one.safetensors"], cwd);
    expect(single.code, single.stderr).toBe(0);
    expect(second).toEqual(ensembleIn(cwd));
  });
});

describe("--resume", () => {
  const kind = "train-autoencoder";
  const args = [kind, ...words[kind]];

  it("is an error where there is nothing to go on with, that names the nearest run; or begins anew where that is asked for", async () => {
    const cwd = folderFor(kind);
    const nothing = await command([...args, "--resume"], cwd);
    expect([nothing.code, nothing.stderr]).toEqual([2, expect.stringContaining("(no run is there)")]);
    expect(existsSync(join(cwd, "outputs"))).toBe(false);
    const fresh = await command([...args, "--resume-or-fresh"], cwd);
    expect([fresh.code, fresh.stderr]).toEqual([0, expect.stringContaining("has a checkpoint: beginning anew")]);
    expectSame(cwd, kind);
    const ended = await command([...args, "--resume"], cwd);
    expect([ended.code, ended.stderr]).toEqual([
      2,
      expect.stringMatching(/the nearest, outputs\/\S+, has completed\n/),
    ]);
    await command([...args, "seed=3", "model.lr=0.5"], cwd, { interruptAt: "epoch 2/" });
    await command([...args, "seed=3"], cwd, { interruptAt: "epoch 2/" });
    const other = await command([...args, "--resume"], cwd);
    expect([other.code, other.stderr.replace(/outputs\S+/g, "RUN")]).toEqual([
      2,
      expect.stringContaining("the nearest, RUN is unfinished and differs in seed (3 there, 0 here)\n"),
    ]);
    expect(other.stderr).toMatch(/fix {2}astrochem train-autoencoder --resume outputs\S+ goes on with it/);
    const again = await command([...args, "seed=3", "--resume-or-fresh"], cwd);
    expect([again.code, again.stderr]).toEqual([0, expect.stringContaining("going on with outputs/")]);
  });

  it("refuses what does not belong together, and says why", async () => {
    const cwd = folderFor(kind);
    await command([...args, "run_dir=run"], cwd, { interruptAt: "epoch 2/" });
    const told: string[] = [];
    const cases = [
      [kind, "--resume", "run", "model.lr=0.5", "seed=1"],
      ["train-emulator", "--resume", "run"],
      [kind, "--resume", "weights"],
      [kind, "--resume", "--fresh"],
      [kind, "--resume", "run", "--fresh"],
    ];
    for (const each of cases) {
      const { code, stderr } = await command(each, cwd);
      told.push(`${code} ${stderr.slice(stderr.indexOf("error:"))}`);
    }
    await writeClean(cwd, "clean.h5", { tracers: [8, 6, 8] }, { tracers: [6] });
    const { code, stderr } = await command([kind, "--resume", "run"], cwd);
    told.push(`${code} ${stderr.slice(stderr.indexOf("error:")).replace(/"[0-9a-f]{11}…/g, '"…')}`);
    expect(told.join("")).toMatchInlineSnapshot(`
      "4 error: these keys cannot change within a run: model.lr, seed
        at   …/run/checkpoints/last.safetensors
        fix  leave them as they were, or begin a new run from the weights: --warm-start
      2 error: --resume …/run: that is a run of train-autoencoder
        fix  astrochem train-autoencoder --resume …/run
      2 error: --resume …/weights: no run of astrochem is there
        at   …/weights
        fix  give the folder of a run (outputs/<date>/<time>-<command>), or --resume alone for the newest unfinished one
      2 error: --resume and --fresh exclude each other
        fix  give one
      2 error: --resume and --fresh exclude each other
        fix  give one
      4 error: …/run/checkpoints/last.safetensors was made with another dataset ("… there, "… here)
        at   …/run/checkpoints/last.safetensors
        fix  restore what it was made with, or start anew without --resume
      "
    `);
  });

  it("writes a checkpoint when asked for one, and goes on", async () => {
    const cwd = folderFor(kind);
    const { code, stderr } = await command(args, cwd, { checkpointAt: "epoch 2/" });
    expect(code).toBe(0);
    expect(stderr.match(/checkpoint as asked for: …\/outputs\/.*last\.safetensors/g)).toHaveLength(1);
    expectSame(cwd, kind);
  });

  it("can follow real signals: SIGUSR1 goes on, the second SIGINT quits at once", async () => {
    const cwd = folderFor(kind);
    const endless = ["model.max_epochs=null", "model.stagnant_epoch_patience=1000000"];
    const child = spawn(process.execPath, [...program, ...args, ...endless], { cwd });
    const steps: [RegExp, NodeJS.Signals][] = [
      [/\nepoch 2 /, "SIGUSR1"],
      [/checkpoint as asked for/, "SIGINT"],
      [/SIGINT: ending after this step/, "SIGINT"],
    ];
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
      while (steps.length > 0 && steps[0]![0].test(stderr)) child.kill(steps.shift()![1]);
    });
    const code = await new Promise((done) => child.on("close", done));
    expect([code, steps], stderr).toEqual([130, []]);
    expect(stderr).not.toContain("Debugger");
    const [run] = runsIn(cwd) as [string];
    expect(readCheckpoint(join(run, "checkpoints/last.safetensors")).state.values.epoch).toBeGreaterThanOrEqual(2);
    const left = readdirSync(cwd, { recursive: true, encoding: "utf8" });
    expect(left.filter((name) => /\.(part|lock)$/.test(name))).toEqual([]);
  });

  it("keeps the weights of an interrupted autoencoder ready for use", async () => {
    const cwd = folderFor(kind);
    await command(args, cwd, { interruptAt: "epoch 2/" });
    const [run] = runsIn(cwd) as [string];
    const best = join(run, "checkpoints/best.safetensors");
    expect(readAutoencoder(best).latent_range).not.toBeNull();
    expect(readCheckpoint(best).state.values.best).not.toBeNull();
  });
});

describe("locks", () => {
  const args = ["train-autoencoder", ...words["train-autoencoder"]];

  it("keep two runs from writing the same weights", async () => {
    const cwd = folderFor("train-autoencoder");
    const holder = { holder: "another training writes it" };
    const lock = join(cwd, "weights/grav/autoencoder.safetensors.lock");
    const { code, stderr } = await withLock(lock, holder, () => command(args, cwd));
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(
        /error: another run writes …\/weights\/grav\/autoencoder\.safetensors \(process \d+ on .*\)/,
      ),
    ]);
    expect(existsSync(join(cwd, "weights/grav/autoencoder.safetensors"))).toBe(false);
  });

  it("let a training wait for a cache that another run makes", async () => {
    const cwd = folderFor("train-autoencoder");
    const cache = join(cwd, "data/autoencoder_train_preprocessed.h5");
    let training: Promise<Outcome> | undefined;
    await withLock(`${cache}.lock`, { holder: "" }, async () => {
      training = command(args, cwd);
      await new Promise((done) => setTimeout(done, 300));
      expect(existsSync(cache)).toBe(false);
    });
    const { code, stderr } = await training!;
    expect([code, stderr]).toEqual([0, expect.stringContaining("waiting: another run makes the cache")]);
    expectSame(cwd, "train-autoencoder");
  });
});

describe("reproduce", () => {
  it.each(kinds)("repeats a run of %s to the same bits and changes nothing of it", async (kind) => {
    const cwd = folderFor(kind);
    expect((await command([kind, ...words[kind], "run_dir=run"], cwd)).code).toBe(0);
    const before = readFileSync(join(cwd, `${weightsOf[kind]}.safetensors`));
    rmSync(join(cwd, "data"), { recursive: true });
    const { code, stdout, stderr } = await command(["reproduce", "run"], cwd);
    expect([code, stdout], stderr).toEqual([
      0,
      expect.stringMatching(
        /^weights: the same bits\nepochs: the same numbers\nreproduced, in outputs\/\S+-reproduce\n$/,
      ),
    ]);
    expect(readFileSync(join(cwd, `${weightsOf[kind]}.safetensors`)).equals(before)).toBe(true);
  });

  it("repeats a training that its time ended by its steps", async () => {
    const cwd = folderFor("train-autoencoder");
    const timed = ["model.max_epochs=null", "model.stagnant_epoch_patience=100000", "model.max_minutes=0.004"];
    const args = ["train-autoencoder", ...words["train-autoencoder"], ...timed, "run_dir=run"];
    expect((await command(args, cwd)).code).toBe(0);
    expect(json(join(cwd, "run/summary.json")).reason).toBe("max_minutes");
    const { code, stdout } = await command(["reproduce", "run", "--json"], cwd);
    expect([code, JSON.parse(stdout)]).toEqual([0, expect.objectContaining({ reproduced: true, otherwise: [] })]);
  });

  it("says where a learning rate that ran by the clock lets no two trainings be the same", async () => {
    const cwd = folderFor("train-autoencoder");
    const phases = "recipe.phases=[{epoch_steps: 3, schedule: cosine}]";
    const timed = ["model.max_epochs=null", "model.max_minutes=0.004", phases];
    await command(["train-autoencoder", ...words["train-autoencoder"], ...timed, "run_dir=run"], cwd);
    const { code, stdout } = await command(["reproduce", "run"], cwd);
    expect(code).toBeOneOf([0, 5]);
    expect(stdout).toMatch(
      /^the learning rate ran by the clock \(model\.max_minutes\)\nbest mean relative error: .* 50 % allowed\n/,
    );
  });

  it("tells what differs: another result, another data set, another backend", async () => {
    const cwd = folderFor("train-autoencoder");
    await command(["train-autoencoder", ...words["train-autoencoder"], "run_dir=run"], cwd);
    const best = join(cwd, "run/checkpoints/best.safetensors");
    const bytes = readFileSync(best);
    bytes.writeFloatLE(0.5, bytes.length - 4);
    writeFileSync(best, bytes);
    const other = await command(["reproduce", "run"], cwd);
    expect([other.code, other.stdout]).toEqual([5, "weights: 1 of 32 arrays differ\nepochs: the same numbers\n"]);

    const environment = json(join(cwd, "run/environment.json"));
    writeFileSync(join(cwd, "run/environment.json"), JSON.stringify({ ...environment, node: "v1.0.0" }));
    const elsewhere = await command(["reproduce", "run"], cwd);
    expect(elsewhere.code).toBe(0);
    expect(elsewhere.stdout).toMatch(
      /^Node: v1\.0\.0 then, v\S+ now\nloss of the first epoch: .* 0\.0 % off, 5 % allowed\nbest mean relative error: .* 50 % allowed\n/,
    );

    await writeClean(cwd, "clean.h5", { tracers: [8, 6, 8] }, { tracers: [6] });
    const changed = await command(["reproduce", "run"], cwd);
    expect([changed.code, changed.stderr]).toEqual([
      4,
      expect.stringContaining("the earlier run was made with another dataset"),
    ]);
  });

  it("refuses what is no run that ended", async () => {
    const cwd = folderFor("train-autoencoder");
    const args = ["train-autoencoder", ...words["train-autoencoder"], "run_dir=run"];
    await command(args, cwd, { interruptAt: "epoch 2/" });
    const open = await command(["reproduce", "run"], cwd);
    expect([open.code, open.stderr]).toEqual([2, expect.stringContaining("that run did not end (interrupted)")]);
    const none = await command(["reproduce", "weights"], cwd);
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("holds no run to repeat")]);
  });
});
