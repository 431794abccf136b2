import { expect, it } from "vitest";
import { decodeRows } from "../../src/analysis/surrogate-predictions.ts";
import type { Inference } from "../../src/inference/inference.ts";

/** Decodes latents [n, 2] to three species: the first latent, as often; refuses what is not finite, as the real one. */
const surrogate = {
  latentDim: 2,
  species: ["a", "b", "c"],
  async decode({ data, shape }: { data: Float32Array; shape: readonly number[] }) {
    expect([...data].every(Number.isFinite)).toBe(true);
    const rows = shape[0]!;
    return {
      data: Float32Array.from({ length: rows * 3 }, (_, at) => data[2 * Math.floor(at / 3)]!),
      shape: [rows, 3],
    };
  },
} as unknown as Inference;

it("decodes rows of latents that are no longer finite to NaN, and the others all the same", async () => {
  const latents = Float32Array.of(1, 2, Number.POSITIVE_INFINITY, 4, 5, Number.NaN, 7, 8, 9, 10);
  const lost = Number.NaN;
  expect([...(await decodeRows(surrogate, latents))]).toEqual([
    1,
    1,
    1,
    lost,
    lost,
    lost,
    lost,
    lost,
    lost,
    7,
    7,
    7,
    9,
    9,
    9,
  ]);
  expect([...latents]).toContain(Number.POSITIVE_INFINITY);
});
