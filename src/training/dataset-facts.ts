import type { HostTensor } from "../backend/engine.ts";
import type { ElementTable } from "../chemistry/element-table.ts";
import type { AbundanceScaling } from "../chemistry/scaling.ts";
import type { LossSettings } from "../models/losses.ts";

/** Atoms per species, [species, elements], for the losses: of the elements that occur, because the total of another has no logarithm. */
export function stoichiometryTensor({ elements, atoms }: ElementTable): HostTensor {
  const occurring = [...elements.keys()].filter((e) => atoms.some((counts) => counts[e]! > 0));
  const rows = atoms.flatMap((counts) => occurring.map((e) => counts[e]!));
  return { data: Float32Array.from(rows), shape: [atoms.length, occurring.length] };
}

/** The loss of a model on abundances of that scaling. */
export function lossSettings(
  model: Pick<LossSettings, "power_weight" | "worst_weight" | "conservation_weight">,
  scaling: AbundanceScaling,
  log: (message: string) => void,
): LossSettings {
  const { power_weight, worst_weight, conservation_weight } = model;
  const { log10_lower, log10_upper } = scaling;
  const span = log10_upper - log10_lower;
  if (Math.abs(power_weight - span) > 1e-9) {
    log(
      `warning: power_weight is ${power_weight}, but the abundances span ${span} dex: the loss is not the relative error`,
    );
  }
  return { power_weight, worst_weight, conservation_weight, log10_lower, log10_upper };
}
