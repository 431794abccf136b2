/**
 * How values become those that a range is drawn over: log10(x + offset), or x itself. A weights file holds it where it is not log10(x).
 */
export interface ParameterScale {
  readonly log: boolean;
  /** 0 or more, in the parameter's unit. */
  readonly offset: number;
}

export const plainLog: ParameterScale = { log: true, offset: 0 };

/** What a role is called, the unit that UCLCHEM writes it in, and its scale: left out, log10. */
interface Role {
  readonly names: readonly string[];
  readonly unit: string;
  /** How many of our unit others are, spelt without spaces, signs of powers and of TeX, and case. */
  readonly units: Readonly<Record<string, number>>;
  /** What other codes call it, in lower case without signs. */
  readonly aliases: readonly string[];
  /** Names that may be another quantity's as well: only who looks at the values goes by them. `T` and `t` differ by case alone. */
  readonly guesses?: readonly string[];
  readonly scale?: ParameterScale;
}

/** Grams for each H nucleus: 1.4 hydrogen masses, as in UCLCHEM, which counts helium. */
const gramsPerNucleus = 1.4 * 1.6735575e-24;
/** A Julian year. */
const secondsPerYear = 31_557_600;

const kelvin = { k: 1, kelvin: 1 };
const years = {
  ...{ yr: 1, yrs: 1, y: 1, year: 1, years: 1, a: 1, kyr: 1e3, myr: 1e6, gyr: 1e9 },
  ...{ s: 1 / secondsPerYear, sec: 1 / secondsPerYear, second: 1 / secondsPerYear, seconds: 1 / secondsPerYear },
  ...{ day: 86_400 / secondsPerYear, days: 86_400 / secondsPerYear },
};

/**
 * What physical parameters, time and tracers are to this program, whatever a file calls them: the one place that knows. A parameter of another name has
 * no role, no unit, and log10 as its scale.
 */
const roles = {
  density: {
    names: ["Density"],
    unit: "cm^-3",
    units: {
      ...{ "cm-3": 1, "/cm3": 1, "1/cm3": 1, cm3: 1, "m-3": 1e-6, "1/m3": 1e-6 },
      ...{ "gcm-3": 1 / gramsPerNucleus, "g/cm3": 1 / gramsPerNucleus },
      ...{ "kgm-3": 1e-3 / gramsPerNucleus, "kg/m3": 1e-3 / gramsPerNucleus },
    },
    aliases: ["density", "numberdensity"],
    guesses: ["dens", "nh", "n", "ntot", "nhtot", "hdens", "gasdensity", "hdensity", "rho"],
  },
  radfield: {
    names: ["Radfield"],
    unit: "Habing",
    // Draine's field is 1.71 of Habing's.
    units: { habing: 1, g0: 1, draine: 1.71 },
    aliases: ["radfield", "fuvfield", "g0"],
    guesses: ["uv", "fuv", "uvfield", "isrf", "chi", "radiationfield", "radiation"],
  },
  extinction: {
    names: ["Av"],
    unit: "mag",
    units: { mag: 1, mags: 1, magnitudes: 1 },
    aliases: ["av", "visualextinction"],
    guesses: ["extinction"],
  },
  gas_temperature: {
    names: ["gasTemp"],
    unit: "K",
    units: kelvin,
    aliases: ["gastemp", "gastemperature", "temperature", "tgas"],
    guesses: ["temp", "tk", "tg", "tkin"],
  },
  dust_temperature: {
    names: ["dustTemp"],
    unit: "K",
    units: kelvin,
    aliases: ["dusttemp", "dusttemperature", "tdust"],
    guesses: ["td"],
  },
  ionization: {
    names: ["zeta"],
    unit: "",
    units: {},
    aliases: ["zeta"],
    guesses: ["crir", "cosmicrayionizationrate", "cosmicrayionisationrate"],
  },
  time: { names: ["Time"], unit: "yr", units: years, aliases: ["time"], guesses: ["t", "age", "years", "simtime"] },
  tracer: {
    names: ["Model"],
    unit: "",
    units: {},
    aliases: [
      "tracer",
      "model",
      "particle",
      "track",
      "run",
      "cell",
      "parcel",
      "trajectory",
      "simulation",
      "history",
    ].flatMap((name) => [name, `${name}id`, `${name}number`, `${name}index`]),
    guesses: ["id", "pid", "traj"],
  },
  // Models that read the step (`reads`) count on log10.
  time_step: { names: ["Timestep"], unit: "yr", units: {}, aliases: [] },
} satisfies Record<string, Role>;

