import type { z } from "zod";
import { schemaAt } from "./schema-walk.ts";
import { type ConfigValue, fromValue, getNode, type MapNode, type Path, removeNode, setNode, toValue } from "./tree.ts";

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
  const found = Object.entries(ignored)
    .flatMap(([section, keys]) => keys.map((key): Path => [section, key]))
    .filter((path) => getNode(tree, [path[0]!])?.kind === "map" && getNode(tree, path))
    .filter((path) => !schemaAt(schema, path, toValue(tree)));
  const names = found.map((path) => path.join(".")).join(", ");
  if (names !== "") notes.push(`ignored, as it follows from the species file and from other keys: ${names}`);
  const known = found.reduce(removeNode, tree);
  const phases = getNode(known, ["recipe", "phases"]);
  if (phases?.kind !== "list") return known;
  const told = new Set<string>();
  const items = phases.items.map((phase) => {
    const loss = getNode(phase, ["loss"]);
    if (phase.kind !== "map" || loss?.kind !== "map") return phase;
    return { ...phase, entries: new Map(phase.entries).set("loss", currentLoss(loss, told)) };
  });
  notes.push(...told);
  return (setNode(known, ["recipe", "phases"], { ...phases, items }) as { tree: MapNode }).tree;
}

/** Beyond so many dex float32 has no number: a cap there is none. */
const noCap = 38;

/**
 * Once `exponential` without a cap was the original's loss (of latents the plain exponential), and every loss had every key: a file with
 * both `corner` and `cap` was written by the program, and what is another loss's in it had no effect.
 */
function currentLoss(loss: MapNode, notes: Set<string>): MapNode {
  const entries = new Map(loss.entries);
  const written = toValue(loss) as Readonly<Record<string, ConfigValue>>;
  const put = (key: string, value: ConfigValue): unknown =>
    entries.set(key, fromValue(value, entries.get(key)?.place ?? loss.place));
  if (written.cap === null) entries.delete("cap");
  let name = written.name ?? "exponential";
  if (name === "exponential" && !entries.has("cap") && written.of === "latents") {
    put("cap", noCap);
    notes.add(`read \`loss.name: exponential\` of latents without a cap as \`cap: ${noCap}\`, which nothing reaches`);
  } else if (name === "exponential" && !entries.has("cap")) {
    name = "original";
    if (entries.has("name")) notes.add("read `loss.name: exponential` without a cap as `loss.name: original`");
  }
  const weights = name === "original" ? ["worst_weight", "conservation_weight"] : [];
  const others = [...weights, ...(name === "huber" ? [] : ["corner"]), ...(name === "exponential" ? [] : ["cap"])];
  if ("corner" in written && "cap" in written) for (const key of others) entries.delete(key);
  put("name", name);
  return { ...loss, entries };
}
