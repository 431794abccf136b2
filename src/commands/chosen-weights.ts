import { existsSync, readdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { CheckpointError, ConfigError } from "../errors.ts";
import type { CommandContext, OptionSpec } from "./command.ts";
import { say } from "./report-lines.ts";

/** Flags of the commands that use a surrogate and know no dataset. */
export const weightsOptions: Readonly<Record<string, OptionSpec>> = {
  weights: {
    type: "string",
    describe:
      "folder with emulator.safetensors and autoencoder.safetensors, or the run folder of a train-emulator (default: weights/NAME, where there is one only)",
  },
  autoencoder: { type: "string", describe: "file of the autoencoder, in place of that of --weights" },
  emulator: { type: "string", describe: "file of the emulator, in place of that of --weights" },
};

type Kind = "autoencoder" | "emulator";

/**
 * The files that the flags name, absolute; without flags those of the only dataset that has weights, which is told. The autoencoder is the
 * one that the emulator was trained with, where it is near.
 * @param needed  "autoencoder" where no emulator is used; the second file then stands for none
 * @throws ConfigError for flags that contradict one another, and where several datasets have weights
 * @throws CheckpointError where weights are absent or damaged
 */
export async function chosenWeights(context: CommandContext, needed: Kind = "emulator"): Promise<Record<Kind, string>> {
  const { cwd, args } = context;
  const path = (name: string): string | undefined =>
    typeof args[name] === "string" ? resolve(cwd, args[name]) : undefined;
  const [folder, autoencoder, emulator] = [path("weights"), path("autoencoder"), path("emulator")];
  if (folder !== undefined && autoencoder !== undefined && emulator !== undefined) {
    throw new ConfigError("--weights has no meaning beside both --autoencoder and --emulator", { fix: "leave it out" });
  }
  if (autoencoder !== undefined && (emulator !== undefined || needed === "autoencoder")) {
    return { autoencoder, emulator: emulator ?? autoencoder };
  }
  const { autoencodersOf, weightsIn } = await import("./surrogate-files.ts");
  const place = emulator ?? folder ?? (await defaultFolder(context, needed));
  const file = emulator ?? weightsIn(place);
  const isEmulator = emulator !== undefined || (file !== null && (await isOfEmulator(file)));
  if (file === null || (!isEmulator && needed === "emulator")) throw nothingIn(place, needed);
  if (autoencoder !== undefined || !isEmulator) return { autoencoder: autoencoder ?? file, emulator: file };
  if (folder === undefined || emulator === undefined) {
    const usual = [...foldersWith("autoencoder", cwd), join(cwd, "weights")];
    const others = usual.map((each) => join(each, "autoencoder.safetensors"));
    return { autoencoder: await companionOf(file, [...autoencodersOf(place, file), ...others]), emulator: file };
  }
  // Beside --emulator, --weights says where the autoencoder is.
  const near = weightsIn(folder);
  if (near === null) throw nothingIn(folder, "autoencoder");
  const candidates = (await isOfEmulator(near)) ? autoencodersOf(folder, near) : [near];
  return { autoencoder: await companionOf(file, candidates), emulator: file };
}

async function isOfEmulator(file: string): Promise<boolean> {
  const { readSafetensorsIndex } = await import("../formats/safetensors-index.ts");
  return readSafetensorsIndex(file).metadata.kind === "emulator";
}

/** The candidate that an emulator was trained with; where it is not among them the first that is there: loading says what is wrong. */
async function companionOf(emulator: string, candidates: readonly string[]): Promise<string> {
  const [{ readEmulator }, { autoencoderAmong }] = await Promise.all([
    import("../models/weights-file.ts"),
    import("../models/companion.ts"),
  ]);
  const own = autoencoderAmong(candidates, readEmulator(emulator).autoencoder_hash);
  return own ?? candidates.find((each) => existsSync(each)) ?? candidates[0]!;
}

function nothingIn(place: string, kind: Kind): CheckpointError {
  return new CheckpointError(`there is no ${kind} in ${place}`, {
    where: "--weights",
    fix: "give a folder with emulator.safetensors and autoencoder.safetensors, or the run folder of a train-emulator",
  });
}

/** The folder of weights where none is named. */
async function defaultFolder(context: CommandContext, kind: Kind): Promise<string> {
  const { cwd } = context;
  const [{ describeOld }, { shellWord }] = await Promise.all([
    import("./old-weights.ts"),
    import("../analysis/inspection/shell-word.ts"),
  ]);
  const folders = foldersWith(kind, cwd);
  const [first] = folders;
  const old = join(cwd, "weights", `${kind}.safetensors`);
  const short = (folder: string): string => shellWord(relative(cwd, folder));
  if (folders.length > 1) {
    throw new ConfigError(`${folders.length} datasets have weights: ${folders.map(short).join(", ")}`, {
      where: join(cwd, "weights"),
      fix: `choose one: --weights ${short(first!)}`,
    });
  }
  if (first !== undefined) {
    say(context, `using the weights in ${short(first)}`);
    return first;
  }
  if (existsSync(old)) {
    context.stderr.write(
      `${describeOld([old], join(cwd, "weights", "NAME"), cwd)} (NAME: what the dataset is called)\n`,
    );
    return join(cwd, "weights");
  }
  throw new CheckpointError(`there is no weights file ${join(cwd, "weights", "*", `${kind}.safetensors`)}`, {
    where: join(cwd, "weights"),
    fix: "train (astrochem train-autoencoder, astrochem train-emulator), or give --weights FOLDER",
  });
}

/** The folders `weights/NAME` with such a file, absolute. */
function foldersWith(kind: Kind, cwd: string): string[] {
  const weights = join(cwd, "weights");
  if (!existsSync(weights)) return [];
  return readdirSync(weights)
    .sort()
    .map((name) => join(weights, name))
    .filter((folder) => existsSync(join(folder, `${kind}.safetensors`)));
}
