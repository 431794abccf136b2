import { type HostTensors, hostTensor, sizeOf } from "../backend/engine.ts";
import type { RandomStream } from "../data/random.ts";
import type { ArraySpec } from "../models/layout.ts";

/**
 * Inverted dropout masks, 0 or 1/(1 − dropout), drawn in the order of the list.
 * @param leading  the dimensions before each mask's own: [rows], or [steps, batch]
 */
export function drawnMasks(
  masks: readonly ArraySpec[],
  leading: readonly number[],
  dropout: number,
  random: RandomStream,
): HostTensors {
  const drawn = masks.map(({ name, shape }) => {
    const mask = hostTensor(new Float32Array(sizeOf([...leading, ...shape])), [...leading, ...shape]);
    random.fillKeepMask(mask.data, dropout);
    return [name, mask] as const;
  });
  return Object.fromEntries(drawn);
}
