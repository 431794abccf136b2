import { z } from "zod";
import { isMap } from "../config/difference.ts";
import { CheckpointError } from "../errors.ts";
import { checkedContent } from "../formats/checked-content.ts";
import {
  type NamedTensor,
  readSafetensors,
  type SafetensorsContent,
  writeSafetensors,
} from "../formats/safetensors.ts";
import { trainingMetadata, trainingPrefix } from "../models/weights-file.ts";
import { packageVersion } from "../version.ts";
import type { TrainingState, TrainingValues } from "./training-state.ts";

/** The version of the checkpoints that this program writes; see CHANGELOG.md for what changed with each. */
const checkpointFormatVersion = 1;

/** What a checkpoint belongs to: a resumed training has to agree in all of it. Values that JSON can hold. */
export type CheckpointOrigin = Readonly<Record<string, unknown>>;

/** A state with what it belongs to. */
export interface Checkpoint {
  readonly origin: CheckpointOrigin;
  /** The run's configuration. */
  readonly config: unknown;
  readonly state: TrainingState;
}

/** A checkpoint as arrays and metadata of a safetensors file. */
export function encodeCheckpoint({ origin, config, state }: Checkpoint): SafetensorsContent {
  const tensors = Object.entries(state.arrays).map(([name, data]): [string, NamedTensor] => [
    `${trainingPrefix}${name}`,
    { dtype: data instanceof Float64Array ? "F64" : "F32", shape: [data.length], data: data.slice() },
  ]);
  const { values } = state;
  const header = { format_version: checkpointFormatVersion, astrochem: packageVersion, origin, config, values };
  return { tensors: new Map(tensors), metadata: { [trainingMetadata]: stringify(header) } };
}

/** @throws CheckpointError where the file holds no checkpoint, or one of a newer format */
export function decodeCheckpoint(path: string, { tensors, metadata }: SafetensorsContent): Checkpoint {
  const text = metadata[trainingMetadata];
  if (text === undefined) {
    throw new CheckpointError(`${path} holds no state of a training: weights alone cannot be resumed`, {
      where: path,
      fix: "give the run's folder, or train on from the weights: --warm-start",
    });
  }
  const header = parse(path, text);
  const version = header.format_version;
  if (typeof version !== "number" || version > checkpointFormatVersion) {
    throw new CheckpointError(
      `${path} has checkpoint format ${version}; this version reads up to ${checkpointFormatVersion}`,
      { where: path, fix: `resume with astrochem ${header.astrochem ?? "of a newer version"}, which wrote it` },
    );
  }
  const arrays: Record<string, Float32Array | Float64Array> = {};
  for (const [name, { data }] of tensors) {
    if (!name.startsWith(trainingPrefix)) continue;
    if (!(data instanceof Float32Array || data instanceof Float64Array)) throw damaged(path, `${name} holds integers`);
    arrays[name.slice(trainingPrefix.length)] = data;
  }
  const { origin, config, values } = checkedContent(whole, header, { where: path, fix, failure: CheckpointError });
  return { origin, config, state: { arrays, values: values as unknown as TrainingValues } };
}

const count = z.int().nonnegative();
/** The parts that every training state has; what is inside of them is the trainer's own. */
const whole = z.looseObject({
  origin: z.record(z.string(), z.unknown()),
  config: z.unknown(),
  values: z.looseObject({
    ...{ steps: count, epoch: count, elapsed_ms: z.number().nonnegative(), skipped_in_a_row: count },
    position: z.looseObject({ batch: count, random: z.array(z.number()) }).nullable(),
    phase: z.looseObject({ index: count, epochs: count, steps: count }),
    best: z.looseObject({ steps: count, epoch: count }).nullable(),
    log: z.array(z.looseObject({ epoch: count })),
  }),
});

/** Writes a checkpoint whole: temporary name, sync, rename. @throws DataError where it cannot be written */
export function writeCheckpoint(path: string, checkpoint: Checkpoint): void {
  const { tensors, metadata } = encodeCheckpoint(checkpoint);
  writeSafetensors(path, tensors, { kind: "training", ...metadata });
}

/** @throws CheckpointError where the file is absent, damaged, no checkpoint, or of a newer format */
export function readCheckpoint(path: string): Checkpoint {
  return decodeCheckpoint(path, readSafetensors(path));
}

/** @throws CheckpointError naming everything in which a checkpoint differs from the training that is to go on with it */
export function checkOrigin(path: string, found: CheckpointOrigin, wanted: CheckpointOrigin): void {
  // Earlier versions knew one model of each kind, and did not name it.
  const [there, here] = [found, wanted].map((each): CheckpointOrigin => ({ model_name: each.kind, ...each }));
  const names = [...new Set([...Object.keys(there!), ...Object.keys(here!)])];
  const differing = names.filter((name) => JSON.stringify(there![name]) !== JSON.stringify(here![name]));
  if (differing.length === 0) return;
  const parts = differing.map((name) => `${name} (${show(there![name])} there, ${show(here![name])} here)`);
  throw new CheckpointError(`${path} was made with another ${parts.join(", ")}`, {
    where: path,
    fix: "restore what it was made with, or start anew without --resume",
  });
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "none";
  return text.length > 20 ? `${text.slice(0, 12)}…` : text;
}

/** JSON has no infinity and no NaN, which are values of a schedule at its start and of a loss gone wrong. */
function stringify(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === "number" && !Number.isFinite(each) ? { nonfinite: String(each) } : each,
  );
}

function parse(path: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text, (_, each: unknown) =>
      isMap(each) && typeof each.nonfinite === "string" ? Number(each.nonfinite) : each,
    );
    if (isMap(value)) return value;
  } catch {
    // Told below.
  }
  throw damaged(path, "its metadata are not JSON");
}

const fix = "resume from another checkpoint, or start anew";

function damaged(path: string, what: string): CheckpointError {
  return new CheckpointError(`${path} holds a damaged checkpoint: ${what}`, {
    where: path,
    fix,
  });
}
