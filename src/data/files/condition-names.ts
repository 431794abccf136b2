import { readColumnName } from "../../chemistry/column-names.ts";
import { conditionRoles, unitFactor, unitOfParameter } from "../../chemistry/physical-parameters.ts";
import type { TakenColumn } from "../frame-reader.ts";

/** Columns under the names that `preprocess` knows. */
export interface NamedConditions {
  readonly columns: readonly string[];
  /** By position: what a value is multiplied with. */
  readonly factors: ReadonlyMap<number, number>;
  /** Names and units that were changed, in words: `time_seconds as Time (yr, × 3.169e-8)`. */
  readonly changes: readonly string[];
  /** Our name → the file's, and whether that has the unit. */
  readonly taken: ReadonlyMap<string, TakenColumn>;
}

/** A file's `Tracer` where a dataset says that another column tells the tracers. */
export const otherTracer = "Tracer of the file";

/**
 * Gives the conditions among columns our names where theirs leave no doubt; values are to be multiplied where their unit is another. A
 * column of a unit that is not known keeps its name, and so does every other.
 * @param tracer the column of tracers, where it is known
 */
export function nameConditions(header: readonly string[], tracer?: string): NamedConditions {
  const isTold = header.some((name) => name.trim() === tracer);
  const columns = header.map((name) => (isTold && name === "Tracer" && tracer !== name ? otherTracer : name));
  const factors = new Map<number, number>();
  const changes: string[] = [];
  const taken = new Map<string, TakenColumn>();
  const readings = header.map((name) => {
    const reading = readColumnName(name);
    if (name.trim() === tracer) return { name: "Model", unit: undefined, isOurs: false, isSure: true };
    return isTold && reading?.name === "Model" ? undefined : reading;
  });
  for (const role of conditionRoles) {
    const name = role === "Model" ? "Tracer" : role;
    const found = readings.flatMap((reading, position) => {
      if (reading?.name !== role || !reading.isSure) return [];
      const factor = reading.unit === undefined ? 1 : unitFactor(role, reading.unit);
      return factor === undefined ? [] : [{ position, factor, isOurs: reading.isOurs }];
    });
    if (columns.includes(name) || (role !== "Model" && found.some(({ isOurs }) => isOurs))) continue;
    // Years beside seconds need no conversion.
    const best = found.find(({ factor }) => factor === 1) ?? found[0];
    if (best === undefined) continue;
    const { position, factor } = best;
    if (factor !== 1) factors.set(position, factor);
    columns[position] = name;
    taken.set(role, { source: header[position]!.trim(), hasUnit: readings[position]!.unit !== undefined });
    const unit = unitOfParameter(role);
    const how = factor === 1 ? unit : `${unit}, × ${Number(factor.toPrecision(4))}`;
    const isPlain = factor === 1 && bare(header[position]!.replace(/[[(].*$/, "")) === bare(name);
    if (!isPlain) changes.push(`${header[position]!.trim()} as ${name}${how === "" ? "" : ` (${how})`}`);
  }
  return { columns, factors, changes, taken };
}

function bare(name: string): string {
  return name.toLowerCase().replace(/[\s_]/g, "");
}
