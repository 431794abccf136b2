import { originalNames, renameColumn } from "../chemistry/species-names.ts";
import { ConfigError, DataError, nearest, sameButForCase } from "../errors.ts";
import { timestepColumn } from "./time-steps.ts";

/** The columns a clean dataset is to have. */
export interface WantedColumns {
  /** Must be Index, Model and Time, in the order wanted. */
  metadata: readonly string[];
  phys: readonly string[];
  species: readonly string[];
  /** Names after or before renaming; those absent are ignored. */
  columnsToDrop: readonly string[];
}

/** Which raw column feeds which clean one. */
export interface ColumnPlan {
  /** The raw column of tracer ids. */
  readonly tracer: string;
  /** Raw columns to read, in the order of `floats`. */
  readonly sources: readonly string[];
  /** Clean columns kept as float32: Time, then the physical parameters, then the species. */
  readonly floats: readonly string[];
  /** All clean columns in their order. */
  readonly order: readonly string[];
  readonly renamed: number;
  readonly dropped: readonly string[];
  /** Raw columns that the clean dataset has no use for. */
  readonly ignored: readonly string[];
}

/**
 * Renames, drops and picks the raw columns.
 * @throws DataError naming columns that are missing or that two raw columns share after renaming
 * @throws ConfigError where the metadata are not Index, Model and Time
 */
export function planColumns(raw: readonly string[], wanted: WantedColumns, where: string): ColumnPlan {
  const metadata = [...wanted.metadata].sort().join(", ");
  if (metadata !== "Index, Model, Time") {
    throw new ConfigError(`dataset.metadata must be Index, Model and Time, not ${wanted.metadata.join(", ")}`);
  }
  const names = raw.map(renameColumn);
  const drop = new Set(wanted.columnsToDrop);
  const kept = new Map<string, string>();
  for (const [i, name] of names.entries()) {
    if (drop.has(name) || drop.has(raw[i]!.trim())) continue;
    const other = kept.get(name);
    if (other !== undefined) throw duplicate(name, other, raw[i]!, where);
    kept.set(name, raw[i]!);
  }
  const floats = ["Time", ...wanted.phys, ...wanted.species];
  const twice = floats.find((name, i) => floats.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ConfigError(`\`${twice}\` is asked for twice among physical parameters and species`);
  // The times stand in for the steps until these are known.
  if (floats.includes(timestepColumn) && kept.has("Time")) kept.set(timestepColumn, kept.get("Time")!);
  const missing = ["Model", ...floats].filter((name) => !kept.has(name));
  if (missing.length > 0)
    throw missingColumns(
      missing,
      names.filter((name) => !floats.includes(name)),
      drop,
      where,
    );
  const used = new Set(["Model", ...floats]);
  return {
    tracer: kept.get("Model")!,
    sources: floats.map((name) => kept.get(name)!),
    floats,
    order: [...wanted.metadata, ...wanted.phys, ...wanted.species],
    renamed: names.filter((name, i) => name !== raw[i]!.trim()).length,
    dropped: names.filter((name, i) => drop.has(name) || drop.has(raw[i]!.trim())),
    ignored: [...kept.keys()].filter((name) => !used.has(name)),
  };
}

function duplicate(name: string, first: string, second: string, where: string): DataError {
  const isChoice = first.trim() !== second.trim();
  const fix = isChoice
    ? `list the one you do not want under columns_to_drop: ${first.trim()} or ${second.trim()}`
    : "remove one of them from the file";
  return new DataError(`the columns \`${first}\` and \`${second}\` are both \`${name}\` after renaming`, {
    where,
    fix,
  });
}

/** How many missing columns an error spells out. */
const SHOWN = 8;

/** @param unused names that stand in the file and that nothing else asks for */
function missingColumns(missing: string[], unused: string[], drop: Set<string>, where: string): DataError {
  const renames: string[] = [];
  const described = missing.map((name) => {
    const originals = originalNames(name);
    const [same] = [...originals, name].flatMap((each) => sameButForCase(each, unused) ?? []);
    // Of names as short as H2 every other one is near.
    const guess = same ?? (name.length > 3 ? nearest(name, unused) : undefined);
    if (drop.has(name)) return `\`${name}\` (listed under columns_to_drop)`;
    if (same !== undefined) renames.push(`${JSON.stringify(same)}: ${JSON.stringify(originals[0] ?? name)}`);
    const notes = [
      originals.length > 0 && `raw files call it ${originals.map((o) => `\`${o}\``).join(" or ")}`,
      (same !== undefined || originals.length === 0) && guess !== undefined && `is it \`${guess}\`?`,
    ].filter((note) => note !== false);
    return notes.length > 0 ? `\`${name}\` (${notes.join("; ")})` : `\`${name}\``;
  });
  const rest = missing.length > SHOWN ? ` and ${missing.length - SHOWN} more` : "";
  const what = missing.length === 1 ? "a column is missing" : `${missing.length} columns are missing`;
  const fix = "add them to the file, or correct the species list and the physical parameters of the dataset's config";
  return new DataError(`${what}: ${described.slice(0, SHOWN).join(", ")}${rest}`, {
    where,
    fix: renames.length > 0 ? `frame = frame.rename(columns={${renames.join(", ")}}); or ${fix}` : fix,
  });
}
