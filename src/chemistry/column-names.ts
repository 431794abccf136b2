import { parameterAliases, unitFactor } from "./physical-parameters.ts";
import { isSpeciesName } from "./species.ts";
import { renameColumn } from "./species-names.ts";

/** What a column is by its name, and its unit where the name has one. */
export interface ColumnReading {
  /** Our name: Time, Model, a condition, a species. */
  readonly name: string;
  readonly isSpecies: boolean;
  /** As the name writes it: `cm^-3` of `nH [cm^-3]`. */
  readonly unit: string | undefined;
  /** Whether the name says so for certain: ours, or UCLCHEM's. */
  readonly isOurs: boolean;
}

/** Names that other codes use, in lower case without signs. `T` and `t` differ by case alone. */
const aliases: Readonly<Record<string, readonly string[]>> = {
  ...parameterAliases,
  Model: [
    ...["tracer", "model", "particle", "track", "run", "cell", "parcel", "trajectory", "simulation", "history"].flatMap(
      (name) => [name, `${name}id`, `${name}number`, `${name}index`],
    ),
    ...["id", "pid", "traj"],
  ],
  zeta: ["zeta", "crir", "cosmicrayionizationrate", "cosmicrayionisationrate"],
};
const roles = new Map(Object.entries(aliases).flatMap(([name, list]) => list.map((alias) => [alias, name] as const)));

/** `x_CO`, `n(CO)`, `abundance CO`. */
const marked = /^(?:x|y|n|f|abund|abundance|frac|fraction)[_ :([]+(.+?)[)\]]?$/i;

/** What a column is by its name; undefined where the name does not say. */
export function readColumnName(column: string): ColumnReading | undefined {
  const name = column.trim();
  const ours = renameColumn(name);
  if (Object.hasOwn(aliases, ours)) return { name: ours, isSpecies: false, unit: undefined, isOurs: true };
  // Of one letter, K, N and P are elements.
  if (isSpeciesName(name)) return { name, isSpecies: true, unit: undefined, isOurs: true };
  const species = marked.exec(name)?.[1];
  if (species !== undefined && isSpeciesName(species))
    return { name: species, isSpecies: true, unit: undefined, isOurs: false };
  const role = roleOf(name);
  if (role !== undefined) return { name: role, isSpecies: false, unit: undefined, isOurs: false };
  const [, base, unit] = /^(.*?)\s*(?:\[(.*)\]|\((.*)\))$/.exec(name)?.filter((part) => part !== undefined) ?? [];
  const bracketed = base === undefined ? undefined : roleOf(base);
  if (bracketed !== undefined) return { name: bracketed, isSpecies: false, unit, isOurs: false };
  for (const { index, 0: sign } of name.matchAll(/[_ ,]+(?:in[_ ])?/g)) {
    const [suffixed, ending] = [roleOf(name.slice(0, index)), name.slice(index + sign.length)];
    if (suffixed !== undefined && unitFactor(suffixed, ending) !== undefined)
      return { name: suffixed, isSpecies: false, unit: ending, isOurs: false };
  }
  return undefined;
}

function roleOf(name: string): string | undefined {
  return name === "T" ? "gasTemp" : roles.get(name.toLowerCase().replace(/[^a-z0-9]/g, ""));
}
