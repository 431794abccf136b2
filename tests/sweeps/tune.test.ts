import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { load } from "js-yaml";
import { beforeAll, describe, expect, it } from "vitest";
import { main } from "../../src/commands/main.ts";
import { Buffered, temporaryFolder } from "../commands/buffers.ts";
import { program } from "../commands/child.ts";
import { writeClean } from "../data/clean-sample.ts";
import { testFolder } from "../helpers/folder.ts";
import { fakePrograms } from "../helpers/programs.ts";

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** @param killAt  SIGKILL to the program once stderr has that text; the trials that it began live on */
function astrochem(cwd: string, words: readonly string[], killAt?: string, env = process.env): Promise<Outcome> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [...program, ...words], { cwd, env });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
      if (killAt !== undefined && stderr.includes(killAt)) child.kill("SIGKILL");
    });
    child.on("close", (code) => done({ code, stdout, stderr }));
  });
}

const made = testFolder();
const fixed = [
  ...["dataset.dataset_path=clean.h5", "dataset.species_path=species.txt", "dataset.phys=[Density, Av]"],
  "~dataset.physical_parameter_ranges",
  "+dataset.physical_parameter_ranges={Density: [1e-9, 1], Av: [1e-9, 1]}",
  ...["recipe=original", "model.batch_size=4", "model.max_epochs=3", "threads=1"],
];
const autoencoder = [...fixed, "model.hidden_dims=[4,3]", "model.latent_dim=2"];
const tuned = ["model.lr=tag(log, interval(1e-4, 1e-2))", "recipe.weight_decay=choice(0,0.1)"];
const tune = ["tune", "train-autoencoder", ...autoencoder, ...tuned, "--trials", "3", "launcher.jobs=2", "--json"];

beforeAll(async () => {
  await writeClean(made, "clean.h5", { tracers: [7, 6, 8] }, { tracers: [6] });
  writeFileSync(join(made, "species.txt"), "H\nH2\nCO\n");
});

/** A Slurm that runs an array at once, its tasks one after the other, and the job behind it when sbatch has ended. */
function fakeSlurm(cwd: string): NodeJS.ProcessEnv {
  const sbatch = `echo "$@" >>${cwd}/calls
for word; do shift; case "$word" in --array=*) tasks=$\{word#--array=}; tasks=$\{tasks%%%*};; */slurm.sh) break;; esac; done
script=$word
if [ "$1" = collect ]; then bash $script "$@" </dev/null >>${cwd}/behind.log 2>&1 &
else for each in $\{tasks//,/ }; do for n in $(seq $\{each%-*} $\{each#*-}); do SLURM_ARRAY_TASK_ID=$n bash $script "$@"; done; done; fi
echo 7`;
  const { PATH } = fakePrograms({ sbatch, squeue: "exit 0", scontrol: "exit 0" });
  return { ...process.env, PATH: `${PATH}:${process.env.PATH}` };
}

function folderOf(): string {
  const cwd = temporaryFolder();
  for (const name of ["clean.h5", "species.txt"]) cpSync(join(made, name), join(cwd, name));
  return cwd;
}

interface Results {
  readonly best: number;
  readonly is_over: boolean;
  readonly front: number[];
  readonly rungs: object[];
  readonly commands: Record<string, string>;
  readonly trials: { trial: number; state: string; epochs: number; dex: number; cost_us: number | null; run: string }[];
}
const results = ({ code, stdout, stderr }: Outcome): Results => {
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
};
const weights = (folder: string) => readFileSync(join(folder, "checkpoints/best.safetensors"));

/** Without their times. */
const epochs = (folder: string): string =>
  readFileSync(join(folder, "epochs.jsonl"), "utf8").replaceAll(/"(seconds_\w+|items_per_second)":[^,}]+/g, "");

/** Many processes, of which each takes seconds to begin where others share the machine. */
const minutes = 400_000;

