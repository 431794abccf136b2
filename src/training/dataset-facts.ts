import type { HostTensor } from "../backend/engine.ts";
import type { AbundanceScaling } from "../chemistry/scaling.ts";
import { elements } from "../chemistry/species.ts";
import { stoichiometricMatrix } from "../chemistry/stoichiometry.ts";
import type { LossSettings } from "../models/losses.ts";

/** Atoms per species, [species, elements], for the losses. */
export function stoichiometryTensor(species: readonly string[]): HostTensor {
  return { data: Float32Array.from(stoichiometricMatrix(species).data), shape: [species.length, elements.length] };
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
