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
