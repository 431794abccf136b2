import { z } from "zod";
import type { Hdf5File } from "../data/hdf5.ts";
import { makeShard, openShard, type ShardPlace, shardFile, shardHead } from "../data/shard-file.ts";
import { DataError } from "../errors.ts";
import type { EvaluationRequest, EvaluationTools } from "./evaluation-setup.ts";
import { findShare, isOwn } from "./evaluation-share.ts";
import type { Findings, Found, FoundArray, Part } from "./findings.ts";

/** What making a shard did. */
export interface EvaluationShard {
  readonly shard: number;
  readonly shards: number;
  readonly outputPath: string;
  /** That were looked at. */
  readonly tracers: number;
}

/** The shards of an evaluation: how many, where, and the words that make one. */
export interface EvaluationShards extends Pick<ShardPlace, "count" | "command"> {
  readonly folder: string;
}

/** Looks at the blocks of one shard, and keeps what was found. @throws DataError as `evaluateSurrogate` does */
export async function writeEvaluationShard(
  request: EvaluationRequest,
  tools: EvaluationTools,
  { folder, count, index }: EvaluationShards & { readonly index: number },
): Promise<EvaluationShard> {
  const outputPath = shardFile(folder, index, count);
  const { tracers } = await makeShard({ path: outputPath, index }, settingsOf(request, count), async (file) => ({
    tracers: await findShare(request, tools, { index, count }, (part, block, item, found) => {
      const name = groupOf(part, block, item);
      file.createGroup(name);
      for (const [key, array] of Object.entries(found)) if (array?.length) writeArray(file, `${name}/${key}`, array);
    }),
  }));
  tools.log(`wrote shard ${index} of ${count}`);
  return { shard: index, shards: count, outputPath, tracers };
}

/**
 * Opens all shards of an evaluation.
 * @throws DataError naming the shard that is missing, damaged, or of other weights, data or settings, with the words that make it anew
 */
export async function openEvaluationShards(
  request: EvaluationRequest,
  { folder, count, command }: EvaluationShards,
): Promise<Findings & { close(): void }> {
  const files: Hdf5File[] = [];
  const close = (): void => {
    for (const file of files) file.close();
  };
  try {
    const settings = settingsOf(request, count);
    for (let index = 0; index < count; index++) {
      const place = { path: shardFile(folder, index, count), index, count, command };
      files.push((await openShard(place, z.object(shardHead), settings)).hdf5);
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    *of(part, block) {
      const file = files.find((_, index) => isOwn(block, { index, count }))!;
      // There is one item at least: without it, this says what is missing.
      for (let item = 0; item === 0 || file.has(groupOf(part, block, item)); item++)
        yield readArrays(file, groupOf(part, block, item));
    },
    close,
  };
}

function groupOf({ name }: Part, block: number, item: number): string {
  return `${name}-${block}-${item}`;
}

/** What shapes the findings. Weights and data count by their hashes: they may lie elsewhere. */
function settingsOf(request: EvaluationRequest, count: number): Record<string, unknown> {
  const { files, clean, test, surrogate } = request;
  const { engine, device } = surrogate.compute;
  return {
    "number of shards": count,
    "version of astrochem": request.version,
    autoencoder: files.autoencoder.hash,
    emulator: files.emulator?.hash ?? null,
    dataset: clean.hash,
    "file of test tracers": test?.hash ?? null,
    "physical parameters": [request.physical, request.physicalRanges],
    max_tracers: request.maxTracers,
    max_rows: request.maxRows,
    max_windows: request.maxWindows,
    seed: request.seed,
    conserve: request.conserve ?? true,
    "engine or device": [engine, device],
  };
}

const types = [
  [Float32Array, "<f4"],
  [Float64Array, "<f8"],
  [Int32Array, "<i4"],
] as const;

function writeArray(file: Hdf5File, path: string, array: FoundArray): void {
  const [, dtype] = types.find(([type]) => array instanceof type)!;
  file.createDataset(path, { shape: [array.length], dtype }).writeRows(0, array.length, array);
}

function readArrays(file: Hdf5File, group: string): Found {
  const keys = file.keys(group);
  if (keys.length === 0) throw new DataError(`the shard lacks ${group}`, { where: file.path, fix: "make it anew" });
  const arrays = keys.map((key) => {
    const dataset = file.dataset(`${group}/${key}`);
    const [type] = types.find(([, dtype]) => dtype === dataset.dtype)!;
    const array = new type(dataset.rows);
    dataset.readRows(0, dataset.rows, array);
    return [key, array] as const;
  });
  return Object.fromEntries(arrays);
}
