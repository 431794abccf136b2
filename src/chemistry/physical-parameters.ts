/** What a physical parameter is to this program, whatever a dataset calls it. */
export type PhysicalRole =
  | "density"
  | "radfield"
  | "extinction"
  | "gas_temperature"
  | "dust_temperature"
  | "time"
  | "time_step";

/** The physical parameter that a varying step is; its range comes from the data where none is given. */
export const timestep = "Timestep";

/** The parameters of UCLCHEM's trajectories in the order that the original's emulator takes them. */
export const usualParameters: readonly string[] = ["Density", "Radfield", "Av", "gasTemp"];

/** Grams for each H nucleus: 1.4 hydrogen masses, as in UCLCHEM, which counts helium. */
const gramsPerNucleus = 1.4 * 1.6735575e-24;
/** A Julian year. */
const secondsPerYear = 31_557_600;

/** How many of our units another unit is, by our name of the column. Spelt without spaces, `*`, `^` and case. */
const conversions: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  Time: {
    yr: 1,
    year: 1,
    years: 1,
    a: 1,
    s: 1 / secondsPerYear,
    sec: 1 / secondsPerYear,
    seconds: 1 / secondsPerYear,
    day: 86_400 / secondsPerYear,
    days: 86_400 / secondsPerYear,
    kyr: 1e3,
    myr: 1e6,
  },
  Density: {
    "cm-3": 1,
    "/cm3": 1,
    "1/cm3": 1,
    "m-3": 1e-6,
    "1/m3": 1e-6,
    "gcm-3": 1 / gramsPerNucleus,
    "g/cm3": 1 / gramsPerNucleus,
    "kgm-3": 1e-3 / gramsPerNucleus,
    "kg/m3": 1e-3 / gramsPerNucleus,
  },
  // Draine's field is 1.71 of Habing's.
  Radfield: { habing: 1, g0: 1, draine: 1.71 },
  Av: { mag: 1, magnitudes: 1 },
  gasTemp: { k: 1, kelvin: 1 },
  dustTemp: { k: 1, kelvin: 1 },
};

/** The factor that converts a column into our unit; undefined for a unit, or a column, that is not known. */
export function unitFactor(name: string, unit: string): number | undefined {
  const known = Object.hasOwn(conversions, name) ? conversions[name]! : {};
  const spelling = unit.toLowerCase().replaceAll(/[\s*^]/g, "");
  return Object.hasOwn(known, spelling) ? known[spelling] : undefined;
}

/** What is wrong with units, each in words. */
export function unknownUnits(units: Readonly<Record<string, string>>): string[] {
  return Object.entries(units)
    .filter(([name, unit]) => unitFactor(name, unit) === undefined)
    .map(
      ([name, unit]) =>
        `\`${unit}\` is no unit of ${name}: ${Object.keys(conversions[name] ?? {}).join(", ") || "it has none"}`,
    );
}

/** Columns of UCLCHEM's files that the surrogates have no use for. */
export const unusedColumns: readonly string[] = ["dustTemp", "dstep", "zeta", "SURFACE", "BULK"];

/** The names by which a role is known, and the unit that UCLCHEM writes it in. A parameter of another name has no role. */
const roles: Readonly<Record<PhysicalRole, { readonly names: readonly string[]; readonly unit: string }>> = {
  density: { names: ["Density"], unit: "cm^-3" },
  radfield: { names: ["Radfield"], unit: "Habing" },
  extinction: { names: ["Av"], unit: "mag" },
  gas_temperature: { names: ["gasTemp"], unit: "K" },
  dust_temperature: { names: ["dustTemp"], unit: "K" },
  time: { names: ["Time"], unit: "yr" },
  time_step: { names: [timestep], unit: "yr" },
};

export function hasRole(name: string, role: PhysicalRole): boolean {
  return roles[role].names.includes(name);
}

/** Which of the parameters has the role; −1: none. */
export function indexOfRole(names: readonly string[], role: PhysicalRole): number {
  return names.findIndex((name) => hasRole(name, role));
}

/** The unit of a parameter with a role; else "". */
export function unitOfParameter(name: string): string {
  return Object.values(roles).find(({ names }) => names.includes(name))?.unit ?? "";
}