export type PhysicalRole = keyof typeof roles;

/** The physical parameter that a varying step is: derived from the times, never read; its range comes from the data where none is given. */
export const timestepColumn = roles.time_step.names[0]!;

/** The parameters of UCLCHEM's trajectories in the order that the original's emulator takes them. */
export const usualParameters: readonly string[] = (
  ["density", "radfield", "extinction", "gas_temperature"] as const
).flatMap((role) => roles[role].names);

/** What the quantity with a role is called here. */
export function nameOfRole(role: PhysicalRole): string {
  return roles[role].names[0]!;
}

/** Columns of UCLCHEM's files that the surrogates have no use for. */
export const unusedColumns: readonly string[] = ["dustTemp", "dstep", "zeta", "SURFACE", "BULK"];

export function hasRole(name: string, role: PhysicalRole): boolean {
  return roles[role].names.includes(name);
}

/** Which of the parameters has the role; −1: none. */
export function indexOfRole(names: readonly string[], role: PhysicalRole): number {
  return names.findIndex((name) => hasRole(name, role));
}

/** The unit of a parameter with a role; else "". */
export function unitOfParameter(name: string): string {
  return roleOf(name)?.unit ?? "";
}

/** How a parameter is scaled that no file says it of. */
export function scaleOf(name: string): ParameterScale {
  return roleOf(name)?.scale ?? plainLog;
}

/** The scale as weights and caches hold it: left out where it is log10, as in files of earlier versions. */
export function storedScale(name: string): { scale?: ParameterScale } {
  const scale = scaleOf(name);
  return isPlainLog(scale) ? {} : { scale };
}

export function isPlainLog({ log, offset }: ParameterScale): boolean {
  return log && offset === 0;
}

/** Values must be above it to be scaled. */
export function boundOf({ log, offset }: ParameterScale): number {
  return log ? 0 - offset : Number.NEGATIVE_INFINITY;
}

/** `above 0`; "" where every finite number can be scaled. */
export function boundText(scale: ParameterScale): string {
  return scale.log ? `above ${boundOf(scale)}` : "";
}

/** What a range is drawn over. */
export function onScale({ log, offset }: ParameterScale, value: number): number {
  return log ? Math.log10(value + offset) : value;
}

/** The inverse of `onScale`. */
export function offScale({ log, offset }: ParameterScale, value: number): number {
  return log ? 10 ** value - offset : value;
}

/** `log10(zeta + 1e-20)`, for people. */
export function scaleText(name: string, { log, offset }: ParameterScale): string {
  return log ? `log10(${name}${offset === 0 ? "" : ` + ${offset}`})` : name;
}

/** The factor that converts a column into our unit; undefined for a unit, or a column, that is not known. */
export function unitFactor(name: string, unit: string): number | undefined {
  const known = roleOf(name)?.units ?? {};
  const spelling = unit
    .toLowerCase()
    .replaceAll(/[\s*^$\\{}]/g, "")
    .replace("⁻³", "-3");
  return Object.hasOwn(known, spelling) ? known[spelling] : undefined;
}

/** What is wrong with units, each in words. */
export function unknownUnits(units: Readonly<Record<string, string>>): string[] {
  return Object.entries(units)
    .filter(([name, unit]) => unitFactor(name, unit) === undefined)
    .map(([name, unit]) => {
      return `\`${unit}\` is no unit of ${name}: ${Object.keys(roleOf(name)?.units ?? {}).join(", ") || "it has none"}`;
    });
}

/** Our names of what a file's columns may be besides species: conditions in our order, time, tracer. */
export const conditionRoles: readonly string[] = Object.values<Role>(roles)
  .filter(({ aliases }) => aliases.length > 0)
  .map(({ names }) => names[0]!);

/** By another code's name, in lower case without signs: our name, and whether it can be nothing else. */
export const parameterAliases: ReadonlyMap<string, { readonly name: string; readonly isSure: boolean }> = new Map(
  Object.values<Role>(roles).flatMap(({ names: [name = ""], aliases, guesses = [] }) =>
    [...aliases, ...guesses].map((alias) => [alias, { name, isSure: aliases.includes(alias) }] as const),
  ),
);

function roleOf(name: string): Role | undefined {
  return Object.values<Role>(roles).find(({ names }) => names.includes(name));
}
