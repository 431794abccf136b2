import { DataError } from "../errors.ts";

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

/** All columns renamed. @throws DataError where two columns become one */
export function renameColumns(names: readonly string[]): string[] {
  const sources = new Map<string, string>();
  return names.map((name) => {
    const renamed = renameColumn(name);
    const other = sources.get(renamed);
    if (other !== undefined) {
      throw new DataError(`the columns "${other}" and "${name}" both become ${renamed}`, {
        where: `column "${name}"`,
        fix: "drop one of them from the file, or name one of them in dataset.preprocessing.columns_to_drop",
      });
    }
    sources.set(renamed, name);
    return renamed;
  });
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
