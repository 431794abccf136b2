import { join, resolve } from "node:path";
import { onnxOpset } from "../backend/onnx-model.ts";
import { tableOfWeights } from "../chemistry/element-table.ts";
import { ConfigError, NumericsError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic-file.ts";
import { Inference } from "../inference/inference.ts";
import { hasFormulas } from "../inference/totals-keeper.ts";
import { latentsOf, readAutoencoder, readEmulator } from "../models/weights-file.ts";
import { checkedBatches, OnnxChecker, runtimeForCheck, tolerance } from "./onnx-check.ts";
import { onnxFile } from "./onnx-file.ts";
import { type Models, needsEmulator, type Part, type PartKind, partOf, partsOf } from "./onnx-parts.ts";

/** What to export, from what, and where to. Relative paths start from `cwd`. */
export interface ExportRequest {
  readonly cwd: string;
  /** The one file that is wanted; absent: all. */
  readonly only?: PartKind | undefined;
  /** Linear abundances and physical units in and out, instead of scaled values. */
  readonly scaling: boolean;
  /** With scaling: the rollout keeps the totals of the elements and the charge of its start. Default: true. */
  readonly conserve?: boolean | undefined;
  /** Of the rollout; absent: those of the emulator's training window. */
  readonly steps?: number | undefined;
  /** The folder. */
  readonly output: string;
  /** Of the check. */
  readonly threads?: number | undefined;
  readonly autoencoder: string;
  readonly emulator: string;
}

/** The effects of an export. */
export interface ExportTools {
  readonly log: (message: string) => void;
  readonly signal: AbortSignal;
  /** Runs what computes for long without a turn of the event loop. */
  readonly whileBlocking?: (<T>(action: () => T) => T) | undefined;
}

/** A file that was written. */
export interface ExportedFile {
  readonly path: string;
  readonly kind: PartKind;
  readonly inputs: Readonly<Record<string, readonly (string | number)[]>>;
  readonly outputs: Readonly<Record<string, readonly (string | number)[]>>;
  readonly bytes: number;
  /** The largest from `Inference`, in scaled units. */
  readonly deviation: number;
}

/** What an export did. */
export interface ExportSummary {
  readonly files: readonly ExportedFile[];
  readonly opset: number;
  readonly scaling: boolean;
  readonly tolerance: number;
  readonly batches: readonly number[];
}

/**
 * Writes ONNX files of the trained models. Each is run beside `Inference` first; where one deviates, none is written.
 * @throws ConfigError, CheckpointError, NumericsError for a file that deviates, DataError where it cannot be written
 */
export async function exportOnnx(request: ExportRequest, tools: ExportTools): Promise<ExportSummary> {
  checkSteps(request);
  const { whileBlocking = (action) => action() } = tools;
  const path = (name: string): string => resolve(request.cwd, name);
  const autoencoder = path(request.autoencoder);
  const needed = request.only === undefined || needsEmulator(request.only);
  const emulator = needed ? path(request.emulator) : undefined;
  const models = readModels(autoencoder, emulator);
  const kinds = request.only === undefined ? partsOf(models) : [request.only];
  if (!kinds.every((kind) => partsOf(models).includes(kind))) {
    const { model_name } = models.emulator!.weights;
    throw new ConfigError(`${model_name} has no start: it remembers nothing but its latents`, {
      fix: "leave out --only",
    });
  }
  const wanted = request.scaling && request.conserve !== false;
  const conserve = wanted && hasFormulas(tableOfWeights(models.autoencoder));
  if (wanted && !conserve) tools.log("warning: no species has a formula, so that the rollout keeps no totals");
  const steps = request.steps ?? models.emulator?.weights.window_size ?? 1;
  const options = { scaling: request.scaling, steps, conserve };
  const runtime = await runtimeForCheck();
  const inference = await Inference.load({
    autoencoder,
    emulator,
    threads: request.threads,
    // Its input here is drawn, and means nothing.
    onWarning: (message, kind) => kind === "compute" && tools.log(`warning: ${message}`),
  });
  const { engine, device, reason } = inference.compute;
  tools.log(`checking against the ${engine} engine on ${device}: ${reason}`);
  const made: { part: Part; bytes: Uint8Array; deviation: number }[] = [];
  try {
    const checker = new OnnxChecker(runtime, inference, models);
    for (const kind of kinds) {
      tools.signal.throwIfAborted();
      const part = partOf(kind, models, options);
      const bytes = whileBlocking(() => onnxFile(part, models));
      const deviation = await checker.deviation(bytes, part);
      checkDeviation(kind, deviation);
      tools.log(`${kind}: deviates by ${deviation.toExponential(1)} at most, in scaled units`);
      made.push({ part, bytes, deviation });
    }
  } finally {
    await inference.dispose();
  }
  tools.signal.throwIfAborted();
  const files = made.map(({ part, bytes, deviation }): ExportedFile => {
    const file = join(path(request.output), `${part.kind}.onnx`);
    writeFileAtomic(file, bytes);
    const ports = (list: Part["inputs"]) =>
      Object.fromEntries(list.map((each) => [each.name, ["batch", ...each.shape]]));
    const { kind, inputs, outputs } = part;
    return { path: file, kind, inputs: ports(inputs), outputs: ports(outputs), bytes: bytes.length, deviation };
  });
  return { files, opset: onnxOpset, scaling: request.scaling, tolerance, batches: checkedBatches };
}

function readModels(autoencoderPath: string, emulatorPath: string | undefined): Models {
  const autoencoder = readAutoencoder(autoencoderPath);
  if (emulatorPath === undefined) return { autoencoder, emulator: null };
  const weights = readEmulator(emulatorPath);
  return { autoencoder, emulator: { weights, latents: latentsOf(autoencoderPath, autoencoder, weights) } };
}

function checkSteps({ steps, only }: ExportRequest): void {
  if (steps === undefined) return;
  if (only !== undefined && only !== "rollout") {
    throw new ConfigError(`--steps is for the rollout, not for the ${only}`, { fix: "leave it out" });
  }
  if (!Number.isSafeInteger(steps) || steps < 1) {
    throw new ConfigError(`--steps is ${steps}; a rollout has one step or more`, { fix: "give a whole number from 1" });
  }
}

/** @throws NumericsError */
export function checkDeviation(kind: PartKind, deviation: number): void {
  if (deviation <= tolerance) return;
  const [found, allowed] = [deviation.toExponential(1), tolerance.toExponential(0)];
  throw new NumericsError(`the ${kind} deviates from Inference by ${found} in scaled units; ${allowed} is allowed`, {
    fix: `nothing was written: look for weights or ranges that are extreme${kind === "rollout" ? ", or take fewer --steps" : ""}`,
  });
}
