import { NameReader, type NamingOptions, type Phase } from "../../chemistry/name-reader.ts";
import { unusedColumns, usualParameters } from "../../chemistry/physical-parameters.ts";
import { isSpeciesName } from "../../chemistry/species.ts";
import { matchNames, renameColumn } from "../../chemistry/species-names.ts";
import type { SpeciesSummary } from "./inspection.ts";
import type { InspectionSettings } from "./settings.ts";

/** A column of a frame: as the file names it, and as this package does. */
export interface NamedColumn {
  readonly column: string;
  readonly name: string;
}

/** What the columns of a frame are. Each is in one of the lists. */
export interface ColumnRoles {
  readonly metadata: readonly NamedColumn[];
  readonly physical: readonly NamedColumn[];
  /** Known conditions and sums that the surrogates have no use for. */
  readonly ignored: readonly NamedColumn[];
  readonly species: readonly NamedColumn[];
  readonly unknown: readonly NamedColumn[];
  /** Names that several columns have. */
  readonly repeated: readonly string[];
}

/** Tells the columns apart by their names alone. */
export function columnRoles(columns: readonly string[], settings: InspectionSettings): ColumnRoles {
  const roles = { metadata: [], physical: [], ignored: [], species: [], unknown: [] } as Record<string, NamedColumn[]>;
  const metadata = new Set([...settings.metadata, "Index", "Model", "Time"]);
  const physical = new Set([...settings.phys, ...usualParameters]);
  const listed = new Set(settings.species);
  const ignored = new Set([...settings.columnsToDrop, ...unusedColumns, "point"]);
  const seen = new Set<string>();
  const repeated = new Set<string>();
  const nameOf = namesAfter(columns, [...metadata, ...physical, ...listed], settings.naming);
  for (const column of columns) {
    const name = nameOf(column.trim());
    if (seen.has(name)) repeated.add(name);
    seen.add(name);
    const role = metadata.has(name)
      ? "metadata"
      : physical.has(name)
        ? "physical"
        : ignored.has(name)
          ? "ignored"
          : listed.has(name) || isSpeciesName(name, settings.naming)
            ? "species"
            : "unknown";
    roles[role]!.push({ column, name });
  }
  return { ...(roles as unknown as Omit<ColumnRoles, "repeated">), repeated: [...repeated] };
}

/** What each column will be called: as the list has it; else renamed, unless that would make two species one. */
function namesAfter(
  columns: readonly string[],
  wanted: readonly string[],
  naming: NamingOptions,
): (column: string) => string {
  const names = columns.map((column) => column.trim());
  const { sources } = matchNames(wanted, names, naming);
  const ownNames = new Map([...sources].map(([name, source]) => [source, name]));
  const counts = new Map<string, number>();
  for (const name of names.map(renameColumn)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return (column) => {
    const renamed = renameColumn(column);
    const isSpecies = isSpeciesName(renamed, naming);
    return ownNames.get(column) ?? (isSpecies && counts.get(renamed)! > 1 ? column : renamed);
  };
}

/** Species by phase, and which of them a list does not have. @param phases of each name, where that is known */
export function summarizeSpecies(
  names: readonly string[],
  listed: readonly string[],
  naming: NamingOptions = {},
  phases: readonly Phase[] = names.map((name) => NameReader.of(naming).phaseOf(name)),
): SpeciesSummary {
  const { sources } = matchNames(names, listed, naming);
  const [known, present] = [new Set(sources.keys()), new Set(sources.values())];
  const count = (wanted: Phase): number => phases.filter((phase) => phase === wanted).length;
  const [surface, bulk] = [count("surface"), count("bulk")];
  return {
    count: names.length,
    gas: names.length - surface - bulk,
    surface,
    bulk,
    not_listed: names.filter((name) => !known.has(name)),
    missing: listed.filter((name) => !present.has(name)),
  };
}
