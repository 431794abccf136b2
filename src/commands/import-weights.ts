import { relative, resolve } from "node:path";
import { ConfigError } from "../errors.ts";
import { whileWriting } from "../formats/lock.ts";
import type { Command, CommandContext } from "./command.ts";
import { composeConfig } from "./compose.ts";
import { checkDestination, overwriteOption } from "./destination.ts";
import { composeReading } from "./old-weights.ts";
import { say } from "./report-lines.ts";

/** Brings PyTorch weights of the original package in. */
export const importWeightsCommand: Command = {
  describe:
    "Turns PyTorch weights of the original package (.pth, a checkpoint, safetensors or an index of its shards) into safetensors files " +
    "with all that is needed to use them. Nothing in a file is run; anything but tensors is passed over or refused by name. " +
    "What it does not say comes from the configuration.",
  positionals: {},
  options: {
    autoencoder: { type: "string", describe: "the autoencoder's file: .pth, .ckpt, .safetensors, .index.json" },
    "latents-minmax": { type: "string", describe: "its latents_minmax.npy" },
    emulator: {
      type: "string",
      describe: "the emulator's file; needs an autoencoder, given here or imported before",
    },
    ...overwriteOption,
  },
  config: { root: "config_emulator" },
  examples: [
    ["astrochem import-weights --autoencoder ae.pth --latents-minmax minmax.npy --emulator mlp.pth", "both models"],
    ["astrochem import-weights --emulator mlp.pth model.save_model_path=weights/mlp.safetensors", "the emulator alone"],
  ],
  async run(context) {
    const files = requested(context);
    const compose = files.autoencoder === null ? composeReading : composeConfig;
    const loaded = await compose("config_emulator", context);
    const [{ emulatorJob, tablesOf }, { compressorOf }, { evolverOf }, imports, weightsFile] = await Promise.all([
      import("./jobs.ts"),
      import("../models/compressors.ts"),
      import("../models/evolvers.ts"),
      import("../models/import-weights.ts"),
      import("../models/weights-file.ts"),
    ]);
    const job = emulatorJob(loaded, false);
    const log = (line: string): void => say(context, line);
    for (const note of job.notes) log(note);
    const { species, phys } = job.columns;
    const { model_name, save_model_path } = loaded.config.autoencoder;
    const autoencoderPath = resolve(loaded.config.working_path, save_model_path);
    const written: string[] = [];
    const overwrite = context.args.overwrite === true;
    const inputs = [files.autoencoder, files.latentsMinmax, files.emulator, ...tablesOf(loaded)];
    if (files.autoencoder) await checkDestination({ path: autoencoderPath, kind: "autoencoder", inputs, overwrite });
    if (files.emulator) {
      const used = files.autoencoder === null ? job.autoencoder : autoencoderPath;
      await checkDestination({ path: job.weights, kind: "emulator", inputs: [...inputs, used], overwrite });
    }
    if (files.autoencoder !== null) {
      const weights = imports.importAutoencoder(files.autoencoder, {
        model: { name: model_name, of: compressorOf(job.compressor) },
        species,
        elementTable: job.elementTable,
        clipping: job.clipping,
        latentsMinmax: files.latentsMinmax!,
        log,
      });
      await whileWriting(autoencoderPath, async () => weightsFile.writeAutoencoder(autoencoderPath, weights));
      written.push(autoencoderPath);
    }
    if (files.emulator !== null) {
      const { shape, physicalRanges, model, weights: path } = job;
      const evolver = { name: model.model_name, of: evolverOf({ model_name: model.model_name, model: shape }) };
      const autoencoder = weightsFile.readAutoencoder(files.autoencoder === null ? job.autoencoder : autoencoderPath);
      const autoencoderHash = weightsFile.autoencoderHash(autoencoder);
      const facts = { model: evolver, species, phys, physicalRanges, window: model.window_size, autoencoderHash, log };
      const weights = imports.importEmulator(files.emulator, facts);
      await whileWriting(path, async () => weightsFile.writeEmulator(path, weights));
      written.push(path);
    }
    report(written, context);
  },
};

function requested({ args, cwd }: CommandContext) {
  const path = (name: string): string | null => (typeof args[name] === "string" ? resolve(cwd, args[name]) : null);
  const files = { autoencoder: path("autoencoder"), latentsMinmax: path("latents-minmax"), emulator: path("emulator") };
  if (files.autoencoder === null && files.emulator === null) {
    throw new ConfigError("no weights were given", {
      fix: "--autoencoder FILE.pth --latents-minmax FILE.npy, --emulator FILE.pth",
    });
  }
  if ((files.autoencoder === null) !== (files.latentsMinmax === null)) {
    throw new ConfigError("--autoencoder and --latents-minmax go together", {
      fix: "give both: latents are scaled by the range",
    });
  }
  return files;
}

function report(written: readonly string[], { stdout, json, cwd }: CommandContext): void {
  stdout.write(json ? `${JSON.stringify({ written })}\n` : written.map((path) => `${relative(cwd, path)}\n`).join(""));
}
