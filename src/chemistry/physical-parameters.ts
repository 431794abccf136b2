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
  readonly scale?: ParameterScale;
}

/**
 * What physical parameters are to this program, whatever a dataset calls them: the one place that knows. A parameter of another name has
 * no role, no unit, and log10 as its scale.
 */
const roles = {
  density: { names: ["Density"], unit: "cm^-3" },
  radfield: { names: ["Radfield"], unit: "Habing" },
  extinction: { names: ["Av"], unit: "mag" },
  gas_temperature: { names: ["gasTemp"], unit: "K" },
  dust_temperature: { names: ["dustTemp"], unit: "K" },
  time: { names: ["Time"], unit: "yr" },
  // Models that read the step (`readsTimestep`) count on log10.
  time_step: { names: ["Timestep"], unit: "yr" },
} satisfies Record<string, Role>;

export type PhysicalRole = keyof typeof roles;

/** The physical parameter that a varying step is: derived from the times, never read; its range comes from the data where none is given. */
export const timestepColumn = roles.time_step.names[0]!;

/** The parameters of UCLCHEM's trajectories in the order that the original's emulator takes them. */
export const usualParameters: readonly string[] = (
  ["density", "radfield", "extinction", "gas_temperature"] as const
).flatMap((role) => roles[role].names);

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

function roleOf(name: string): Role | undefined {
  return Object.values<Role>(roles).find(({ names }) => names.includes(name));
}
