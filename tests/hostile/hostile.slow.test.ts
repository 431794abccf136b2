import { expect, it } from "vitest";
import { attack } from "./harness.ts";
import type { TargetName } from "./targets.ts";

const counts: Record<TargetName, number> = {
  ...{ safetensors: 2000, npy: 2000, pickle: 2000, pth: 800 },
  ...{ hdf5: 3000, frame: 600, yaml: 800, override: 1500 },
};

it.each(Object.entries(counts) as [TargetName, number][])(
  "%s: %i hostile cases are read or refused",
  async (name, count) => {
    const { accepted, refused, faults } = await attack(name, 20_261_123, count);
    expect(faults).toEqual([]);
    expect(accepted + refused).toBe(count);
    expect([accepted, refused].every((some) => some > 0)).toBe(true);
  },
);
