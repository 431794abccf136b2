import type { z } from "zod";
import { schemaAt } from "./schema-walk.ts";
import { type ConfigNode, fromValue, getNode, type MapNode, type Path, removeNode, setNode, toValue } from "./tree.ts";

/** Keys of the original's files, and of earlier versions', that say what follows from others. A model that has one of them keeps it. */
const ignored: Readonly<Record<string, readonly string[]>> = {
  dataset: ["species", "num_species", "num_phys", "num_metadata"],
  autoencoder: ["input_dim", "latent_dim", "columns", "num_columns"],
  model: ["input_dim", "latent_dim", "output_dim", "columns", "num_columns", "shuffle"],
};

/**
 * A configuration that an earlier version wrote, or was written for, in the words of this one.
 * @param notes  where a line is added for each thing that was put otherwise
 */
export function inCurrentWords(tree: MapNode, schema: z.ZodType, notes: string[]): MapNode {
  const value = toValue(tree);
  const found = Object.entries(ignored)
    .flatMap(([section, keys]) => keys.map((key): Path => [section, key]))
    .filter((path) => getNode(tree, path) && !schemaAt(schema, path, value))
    .filter(([section]) => getNode(tree, [section!])?.kind === "map");
  if (found.length > 0) {
    const names = found.map((path) => path.join(".")).join(", ");
    notes.push(`ignored, as it follows from the species file and from other keys: ${names}`);
  }
  return withCurrentLosses(
    found.reduce((at, path) => removeNode(at, path), tree),
    notes,
  );
}

function withCurrentLosses(tree: MapNode, notes: string[]): MapNode {
  const phases = getNode(tree, ["recipe", "phases"]);
  if (phases?.kind !== "list") return tree;
  const own = new Set<string>();
  const result = phases.items.reduce<MapNode>((at, phase, index) => {
    const loss = getNode(phase, ["loss"]);
    if (loss?.kind !== "map") return at;
    const replaced = setNode(at, ["recipe", "phases", String(index), "loss"], currentLoss(loss, own));
    return "tree" in replaced ? replaced.tree : at;
  }, tree);
  notes.push(...own);
  return result;
}

/** Beyond so many dex float32 has no number: a cap there is none. */
const noCap = 38;

/**
 * Once `exponential` without a cap was the original's loss (of latents the plain exponential), and every loss had every key: a file with
 * both `corner` and `cap` was written by the program, and what is another loss's in it had no effect.
 */
function currentLoss(loss: MapNode, notes: Set<string>): MapNode {
  const entries = new Map(loss.entries);
  const written = (key: string) => {
    const node = loss.entries.get(key);
    return node && toValue(node);
  };
  const put = (key: string, value: string | number): ConfigNode =>
    fromValue(value, entries.get(key)?.place ?? loss.place);
  const drop = (...keys: string[]): void => {
    for (const key of keys) entries.delete(key);
  };
  const isWrittenOut = entries.has("corner") && entries.has("cap");
  if (written("cap") === null) drop("cap");
  const name = written("name") ?? "exponential";
  const isUncapped = name === "exponential" && !entries.has("cap");
  if (isUncapped && written("of") === "latents") {
    entries.set("cap", put("cap", noCap));
    notes.add(`read \`loss.name: exponential\` of latents without a cap as \`cap: ${noCap}\`, which nothing reaches`);
  } else if (isUncapped) {
    if (entries.has("name")) notes.add("read `loss.name: exponential` without a cap as `loss.name: original`");
    if (isWrittenOut) drop("worst_weight", "conservation_weight");
  }
  const current = isUncapped && written("of") !== "latents" ? "original" : name;
  if (isWrittenOut && current !== "huber") drop("corner");
  if (isWrittenOut && current !== "exponential") drop("cap");
  if (typeof current === "string") entries.set("name", put("name", current));
  return { ...loss, entries };
}
