/** A Julian year. */
const secondsPerYear = 31_557_600;

interface Condition {
  /** As UCLCHEM's files have it. */
  readonly name: string;
  readonly unit: string;
  /** Other names, in small letters, without blanks, underscores and unit. */
  readonly others: readonly string[];
  /** Units, in small letters without blanks, and their size in `unit`. */
  readonly units: Readonly<Record<string, number>>;
}

const perCubicCentimetre = { "": 1, "cm^-3": 1, "cm-3": 1, "cm**-3": 1, "1/cm3": 1, "1/cm^3": 1, "/cm3": 1, cm3: 1 };
const years = { "": 1, yr: 1, yrs: 1, y: 1, a: 1, year: 1, years: 1, kyr: 1e3, myr: 1e6, gyr: 1e9 };
const second = 1 / secondsPerYear;
const kelvin = { "": 1, k: 1, kelvin: 1 };

/** Conditions of a history by the names that other programs give them: Carbox, NEATH, people's own tables. */
const conditions: readonly Condition[] = [
  { name: "Tracer", unit: "", others: ["tracer", "tracerid", "model", "modelid"], units: { "": 1 } },
  {
    name: "Time",
    unit: "yr",
    others: ["time"],
    units: { ...years, s: second, sec: second, second, seconds: second },
  },
  { name: "Density", unit: "cm^-3", others: ["density", "numberdensity"], units: perCubicCentimetre },
  { name: "gasTemp", unit: "K", others: ["gastemp", "gastemperature", "temperature", "tgas"], units: kelvin },
  { name: "dustTemp", unit: "K", others: ["dusttemp", "dusttemperature", "tdust"], units: kelvin },
  { name: "Av", unit: "mag", others: ["av", "visualextinction"], units: { "": 1, mag: 1, mags: 1 } },
  { name: "radfield", unit: "Habing", others: ["radfield", "fuvfield"], units: { "": 1, habing: 1, g0: 1 } },
];

/** Columns under the names that `preprocess` knows. */
export interface NamedConditions {
  readonly columns: readonly string[];
  /** By position: what a value is multiplied with. */
  readonly factors: ReadonlyMap<number, number>;
  /** Names and units that were changed, in words: `time_seconds as Time (years of 31557600 s)`. */
  readonly changes: readonly string[];
}

/**
 * Gives the conditions among columns UCLCHEM's names; times are to be multiplied where their unit is another. A column of a unit that
 * is not known keeps its name, and so does every other.
 */
export function nameConditions(header: readonly string[]): NamedConditions {
  const columns = [...header];
  const factors = new Map<number, number>();
  const changes: string[] = [];
  for (const { name, unit, others, units } of conditions) {
    if (header.includes(name)) continue;
    const found = header.flatMap((column, position) => {
      const factor = factorOf(column, others, units);
      return factor === undefined ? [] : [{ position, factor }];
    });
    // Years beside seconds need no conversion.
    const best = found.find(({ factor }) => factor === 1) ?? found[0];
    if (best === undefined) continue;
    const { position, factor } = best;
    if (factor !== 1) factors.set(position, factor);
    columns[position] = name;
    const how = factor === second ? `years of ${secondsPerYear} s` : factor === 1 ? unit : `${unit}, × ${factor}`;
    const isPlain = factor === 1 && bare(header[position]!.replace(/[[(].*$/, "")) === bare(name);
    if (!isPlain) changes.push(`${header[position]} as ${name}${how === "" ? "" : ` (${how})`}`);
  }
  return { columns, factors, changes };
}

/** What makes the values of a column the condition's; undefined where it is another column, or of a unit that is not known. */
function factorOf(column: string, others: readonly string[], units: Condition["units"]): number | undefined {
  const [, bracketed, bracketUnit] = /^(.*?)[\s_]*[[(]([^\])]*)[\])]$/.exec(column.trim()) ?? [];
  if (bracketUnit !== undefined) return others.includes(bare(bracketed!)) ? units[spelt(bracketUnit)] : undefined;
  if (others.includes(bare(column))) return units[""];
  const [, stem, suffix] = /^(.*)[\s_]([^\s_]+)$/.exec(column.trim()) ?? [];
  return suffix !== undefined && others.includes(bare(stem!)) ? units[spelt(suffix)] : undefined;
}

function bare(name: string): string {
  return name.toLowerCase().replace(/[\s_]/g, "");
}

function spelt(unit: string): string {
  return unit
    .toLowerCase()
    .replace(/[\s$\\{}]/g, "")
    .replace("⁻³", "-3");
}
