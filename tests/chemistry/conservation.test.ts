import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Conservation } from "../../src/chemistry/conservation.ts";

describe("Conservation", () => {
  it("finds the state of the totals that is nearest in relative entropy", () => {
    // x · exp(A λ) with y = e^λ: y + 2 y² = 6, so y = 1.5.
    const conservation = new Conservation({ elements: ["C"], atoms: [[1], [2]], charges: [0, 0] });
    const state = Float32Array.of(1, 1);
    const { residual, mean_dex, absent } = conservation.project(state, [6]);
    expect([...state]).toEqual([1.5, 2.25]);
    expect([residual < 1e-10, absent]).toEqual([true, 0]);
    expect(mean_dex).toBeCloseTo(1.5 * Math.log10(1.5), 6);
  });

  const network = new Conservation({
    elements: ["H", "C", "O"],
    atoms: [
      [1, 0, 0],
      [2, 0, 0],
      [0, 1, 0],
      [0, 1, 1],
      [2, 0, 1],
      [0, 1, 0],
      [0, 0, 0],
    ],
    charges: [0, 0, 0, 0, 0, 1, -1],
  });

  it("knows the columns of the totals, and a charge that is rounding as none", () => {
    expect(network.names).toEqual(["H", "C", "O", "charge"]);
    expect([...network.totals([1, 2, 3, 4, 5, 6, 6 * (1 + 1e-7)])]).toEqual([15, 13, 9, 0]);
    expect(network.totals([1, 2, 3, 4, 5, 6, 7])[3]).toBe(-1);
  });

  it("meets the totals of any start from any state, and keeps abundances positive", () => {
    const abundance = fc.double({ min: -12, max: 0, noNaN: true }).map((dex) => Math.fround(10 ** dex));
    const states = fc.array(abundance, { minLength: 7, maxLength: 7 });
    fc.assert(
      fc.property(states, states, (from, start) => {
        const neutral = [...start.slice(0, 6), start[5]!];
        const [state, totals] = [Float32Array.from(from), network.totals(neutral)];
        expect(network.project(state, totals).residual).toBeLessThan(1e-6);
        expect(state.every((x) => x > 0)).toBe(true);
        const found = network.totals(state);
        for (let k = 0; k < 3; k++) expect(Math.abs(found[k]! / totals[k]! - 1)).toBeLessThan(1e-6);
      }),
    );
  });

  it("leaves an element alone that is not there, and says so", () => {
    const state = Float32Array.of(1, 1, 0, 0, 1, 0, 0);
    expect(network.project(state, [6, 1, 1, 0])).toMatchObject({ absent: 2 });
    expect(network.totals(state)[0]).toBeCloseTo(6, 5);
  });

  it("leaves a state as it is that cannot have the totals", () => {
    const carbonMonoxide = new Conservation({ elements: ["C", "O"], atoms: [[1, 1]], charges: [0] });
    const state = Float32Array.of(1);
    expect(carbonMonoxide.project(state, [1, 2]).residual).toBeGreaterThan(1e-3);
    expect([...state]).toEqual([1]);
  });
});
