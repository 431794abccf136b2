import { CheckpointError } from "../errors.ts";
import { evolverOf } from "./evolvers.ts";
import type { EmulatorWeights } from "./weights-file.ts";

/** How many models an emulator's weights hold. */
export function memberCount({ members }: Pick<EmulatorWeights, "members">): number {
  return members?.length ?? 1;
}

/**
 * One ensemble of emulators that were trained alike but for their seeds, not calibrated; a single one stays what it is.
 * @param paths  where each was read, for the error
 * @throws CheckpointError where one differs from the first in anything but its weights and where they come from
 */
export function joinMembers(weights: readonly EmulatorWeights[], paths: readonly string[]): EmulatorWeights {
  if (weights.length === 1) return weights[0]!;
  // How far to believe one of them says nothing of their mean.
  const { trust: _, ...first } = weights[0]!;
  for (const [m, each] of weights.entries()) {
    const [here, wanted] = [factsOf(each), factsOf(first)];
    const differing = Object.keys({ ...wanted, ...here }).filter((key) => here[key] !== wanted[key]);
    if (differing.length === 0) continue;
    throw new CheckpointError(
      `${paths[m]} and ${paths[0]} are no members of one ensemble: they differ in ${differing}`,
      {
        where: paths[m],
        fix: "train all members on the same data: begin a new run",
      },
    );
  }
  const { data_hash, seed, metric, versions } = first.provenance;
  const trainable = new Float32Array(weights.reduce((sum, each) => sum + each.trainable.length, 0));
  let offset = 0;
  for (const each of weights) {
    trainable.set(each.trainable, offset);
    offset += each.trainable.length;
  }
  return {
    ...first,
    provenance: { data_hash, seed, epoch: null, best_metric: null, ...(metric ? { metric } : {}), versions },
    members: weights.map(({ provenance }) => provenance),
    trust: undefined,
    trainable,
  };
}

/** One member of an emulator, counted from 0, as weights by itself. */
export function memberOf(weights: EmulatorWeights, m: number): EmulatorWeights {
  const { members, trust: _, ...rest } = weights;
  if (!members) return weights;
  const { size } = evolverOf(rest).layout;
  return { ...rest, provenance: members[m]!, trainable: rest.trainable.slice(m * size, (m + 1) * size) };
}

/** What members of an ensemble have in common, as texts. */
function factsOf({ trainable, provenance, trust, ...facts }: EmulatorWeights): Record<string, string> {
  const all = { ...facts, data_hash: provenance.data_hash };
  return Object.fromEntries(Object.entries(all).map(([key, value]) => [key, JSON.stringify(value)]));
}
