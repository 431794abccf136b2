import type { NamingOptions } from "../chemistry/name-reader.ts";
import { timestepColumn } from "../chemistry/physical-parameters.ts";
import { matchNames, originalNames, renameColumn, suggestName } from "../chemistry/species-names.ts";
import { ConfigError, DataError, sameButForCase } from "../errors.ts";

/** The columns a clean dataset is to have. */
export interface WantedColumns {
  /** Must be Index, Model and Time, in the order wanted. */
  metadata: readonly string[];
  phys: readonly string[];
  species: readonly string[];
  /** How names are read where the file spells them otherwise. */
  naming?: NamingOptions;
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
  /** `e- as E-`: columns found in another spelling. */
  readonly respelt: readonly string[];
  readonly dropped: readonly string[];
  /** Raw columns that the clean dataset has no use for. */
  readonly ignored: readonly string[];
  /** Of them, those that would be a species of the list if renamed, beside a column that is called so: another species. */
  readonly rivals: readonly string[];
}

/**
 * Renames, drops and picks the raw columns.
 * @throws DataError naming columns that are missing, or a name that two columns have
 * @throws ConfigError where the metadata are not Index, Model and Time
 */
export function planColumns(raw: readonly string[], wanted: WantedColumns, where: string): ColumnPlan {
  const metadata = [...wanted.metadata].sort().join(", ");
  if (metadata !== "Index, Model, Time") {
    throw new ConfigError(`dataset.metadata must be Index, Model and Time, not ${wanted.metadata.join(", ")}`);
  }
  const names = raw.map((name) => name.trim());
  const isDropped = dropper(names, wanted.columnsToDrop);
  const kept = new Map<string, string>();
  for (const [i, name] of names.entries()) {
    if (isDropped(name)) continue;
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
  const all = ["Model", ...floats];
  const { sources, respelt } = matchNames(all, [...kept.keys()], wanted.naming);
  const missing = all.filter((name) => !sources.has(name));
  const used = new Set(sources.values());
  const ignored = [...kept.keys()].filter((name) => !used.has(name));
  if (missing.length > 0) throw missingColumns(missing, ignored, new Set(wanted.columnsToDrop), where);
  const rivals = ignored.filter((name) => sources.get(renameColumn(name)) === renameColumn(name));
  const twin = rivals.find((name) => !wanted.species.includes(renameColumn(name)));
  if (twin !== undefined) throw duplicate(renameColumn(twin), renameColumn(twin), twin, where);
  return {
    tracer: kept.get(sources.get("Model")!)!,
    sources: floats.map((name) => kept.get(sources.get(name)!)!),
    floats,
    order: [...wanted.metadata, ...wanted.phys, ...wanted.species],
    renamed: all.filter((name) => name !== sources.get(name)).length,
    respelt: respelt.map((name) => `${sources.get(name)} as ${name}`),
    dropped: names.filter(isDropped),
    ignored,
    rivals,
  };
}

/** A column is named as in the file, or as after renaming where the file has no column of that name. */
function dropper(names: readonly string[], columnsToDrop: readonly string[]): (name: string) => boolean {
  const present = new Set(names);
  const drop = new Set(columnsToDrop);
  const renamedOnly = new Set(columnsToDrop.filter((name) => !present.has(name)));
  return (name) => drop.has(name) || renamedOnly.has(renameColumn(name));
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
    const guess = same ?? (name.length > 3 ? suggestName(name, unused) : undefined);
    if (drop.has(name)) return `\`${name}\` (listed under columns_to_drop)`;
    const rivals = unused.filter((other) => renameColumn(other) === renameColumn(name));
    if (rivals.length > 1)
      return `\`${name}\` (${rivals.map((r) => `\`${r}\``).join(" or ")}? list the species by them)`;
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
