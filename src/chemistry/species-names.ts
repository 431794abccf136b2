import { nearest } from "../errors.ts";
import { NameReader, type NamingOptions } from "./name-reader.ts";
import { isSpeciesName } from "./species.ts";

/**
 * UCLCHEM's structural names → formulas in which every element stands once, and its column names → ours. Longest first, so that an
 * ion is not taken for its neutral with something behind it.
 */
const renamings: readonly (readonly [string, string])[] = [
  ["radfield", "Radfield"],
  ["CH3OH2+", "CH5O+"],
  ["CH3CNH+", "C2H4N+"],
  ["H2COH+", "H3CO+"],
  ["H2CSH+", "H3CS+"],
  ["CH3CCH", "C3H4"],
  ["CH3CHO", "C2H4O"],
  ["CH3CNH", "C2H4N"],
  ["NH2CHO", "CH3NO"],
  ["Tracer", "Model"],
  ["H2COH", "H3CO"],
  ["SISH+", "HSIS+"],
  ["HOSO+", "HSO2+"],
  ["OCSH+", "HOCS+"],
  ["HCOOH", "H2CO2"],
  ["CH2CO", "C2H2O"],
  ["CH2OH", "CH3O"],
  ["CH3CN", "C2H3N"],
  ["CH3OH", "CH4O"],
  ["HCO2H", "H2CO2"],
  ["HCOO", "HCO2"],
  ["HCNH", "H2CN"],
  ["NCCN", "N2C2"],
];

/**
 * A column's name as this project spells it: stripped, and the body after a `#` or `@` renamed once. The body must begin with the old
 * name and may go on with a charge: a substring anywhere would let two columns become one.
 */
export function renameColumn(name: string): string {
  const stripped = name.trim();
  const [, prefix, body] = /^([#@]?)(.*)$/s.exec(stripped)!;
  for (const [from, to] of renamings) {
    if (body!.startsWith(from) && /^[+-]*$/.test(body!.slice(from.length)))
      return prefix! + to + body!.slice(from.length);
  }
  return stripped;
}

/** Names as they stand on one side, found on the other. */
export interface NameMatch {
  /** Wanted name → present name. */
  readonly sources: ReadonlyMap<string, string>;
  /** Wanted names that were found in another spelling than UCLCHEM's structural one: `e-` as `E-`, `He` as `HE`. */
  readonly respelt: readonly string[];
}

/**
 * Finds wanted names among present ones: as they are; else with both sides renamed, a UCLCHEM list beside renamed columns and the
 * other way round; else as another spelling of the same species. Only where one name of either side fits: CH2OH and CH3O in one file
 * stay two species.
 */
export function matchNames(
  wanted: readonly string[],
  present: readonly string[],
  naming: NamingOptions = {},
): NameMatch {
  const found = new Set(present);
  const sources = new Map(wanted.filter((name) => found.has(name)).map((name) => [name, name]));
  const respelt: string[] = [];
  if (sources.size === wanted.length) return { sources, respelt };
  const reader = NameReader.of(naming);
  const keyOf = (name: string): string | undefined => {
    const reading = reader.read(renameColumn(name));
    return "species" in reading ? reading.key : undefined;
  };
  for (const spelling of [renameColumn, keyOf]) {
    const [ours, theirs] = [groupBy(wanted, spelling), groupBy(present, spelling)];
    for (const name of wanted) {
      const key = spelling(name);
      const [source, ...more] = key === undefined ? [] : (theirs.get(key) ?? []);
      if (sources.has(name) || source === undefined || more.length > 0 || ours.get(key!)!.length > 1) continue;
      sources.set(name, source);
      if (spelling === keyOf) respelt.push(name);
    }
  }
  return { sources, respelt };
}

/** What a name was probably meant to be. Never another molecule: names of species differ by little, and mean much. */
export function suggestName(name: string, candidates: readonly string[]): string | undefined {
  return isSpeciesName(name)
    ? undefined
    : nearest(
        name,
        candidates.filter((candidate) => !isSpeciesName(candidate)),
      );
}

function groupBy(names: readonly string[], keyOf: (name: string) => string | undefined): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const name of names) {
    const key = keyOf(name);
    if (key !== undefined) groups.set(key, [...(groups.get(key) ?? []), name]);
  }
  return groups;
}

/** What a column of that name may be called in a raw file: for errors about a missing one. */
export function originalNames(name: string): string[] {
  const [, prefix, body] = /^([#@]?)(.*)$/s.exec(name)!;
  const names = renamings.flatMap(([from, to]) => {
    const tail = body!.startsWith(to) ? body!.slice(to.length) : undefined;
    return tail !== undefined && /^[+-]*$/.test(tail) ? [prefix! + from + tail] : [];
  });
  return [...new Set(names)];
}
