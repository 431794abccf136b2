import { basename, dirname, join } from "node:path";
import { CheckpointError } from "../errors.ts";
import { decodeStateDicts, readBytes, type StateDicts, severalStateDicts } from "../formats/pytorch.ts";
import { decodeSafetensors, type NamedTensor } from "../formats/safetensors.ts";

/** Arrays as another program saved them, under the names that a model gives them. */
export interface SavedArrays {
  readonly arrays: ReadonlyMap<string, NamedTensor>;
  /** What was taken and what was passed over, a line each. */
  readonly notes: readonly string[];
}

/**
 * Reads the arrays of a model from PyTorch's file (a state_dict, or a checkpoint with one), from safetensors, or from shards by their
 * index (`*.index.json`). A prefix that wrappers put before the names (`_orig_mod.`, `module.`, `model.`) is taken off.
 * @param wanted  names of the model's arrays: of several state_dicts the one that has them is meant
 * @throws CheckpointError where the file is absent, damaged, no weights, or holds several state_dicts that fit as well
 */
export function readSavedArrays(path: string, wanted: ReadonlySet<string>): SavedArrays {
  const dicts = readDicts(path);
  const fits = [...dicts].map(([place, arrays]) => ({ place, arrays, ...prefixOf([...arrays.keys()], wanted) }));
  const most = Math.max(...fits.map(({ matches }) => matches));
  // Where none has the names, the outermost says best what is wrong.
  const best = most === 0 ? fits.slice(0, 1) : fits.filter(({ matches }) => matches === most);
  if (best.length > 1)
    throw severalStateDicts(
      best.map(({ place }) => place),
      path,
    );
  const { place, arrays, prefix } = best[0]!;
  const others = [...dicts.keys()].filter((other) => other !== place);
  const notes = place === "" ? [] : [`took the arrays in \`${place}\`${listed(", not those in ", others)}`];
  const renamed = withoutPrefix(arrays, prefix, most === wanted.size, notes);
  return { arrays: renamed, notes: notes.map((note) => `${basename(path)}: ${note}`) };
}

function withoutPrefix(
  arrays: ReadonlyMap<string, NamedTensor>,
  prefix: string,
  isComplete: boolean,
  notes: string[],
): Map<string, NamedTensor> {
  if (prefix === "") return new Map(arrays);
  const inside = [...arrays].filter(([name]) => name.startsWith(prefix));
  const outside = [...arrays].filter(([name]) => !name.startsWith(prefix));
  notes.push(`took the prefix \`${prefix}\` off the names`);
  // A whole model stands under the prefix: the rest (a loss's tables, a counter of averages) belongs to something else.
  if (isComplete && outside.length > 0)
    notes.push(
      `passed over${listed(
        " ",
        outside.map(([name]) => name),
      )}`,
    );
  return new Map([
    ...inside.map(([name, array]) => [name.slice(prefix.length), array] as const),
    ...(isComplete ? [] : outside),
  ]);
}

/** What stands before the most of the wanted names. `matches`: how many that are. */
function prefixOf(names: readonly string[], wanted: ReadonlySet<string>): { prefix: string; matches: number } {
  const counts = new Map<string, number>();
  for (const name of names) {
    for (let from = 0; from >= 0; from = next(name, from)) {
      if (wanted.has(name.slice(from))) counts.set(name.slice(0, from), (counts.get(name.slice(0, from)) ?? 0) + 1);
    }
  }
  const [prefix, matches] = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), ["", 0] as [string, number]);
  return { prefix: matches > 0 ? prefix : wrapperOf(names), matches };
}

/** Where the part of `name` after the one at `from` begins; -1 after the last. */
function next(name: string, from: number): number {
  const dot = name.indexOf(".", from);
  return dot < 0 ? -1 : dot + 1;
}

/** What wrappers put before every name; of a model of other names, so that the error shows these as they are. */
function wrapperOf(names: readonly string[]): string {
  const wrapper = /^((_orig_mod|module|model)\.)*/.exec(names[0] ?? "")![0];
  return names.every((name) => name.startsWith(wrapper)) ? wrapper : "";
}

function listed(before: string, names: readonly string[]): string {
  if (names.length === 0) return "";
  return `${before}${names.slice(0, 5).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}`;
}

/** The file by what it holds, whatever it is called. */
function readDicts(path: string): StateDicts {
  const bytes = readBytes(path);
  if (bytes[0] === 0x7b) return new Map([["", readShards(bytes, path)]]);
  // A safetensors header is JSON after eight bytes of its length.
  if (bytes[8] !== 0x7b) return decodeStateDicts(bytes, path);
  const { tensors, metadata } = decodeSafetensors(bytes, path);
  if (metadata.format_version === undefined || metadata.kind === undefined) return new Map([["", tensors]]);
  throw new CheckpointError(`${path} is astrochem's own ${metadata.kind} already`, {
    where: path,
    fix: "use it as it is: an import would lose what it knows of its training",
  });
}

/** Arrays spread over several files, which an index beside them names: `{"weight_map": {"net.0.weight": "model-00001-of-00002.safetensors"}}`. */
function readShards(bytes: Uint8Array, path: string): Map<string, NamedTensor> {
  const map = weightMap(bytes, path);
  const shards = new Map<string, StateDicts>();
  const arrays = new Map<string, NamedTensor>();
  for (const [name, shard] of map) {
    const file = join(dirname(path), shard);
    if (!shards.has(shard)) shards.set(shard, readDicts(file));
    const array = shards.get(shard)!.get("")?.get(name);
    if (array === undefined) {
      throw new CheckpointError(`${file} does not hold the array ${name}, which its index names there`, {
        where: path,
        fix: "copy the index and all its shards anew",
      });
    }
    arrays.set(name, array);
  }
  return arrays;
}

/** @returns array → shard's file @throws CheckpointError */
function weightMap(bytes: Uint8Array, path: string): [string, string][] {
  let map: unknown;
  try {
    map = (JSON.parse(Buffer.from(bytes).toString()) as { weight_map?: unknown }).weight_map;
  } catch (cause) {
    throw notAnIndex(path, "it is not JSON", cause);
  }
  if (typeof map !== "object" || map === null) throw notAnIndex(path, "it has no weight_map");
  const entries = Object.entries(map as Record<string, unknown>);
  for (const [, shard] of entries) {
    const isPlain = typeof shard === "string" && basename(shard) === shard && !/^\.*$|\0|\.json$|\\/.test(shard);
    if (!isPlain) throw notAnIndex(path, `it names the shard ${JSON.stringify(shard)}, which is no file beside it`);
  }
  return entries as [string, string][];
}

function notAnIndex(path: string, why: string, cause?: unknown): CheckpointError {
  return new CheckpointError(`${path} is not an index of shards: ${why}`, {
    where: path,
    fix: "give the .pth or safetensors file, or the model.safetensors.index.json beside its shards",
    cause,
  });
}