describe("tune", () => {
  it(
    "ends with the same trials after a kill, and with a configuration that trains the best one again, bit for bit",
    async () => {
      const cwd = folderOf();
      const whole = results(await astrochem(cwd, [...tune, "run_dir=whole"]));
      expect(whole.rungs).toEqual([
        { trials: 3, epochs: 1 },
        { trials: 1, epochs: 3 },
      ]);
      const { trials } = whole;
      expect(trials.map(({ epochs }) => epochs).toSorted()).toEqual([1, 1, 3, 3]);
      expect(trials[0]).toMatchObject({
        state: "completed",
        epochs: 3,
        values: { "recipe.weight_decay": expect.any(String) },
      });
      // Of those that were stopped after an epoch none was better then than the one that went on.
      const winner = trials.findIndex(({ trial, state }) => trial > 0 && state === "completed");
      const [first] = readFileSync(join(trials[winner]!.run, "epochs.jsonl"), "utf8").split("\n");
      const stopped = trials.filter(({ state }) => state === "stopped").map(({ dex }) => dex);
      expect(stopped).toHaveLength(2);
      expect(Math.min(...stopped)).toBeGreaterThanOrEqual(JSON.parse(first!).dex);

      const killed = await astrochem(cwd, [...tune, "run_dir=killed"], "trial 1 (");
      expect(killed.code).toBe(null);
      const again = results(await astrochem(cwd, ["tune", "train-autoencoder", "--resume", "killed", "--json"]));
      expect(again).toEqual(JSON.parse(JSON.stringify(whole).replaceAll("whole", "killed")));
      for (const { trial, state } of trials) {
        expect(epochs(join(cwd, `killed/${trial}`))).toBe(epochs(join(cwd, `whole/${trial}`)));
        // Those of a trial that was stopped hold its state, and with it times.
        if (state === "completed")
          expect(weights(join(cwd, `killed/${trial}`))).toEqual(weights(join(cwd, `whole/${trial}`)));
      }

      // A trial that went on from rung to rung is a plain training.
      const command = Object.values(whole.commands)[0];
      const words = command === undefined ? [] : command.match(/'[^']*'|\S+/g)!.map((word) => word.replaceAll("'", ""));
      if (whole.best === 0) expect(words).toEqual([]);
      else {
        const plain = await astrochem(cwd, [...words.slice(1), "run_dir=plain"]);
        expect(plain.code, plain.stderr).toBe(0);
        expect(load(readFileSync(join(cwd, `whole/configs/models/tuned-${whole.best}.yaml`), "utf8"))).toMatchObject({
          defaults: ["autoencoder", "_self_"],
        });
        expect(epochs(join(cwd, "plain"))).toBe(epochs(join(cwd, `whole/${whole.best}`)));
        expect(weights(join(cwd, "plain"))).toEqual(weights(join(cwd, `whole/${whole.best}`)));
      }
      const [head, ...rows] = readFileSync(join(cwd, "whole/trials.csv"), "utf8").trim().split("\n");
      expect(head).toBe("trial,state,epochs,dex,cost_us,model.lr,recipe.weight_decay,run");
      expect(rows).toHaveLength(4);
    },
    minutes,
  );

  it(
    "measures what a step takes, lists the front, and tells what there is when the time is over",
    async () => {
      const cwd = folderOf();
      mkdirSync(join(cwd, "weights/grav"), { recursive: true });
      const trained = await astrochem(cwd, ["train-autoencoder", ...autoencoder]);
      expect(trained.code, trained.stderr).toBe(0);
      const words = [
        ...["tune", "train-emulator", ...fixed, "autoencoder.latent_dim=2", "model.window_size=3"],
        ...["model.hidden_dim=choice(4,64)", "--trials", "2", "--objective", "both", "--json", "run_dir=both"],
      ];
      const early = results(await astrochem(cwd, [...words, "--minutes", "0.001"]));
      expect([early.is_over, early.best]).toEqual([false, null]);
      const { front, trials } = results(await astrochem(cwd, ["tune", "train-emulator", "--resume", "both", "--json"]));
      expect(trials.map(({ state }) => state)).toEqual(["completed", "completed", "completed"]);
      const best = trials.toSorted((a, b) => a.dex - b.dex);
      expect(front[0]).toBe(best[0]!.trial);
      for (const { cost_us } of trials) expect(cost_us).toBeGreaterThan(0);
      expect(readdirSync(join(cwd, "both/costs")).sort()).toEqual(["0.json", "1.json", "2.json"]);
    },
    minutes,
  );

  it(
    "tells a trial that diverged, and does not run it again",
    async () => {
      const cwd = folderOf();
      const words = [...autoencoder, "model.lr=choice(1e30,1e-3)", "run_dir=t", "--trials", "2", "--json"];
      const { trials, is_over } = results(await astrochem(cwd, ["tune", "train-autoencoder", ...words]));
      expect(is_over).toBe(true);
      const states = trials.slice(1).map(({ state }) => state);
      expect(states.toSorted()).toEqual(["completed", "failed"]);
      const log = join(cwd, `t/logs/${states.indexOf("failed") + 1}.log`);
      const before = readFileSync(log, "utf8");
      expect(before).toContain("no longer finite");
      results(await astrochem(cwd, ["tune", "train-autoencoder", "--resume", "t", "--json"]));
      expect(readFileSync(log, "utf8")).toBe(before);
    },
    minutes,
  );

  it(
    "counts a trial that fails, tells its log, and goes on without it, unless too few are left",
    async () => {
      const cwd = folderOf();
      const words = ["tune", "train-autoencoder", ...autoencoder, "dataset.dataset_path=choice(clean.h5,absent.h5)"];
      const outcome = await astrochem(cwd, [...words, "run_dir=t", "--trials", "2", "--json"]);
      const { trials, is_over } = results(outcome);
      const failed = 1 + trials.slice(1).findIndex(({ state }) => state === "failed");
      expect([is_over, trials.map(({ state }) => state).toSorted()]).toEqual([
        true,
        ["completed", "completed", "failed"],
      ]);
      expect(outcome.stderr).toContain(`1 trial did not end as trainings do\n  trial ${failed}: t/logs/${failed}.log`);
      const again = await astrochem(cwd, ["sweep", "collect", "t"]);
      expect(again.stdout).toContain(`1 trial failed: ${failed}; see logs/<trial>.log`);
      const status = await astrochem(cwd, ["sweep", "status", "t"]);
      expect(status.stdout).toContain("2 completed, 1 failed\na tuning: 1 of 1 rung decided\n");

      const none = await astrochem(cwd, [...words.slice(0, -1), "dataset.dataset_path=choice(absent.h5)", "run_dir=n"]);
      expect([none.code, none.stderr]).toEqual([3, expect.stringContaining("too few to choose from")]);
      writeFileSync(join(cwd, "absent.h5"), readFileSync(join(cwd, "clean.h5")));
      expect(results(await astrochem(cwd, ["tune", "train-autoencoder", "--resume", "n", "--json"])).is_over).toBe(
        true,
      );
    },
    minutes,
  );

  it(
    "trains on Slurm an array for each rung, and comes to the same trials",
    async () => {
      const cwd = folderOf();
      const here = results(await astrochem(cwd, [...tune, "run_dir=here"]));
      const begun = await astrochem(cwd, [...tune, "launcher=slurm", "run_dir=there"], undefined, fakeSlurm(cwd));
      expect([begun.code, JSON.parse(begun.stdout).jobs]).toEqual([0, ["7"]]);
      for (const end = Date.now() + minutes; !existsSync(join(cwd, "there/trials.json")); await sleep(200))
        expect([Date.now() < end, readFileSync(join(cwd, "calls"), "utf8")]).toEqual([true, expect.any(String)]);
      const there = JSON.parse(readFileSync(join(cwd, "there/trials.json"), "utf8"));
      expect({ ...there, format_version: undefined }).toEqual(
        JSON.parse(JSON.stringify(here).replaceAll("here", "there")),
      );
      for (const { trial } of here.trials) {
        expect(epochs(join(cwd, `there/${trial}`))).toBe(epochs(join(cwd, `here/${trial}`)));
      }
      const calls = readFileSync(join(cwd, "calls"), "utf8").replaceAll(/\S*(astrochem-\w{8}|slurm\.sh)/g, "");
      expect(calls.trim().split("\n")).toEqual([
        expect.stringMatching(/-0 --array=0-3%2 {2}0 --rung 0$/),
        expect.stringMatching(/-collect --dependency=afterany:7 {2}collect --rung 0$/),
        expect.stringMatching(/-0 --array=\d%2 {2}0 --rung 1$/),
        expect.stringMatching(/-collect --dependency=afterany:7 {2}collect --rung 1$/),
      ]);
    },
    minutes,
  );

  it.each([
    [["train"], "tune cannot run train"],
    [["train-autoencoder"], "nothing to tune"],
    [["train-autoencoder", "model.lr=interval(1e-3,1e-2)", "recipe=original"], "are ended by epochs"],
    [["train-autoencoder", "model.lr=interval(1e-3,1e-2)", "model.max_minutes=1"], "are ended by epochs"],
    [["train-emulator", "model.lr=interval(1e-3,1e-2)", "members=2"], "an ensemble is not tuned"],
    [["train-autoencoder", "model.lr=interval(-2,1e-2)", "--trials", "9"], "model.lr"],
    [["train-autoencoder", "model.lr=interval(1e-3,1e-2)", "--trials", "0"], "--trials"],
    [["train-autoencoder", "model.lr=interval(1e-3,1e-2)", "--minutes", "-1"], "--minutes"],
    [["train-autoencoder", "model.lr=interval(1e-3,1e-2)", "--objective", "speed"], "objective"],
    [["train-autoencoder", "--resume"], "no sweep of train-autoencoder"],
  ])("%j is refused before anything runs: %s", async (words, text) => {
    const cwd = folderOf();
    const [stdout, stderr] = [new Buffered(), new Buffered()];
    const signal = new AbortController().signal;
    const code = await main(["tune", ...words], { cwd, env: {}, now: () => new Date(), stdout, stderr, signal });
    expect([code, stderr.text]).toEqual([2, expect.stringContaining(text)]);
    expect(existsSync(join(cwd, "tuning"))).toBe(false);
  });
});
