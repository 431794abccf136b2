import { resolve } from "node:path";
import { ConfigError } from "../errors.ts";
import { Inference } from "../inference/inference.ts";
import { latentsOf, readAutoencoder, readEmulator } from "../models/weights-file.ts";
import type { Models } from "./onnx-parts.ts";

/** Which models source is written of. Relative paths start from `cwd`. */
export interface SourceModels {
  readonly cwd: string;
  readonly threads?: number | undefined;
  readonly autoencoder: string;
  readonly emulator: string;
}

/**
 * Loads the models, and `Inference` to compare with, for as long as `write` takes.
 * @param ensembles  whether the source may be of several emulators
 * @throws ConfigError for an ensemble that is not taken; CheckpointError
 */
export async function withModels<T>(
  request: SourceModels,
  log: (message: string) => void,
  write: (models: Models & { emulator: object }, inference: Inference) => Promise<T>,
  { ensembles = false } = {},
): Promise<T> {
  const [autoencoderPath, emulatorPath] = [request.autoencoder, request.emulator].map((each) =>
    resolve(request.cwd, each),
  );
  const inference = await Inference.load({
    autoencoder: autoencoderPath!,
    emulator: emulatorPath!,
    threads: request.threads,
    // Its input here is drawn, and means nothing.
    onWarning: (message, kind) => kind === "compute" && log(`warning: ${message}`),
  });
  try {
    const [autoencoder, weights] = [readAutoencoder(autoencoderPath!), readEmulator(emulatorPath!)];
    if (inference.members > 1 && !ensembles) {
      throw new ConfigError(
        `${emulatorPath} holds an ensemble of ${inference.members}; source in C is written of one emulator`,
        {
          where: emulatorPath!,
          fix: "export a member, --emulator RUN/checkpoints/members/0.safetensors (the run that trained it), or the ensemble as Python or ONNX",
        },
      );
    }
    if (weights.trust === undefined)
      log("the weights are not calibrated: no expected errors (astrochem calibrate, and export again)");
    const models = { autoencoder, emulator: { weights, latents: latentsOf(autoencoderPath!, autoencoder, weights) } };
    return await write(models, inference);
  } finally {
    await inference.dispose();
  }
}
