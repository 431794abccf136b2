import { conditionRoles, nameOfRole, parameterAliases, unitFactor } from "./physical-parameters.ts";
import { isSpeciesName } from "./species.ts";
import { renameColumn } from "./species-names.ts";

/** What a column is by its name, and its unit where the name has one. */
export interface ColumnReading {
  /** Our name: Time, Model, a condition, a species. */
  readonly name: string;
  readonly isSpecies: boolean;
  /** As the name writes it: `cm^-3` of `nH [cm^-3]`. */
  readonly unit: string | undefined;
  /** Whether the name is ours, or UCLCHEM's. */
  readonly isOurs: boolean;
  /** Whether it can be nothing else: `time_s`, not `t`. */
  readonly isSure: boolean;
}

/** `x_CO`, `n(CO)`, `abundance CO`. */
const marked = /^(?:x|y|n|f|abund|abundance|frac|fraction)[_ :([]+(.+?)[)\]]?$/i;

/** What a column is by its name; undefined where the name does not say. */
export function readColumnName(column: string): ColumnReading | undefined {
  const name = column.trim();
  const ours = renameColumn(name);
  const certain = { unit: undefined, isOurs: true, isSure: true };
  if (conditionRoles.includes(ours)) return { name: ours, isSpecies: false, ...certain };
  // Of one letter, K, N and P are elements.
  if (isSpeciesName(name)) return { name, isSpecies: true, ...certain };
  const species = marked.exec(name)?.[1];
  if (species !== undefined && isSpeciesName(species))
    return { name: species, isSpecies: true, unit: undefined, isOurs: false, isSure: false };
  const role = roleOf(name);
  if (role !== undefined) return condition(role, undefined);
  const [, base, unit] = /^(.*?)\s*(?:\[(.*)\]|\((.*)\))$/.exec(name)?.filter((part) => part !== undefined) ?? [];
  const bracketed = base === undefined ? undefined : roleOf(base);
  if (bracketed !== undefined) return condition(bracketed, unit);
  for (const { index, 0: sign } of name.matchAll(/[_ ,]+(?:in[_ ])?/g)) {
    const [suffixed, ending] = [roleOf(name.slice(0, index)), name.slice(index + sign.length)];
    if (suffixed !== undefined && unitFactor(suffixed.name, ending) !== undefined) return condition(suffixed, ending);
  }
  return undefined;
}

type Alias = { readonly name: string; readonly isSure: boolean };

function condition(alias: Alias, unit: string | undefined): ColumnReading {
  return { ...alias, isSpecies: false, unit, isOurs: false };
}

function roleOf(name: string): Alias | undefined {
  if (name === "T") return { name: nameOfRole("gas_temperature"), isSure: false };
  return parameterAliases.get(name.toLowerCase().replace(/[^a-z0-9]/g, ""));
}
