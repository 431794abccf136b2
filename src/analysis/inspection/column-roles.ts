import { parseSpecies } from "../../chemistry/species.ts";
import { renameColumn } from "../../chemistry/species-names.ts";
import { AstrochemError } from "../../errors.ts";
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

const knownConditions = ["Density", "Radfield", "Av", "gasTemp"];
const knownIgnored = ["dustTemp", "dstep", "zeta", "SURFACE", "BULK", "point"];

/** Units of the conditions that UCLCHEM writes. */
export const unitOf: Readonly<Record<string, string>> = {
  Density: "cm^-3",
  Radfield: "Habing",
  Av: "mag",
  gasTemp: "K",
  dustTemp: "K",
  Time: "yr",
};

/** Tells the columns apart by their names alone. */
export function columnRoles(columns: readonly string[], settings: InspectionSettings): ColumnRoles {
  const roles = { metadata: [], physical: [], ignored: [], species: [], unknown: [] } as Record<string, NamedColumn[]>;
  const metadata = new Set([...settings.metadata, "Index", "Model", "Time"]);
  const physical = new Set([...settings.phys, ...knownConditions]);
  const listed = new Set(settings.species);
  const ignored = new Set([...settings.columnsToDrop, ...knownIgnored]);
  const seen = new Set<string>();
  const repeated = new Set<string>();
  for (const column of columns) {
    const name = renameColumn(column);
    const isRepeated = seen.has(name);
    if (isRepeated) repeated.add(name);
    seen.add(name);
    const role = metadata.has(name)
      ? "metadata"
      : physical.has(name)
        ? "physical"
        : ignored.has(name)
          ? "ignored"
          : listed.has(name) || isFormula(name)
            ? "species"
            : "unknown";
    roles[role]!.push({ column, name });
  }
  return { ...(roles as unknown as Omit<ColumnRoles, "repeated">), repeated: [...repeated] };
}

/** Species by phase, and which of them a list does not have. */
export function summarizeSpecies(names: readonly string[], listed: readonly string[]): SpeciesSummary {
  const [known, present] = [new Set(listed), new Set(names)];
  const count = (prefix: string): number => names.filter((name) => name.startsWith(prefix)).length;
  const [surface, bulk] = [count("#"), count("@")];
  return {
    count: names.length,
    gas: names.length - surface - bulk,
    surface,
    bulk,
    not_listed: names.filter((name) => !known.has(name)),
    missing: listed.filter((name) => !present.has(name)),
  };
}

function isFormula(name: string): boolean {
  // A formula is short: of a name of any length the pattern would be tried all along.
  if (name.length > 40) return false;
  try {
    parseSpecies(name);
    return true;
  } catch (error) {
    if (error instanceof AstrochemError) return false;
    throw error;
  }
}
