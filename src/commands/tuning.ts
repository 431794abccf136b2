import { join, resolve } from "node:path";
import { loadConfig } from "../config/load.ts";
import type { TrainingRoot } from "../config/schemas.ts";
import { ConfigError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic-file.ts";
import { readPlan, sweepPaths } from "../sweeps/folder.ts";
import { rungCount } from "../sweeps/halving.ts";
import { planSweep } from "../sweeps/plan.ts";
import { drawTrials } from "../sweeps/space.ts";
import { type Objective, readStudy, type Tuning, writeStudy } from "../sweeps/study.ts";
import { planEpochs, sumOf } from "../training/phase-plan.ts";
import type { CommandContext } from "./command.ts";
import { newestSweep, newSweep, takenUpPlan } from "./multirun.ts";
import { say } from "./report-lines.ts";
import { search } from "./tuning-rungs.ts";

/** Begins a tuning, or takes one up. @throws ConfigError; SweepError where trials failed otherwise than by diverging */
export async function tune(context: CommandContext): Promise<void> {
  const root = rootOf(context.args.training);
  const { resume, cfg, minutes } = context.args;
  if (minutes !== undefined && !(Number(minutes) > 0))
    throw new ConfigError("--minutes is no time", { fix: "--minutes 30" });
  const tuning = typeof resume === "string" ? takenUp(resume, context) : begin(root, context, cfg !== undefined);
  if (tuning === null) return;
  // As dates go: ten years are enough.
  const end_ms = Date.now() + 60_000 * Math.min(Number(minutes), 5e6);
  if (minutes !== undefined) writeFileAtomic(sweepPaths.deadline(tuning.folder), new Date(end_ms).toISOString());
  await search(tuning, context, true);
}

const roots = { "train-autoencoder": "config", "train-emulator": "config_emulator" } as const;

function rootOf(training: unknown): TrainingRoot {
  if (training === "train-autoencoder" || training === "train-emulator") return roots[training];
  throw new ConfigError(`tune cannot run ${training}`, { fix: `give ${Object.keys(roots).join(" or ")}` });
}

/** Draws and composes all trials before the first one runs. Null where only their words were asked for. */
function begin(root: TrainingRoot, context: CommandContext, showsWords: boolean): Tuning | null {
  const { args, overrides, configDirs, cwd, env, now, stdout, debug } = context;
  const [command, started] = [String(args.training), now()];
  const [count, seed] = [wholeOf(args, "trials", 27, 1), wholeOf(args, "seed", 0, 0)];
  const place = { root, configDirs, cwd, env, now: started };
  const planned = planSweep(command, { ...place, overrides }, (words, optionsOf) =>
    drawTrials(words, optionsOf, { count, seed }),
  );
  const { launcher, points, notes, run_dir } = planned;
  const fixed = points[0]!.overrides.filter((text) => planned.own.includes(text));
  // Of weights that are thrown away.
  const isSaid = command !== "train-emulator" || fixed.some((text) => text.startsWith("calibrate="));
  const own = isSaid ? [] : ["calibrate=false"];
  const trials = points.map(({ overrides: words, values }) => ({ overrides: [...words, ...own], values }));
  for (const note of notes) say(context, note);
  if (showsWords) {
    for (const { overrides: words } of trials) stdout.write(`${words.join(" ")}\n`);
    return null;
  }
  const epochs = trials.map(({ overrides: words }) => epochsOf(loadConfig({ ...place, overrides: words }).config));
  const rungs = rungCount(trials.length - 1, Math.min(...epochs));
  const what = { command, flags: debug ? ["--debug"] : [], launcher, points: trials };
  const { folder, plan } = newSweep("tuning", started, run_dir, what, context);
  const objective = (args.objective ?? "dex") as Objective;
  writeStudy(folder, { objective, seed, rungs, epochs, fixed });
  return { folder, plan, study: readStudy(folder) };
}

/** @throws ConfigError */
function wholeOf(args: CommandContext["args"], name: string, usual: number, least: number): number {
  const value = args[name] ?? usual;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
  throw new ConfigError(`--${name} is no whole number from ${least} on`, { fix: `--${name} ${usual}` });
}

type TrainingConfig = ReturnType<typeof loadConfig<TrainingRoot>>["config"];

/** Epochs of a whole training. @throws ConfigError where epochs do not end it */
function epochsOf(config: TrainingConfig): number {
  const { model, recipe } = config;
  const planned = planEpochs(
    recipe.phases.map((phase) => phase.epochs),
    model.max_epochs,
  );
  const epochs = model.max_minutes === null ? sumOf(planned) : null;
  if (epochs === null) {
    throw new ConfigError("the trainings of a tuning are ended by epochs, so that the same ones come of it again", {
      where: "model.max_epochs, model.max_minutes",
      fix: "set model.max_epochs=…, and model.max_minutes=null; --minutes bounds the whole tuning",
    });
  }
  if ("members" in config && config.members > 1)
    throw new ConfigError("an ensemble is not tuned as one", { where: "members", fix: "tune with members=1" });
  return epochs;
}

/** The tuning that `--resume` names, or the newest of this training. @throws ConfigError for other words than began it */
function takenUp(resume: string, context: CommandContext): Tuning {
  const { args, cwd } = context;
  const command = String(args.training);
  const folder = resume === "" ? newestSweep(command, join(cwd, "tuning")) : resolve(cwd, resume);
  const plan = readPlan(folder);
  const flag = ["trials", "objective", "seed"].find((name) => args[name] !== undefined);
  const other = plan.command === command ? flag && `--${flag}` : command;
  if (other) {
    throw new ConfigError(`a tuning is taken up as it was begun: ${other} cannot change`, {
      where: folder,
      fix: `astrochem tune ${plan.command} --resume ${resume}`,
    });
  }
  const study = readStudy(folder);
  return { folder, plan: takenUpPlan(folder, plan, rootOf(command), context).plan, study };
}
