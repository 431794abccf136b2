import { resolve } from "node:path";
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
 * @throws ConfigError, CheckpointError
 */
export async function withModels<T>(
  request: SourceModels,
  log: (message: string) => void,
  write: (models: Models & { emulator: object }, inference: Inference) => Promise<T>,
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
    if (weights.trust === undefined)
      log("the weights are not calibrated: no expected errors (astrochem calibrate, and export again)");
    const models = { autoencoder, emulator: { weights, latents: latentsOf(autoencoderPath!, autoencoder, weights) } };
    return await write(models, inference);
  } finally {
    await inference.dispose();
  }
}
