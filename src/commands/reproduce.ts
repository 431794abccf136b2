import { readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { load } from "js-yaml";
import { z } from "zod";
import { ConfigError, NumericsError } from "../errors.ts";
import { checkedContent } from "../formats/checked-content.ts";
import { checkRunVersion } from "../formats/run-format.ts";
import type { Command, CommandContext } from "./command.ts";
import type { RunComparison } from "./compare-runs.ts";
import { type EarlierEnvironment, earlierEnvironment } from "./environment.ts";
import { preprocess } from "./preprocess.ts";
import { say } from "./report-lines.ts";
import { trainAutoencoderCommand } from "./train-autoencoder.ts";
import { trainEmulatorCommand } from "./train-emulator.ts";

/** Repeats a run. */
export const reproduceCommand: Command = {
  describe:
    "Runs again what a run folder holds, with its configuration, in a folder of its own, and compares the results: bit for bit on " +
    "the same backend, else within a tolerance, and it says which. Nothing of the run is changed. Exit code 5 where they differ.",
  positionals: { run: "the folder of a preprocess, train-autoencoder or train-emulator that ended" },
  options: {},
  examples: [
    ['astrochem reproduce "$(ls -d outputs/*/*-preprocess | head -1)"', "the first preprocessing, as the demo's"],
    ['astrochem reproduce "$(ls -d outputs/*/*-train-emulator | head -1)" --json', "a training, the result as JSON"],
  ],
  async run(context) {
    const folder = resolve(context.cwd, String(context.args.run));
    const earlier = readRun(folder);
    const { makeFreshFolder } = await import("./fresh-folder.ts");
    const again = makeFreshFolder(join(context.cwd, "outputs"), context.now(), "reproduce");
    await repeat(earlier, again, context);
    context.signal.throwIfAborted();
    const comparison = await compare(earlier, again);
    report(comparison, earlier, again, context);
  },
};

/** What is known of an earlier run. */
interface EarlierRun {
  readonly folder: string;
  readonly command: string;
  readonly environment: EarlierEnvironment;
  readonly summary: z.output<typeof earlierSummary>;
}

const earlierSummary = z.looseObject({
  command: z.string().optional(),
  outcome: z.string().optional(),
  reason: z.string().optional(),
  epochs: z.number().optional(),
  steps: z.number().optional(),
  members: z.array(z.unknown()).optional(),
});

/** What of a run's config.yaml says whether its learning rate ran by the clock. */
const clockKeys = z.looseObject({
  model: z.looseObject({ max_minutes: z.number().nullish() }).optional(),
  recipe: z.looseObject({ phases: z.array(z.looseObject({ schedule: z.string().optional() })).optional() }).optional(),
});

const repeatable: Readonly<Record<string, Command>> = {
  preprocess,
  "train-autoencoder": trainAutoencoderCommand,
  "train-emulator": trainEmulatorCommand,
};

/** @throws ConfigError where there is no run that ended and can be repeated */
function readRun(folder: string): EarlierRun {
  const read = <T extends z.ZodType>(name: string, schema: T): z.output<T> => {
    const where = join(folder, name);
    const fix = "give the folder of a run that ended: outputs/<date>/<time>-<command>";
    let value: unknown;
    try {
      value = JSON.parse(readFileSync(where, "utf8"));
    } catch (cause) {
      const what = `${folder} holds no run to repeat: ${(cause as Error).message}`;
      throw new ConfigError(what, { where: folder, fix, cause });
    }
    checkRunVersion(value, where);
    return checkedContent(schema, value, { where, fix, failure: ConfigError });
  };
  const environment = read("environment.json", earlierEnvironment);
  const summary = read("summary.json", earlierSummary);
  const command = String(environment.command ?? summary.command);
  if (!Object.hasOwn(repeatable, command)) {
    throw new ConfigError(`a run of ${command} cannot be repeated`, {
      where: folder,
      fix: `give one of ${Object.keys(repeatable).join(", ")}`,
    });
  }
  if (summary.outcome !== "completed") {
    const fix = `let it end first: astrochem ${command} --resume ${folder}`;
    throw new ConfigError(`that run did not end (${summary.outcome})`, { where: folder, fix });
  }
  return { folder, command, environment, summary };
}

/** Runs the command again, writing to `again` only; what it prints goes to the logs. */
async function repeat({ folder, command, environment, summary }: EarlierRun, again: string, context: CommandContext) {
  const { printValue } = await import("../config/override-values.ts");
  const text = (path: string): string => printValue(path);
  const overrides = [`run_dir=${text(again)}`];
  if (command === "preprocess") overrides.push(`dataset.preprocessing.output_path=${text(join(again, "clean.h5"))}`);
  else overrides.push("model.save_model=false", "mode=both", ...threads(environment));
  // A training that its time ended is repeated by its steps.
  const isTimed = summary.reason === "max_minutes" && !followsClock(folder);
  if (isTimed && summary.members) {
    throw new ConfigError("the members of that ensemble were ended by model.max_minutes, each at a step of its own", {
      where: folder,
      fix: "an ensemble can be repeated where epochs end it, or a schedule by the clock: model.max_epochs, recipe=curriculum",
    });
  }
  if (isTimed) overrides.push("model.max_minutes=null", `model.max_epochs=${summary.epochs}`);
  const { resume, join: _, ...flags } = environment.flags ?? {};
  say(context, `repeating ${relative(context.cwd, folder) || folder}`);
  await repeatable[command]!.run({
    ...context,
    ...{ command, args: flags, overrides, configDirs: [], stdout: context.stderr, json: false },
    repeat: {
      config: join(folder, "config.yaml"),
      inputs: environment.inputs ?? null,
      maxSteps: isTimed ? Number(summary.steps) : undefined,
    },
  });
}

/** Whether the learning rate ran by the time that was left: then every repetition is another training. */
function followsClock(folder: string): boolean {
  const where = join(folder, "config.yaml");
  const fix = "restore what the run wrote";
  const config = checkedContent(clockKeys, load(readFileSync(where, "utf8")), { where, fix, failure: ConfigError });
  const phases = config.recipe?.phases ?? [];
  return config.model?.max_minutes != null && phases.some(({ schedule }) => schedule === "cosine");
}

/** As many as then, whatever this machine has. */
function threads({ backend }: EarlierEnvironment): string[] {
  return backend?.threads === undefined ? [] : [`threads=${backend.threads}`];
}

async function compare({ folder, command, environment, summary }: EarlierRun, again: string): Promise<RunComparison> {
  const runs = await import("./compare-runs.ts");
  const now = readRun(again);
  if (command === "preprocess") return runs.comparePreprocessings(summary, now.summary);
  return runs.compareTrainings(folder, again, {
    otherwise: runs.backendDifferences(environment, now.environment),
    followsClock: followsClock(folder),
  });
}

function report(comparison: RunComparison, { folder }: EarlierRun, again: string, context: CommandContext): void {
  const { stdout, json, cwd } = context;
  const agrees = comparison.results.every((result) => result.agrees);
  if (json) stdout.write(`${JSON.stringify({ run: folder, again, reproduced: agrees, ...comparison })}\n`);
  else {
    for (const difference of comparison.otherwise) stdout.write(`${difference}\n`);
    for (const { what, found } of comparison.results) stdout.write(`${what}: ${found}\n`);
    if (agrees) stdout.write(`reproduced, in ${relative(cwd, again) || again}\n`);
  }
  if (agrees) return;
  throw new NumericsError("the results differ from those of the earlier run", {
    where: again,
    fix:
      comparison.otherwise.length > 0
        ? "what is named above is another than then: compare where it is the same"
        : "the inputs, or what reads them, have changed since: compare environment.json of both folders",
  });
}
