import { Conservation } from "../../chemistry/conservation.ts";
import { type ConservedGroups, conservedGroups } from "../../chemistry/conserved-groups.ts";
import { tableOfWeights } from "../../chemistry/element-table.ts";
import { memberCount } from "../../models/members.ts";
import type { Trust } from "../../models/trust.ts";
import { autoencoderHash } from "../../models/weights-file.ts";
import { packageVersion } from "../../version.ts";
import type { Models } from "../onnx-parts.ts";

/** A condition, with the range of the training rows, or of the configuration where that is not known. */
export interface Condition {
  readonly name: string;
  readonly range: readonly [number, number];
  readonly known: boolean;
}

/** What all generated files say of the surrogate. */
export interface Description {
  /** Prefix of all names. */
  readonly name: string;
  readonly species: readonly string[];
  readonly conditions: readonly Condition[];
  /** Of all members, one after the other. */
  readonly latents: number;
  /** Emulators side by side. */
  readonly members: number;
  /** Numbers that a trajectory remembers beside its latents. */
  readonly carry: number;
  readonly clipping: { readonly lower: number; readonly upper: number };
  readonly conserved: ConservedGroups;
  /** Null where it varies or is not known. */
  readonly stepYears: number | null;
  /** How far to believe it; null where the weights are not calibrated. */
  readonly trust: Trust | null;
  /** log10 totals of the training starts, [starts, elements of `conserved`]; empty where the weights are not calibrated. */
  readonly totalsOfStarts: readonly number[];
  readonly provenance: readonly string[];
}

export function describe(name: string, models: Models, carry: number): Description {
  const { autoencoder } = models;
  const { weights } = models.emulator!;
  const hash = autoencoderHash(autoencoder);
  const { data_hash, seed, epoch, best_metric } = weights.provenance;
  return {
    name,
    species: autoencoder.species,
    conditions: weights.physical_parameters.map(({ name: of, range, trained }) => ({
      name: of,
      range: trained ?? range,
      known: trained !== undefined,
    })),
    latents: memberCount(weights) * autoencoder.model.latent_dim,
    members: memberCount(weights),
    carry,
    conserved: conservedGroups(new Conservation(tableOfWeights(autoencoder))),
    clipping: autoencoder.abundances_clipping,
    trust: weights.trust ?? null,
    totalsOfStarts: totalsOfStarts(autoencoder, weights.trust),
    stepYears: weights.time_step_found === "input" ? null : weights.time_step_yr,
    provenance: [
      `written by astrochem ${packageVersion}`,
      `models: ${autoencoder.model_name} and ${weights.model_name}`,
      `autoencoder: ${hash}`,
      `training data: ${data_hash ?? "not known"}`,
      weights.members
        ? `an ensemble of ${weights.members.length}: seeds ${weights.members.map((each) => each.seed ?? "not known").join(", ")}`
        : `seed ${seed ?? "not known"}, epoch ${epoch ?? "not known"}, validation error ${best_metric ?? "not known"}`,
    ],
  };
}

/** Of the elements that species hold: others have no total to differ in. */
function totalsOfStarts(autoencoder: Models["autoencoder"], trust: Trust | undefined): number[] {
  const { elements, atoms } = tableOfWeights(autoencoder);
  const held = elements.map((_, e) => atoms.some((row) => row[e] !== 0));
  return Array.from(trust?.starts ?? []).filter((_, k) => held[k % elements.length]);
}

/** Text in quotes, as C and Fortran with doubled quotes take it. */
export function cText(text: string): string {
  return `"${text.replace(/[^\x20-\x7e]/g, "?").replace(/["\\?]/g, "\\$&")}"`;
}
