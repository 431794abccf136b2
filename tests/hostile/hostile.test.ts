import { expect, it } from "vitest";
import { attack } from "./harness.ts";
import type { TargetName } from "./targets.ts";

// The same cases as in the slow suite, fewer of them; with `seed` of that suite and the case's number one can be run again.
const counts: Record<TargetName, number> = {
  ...{ safetensors: 60, npy: 60, pickle: 60, pth: 30 },
  ...{ hdf5: 60, frame: 25, yaml: 30, override: 60 },
};

it.concurrent.each(Object.entries(counts) as [TargetName, number][])(
  "%s: %i hostile cases are read or refused",
  async (name, count) => {
    const { accepted, refused, faults } = await attack(name, 1, count);
    expect(faults).toEqual([]);
    expect(accepted + refused).toBe(count);
    expect(refused).toBeGreaterThan(0);
  },
);
