import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Conservation } from "../../src/chemistry/conservation.ts";

describe("Conservation", () => {
  const carbon = new Conservation({ elements: ["C"], atoms: [[1], [2], [1]], charges: [0, 0, 0] });

  it("moves species by the eighth root of their share, and trace species least", () => {
    // Shares 1/3, 2/3 and none: x · exp(w A λ) with weights (1/3)^⅛, (2/3)^⅛ and 0.2.
    const state = Float32Array.of(1, 1, 1e-12);
    const { residual, mean_dex, absent } = carbon.project(state, [6]);
    expect([residual < 1e-10, absent]).toEqual([true, 0]);
    const [one, two, trace] = [...state.map((x, s) => Math.log(x / [1, 1, Math.fround(1e-12)][s]!))] as [
      number,
      number,
      number,
    ];
    expect(one + Math.log1p(2 * Math.exp(two - one))).toBeCloseTo(Math.log(6), 6);
    expect(two / one).toBeCloseTo(2 * 2 ** (1 / 8), 5);
    expect(trace / one).toBeCloseTo(0.2 * 3 ** (1 / 8), 5);
    expect(mean_dex).toBeCloseTo((one + two + trace) / (3 * Math.LN10), 6);
  });

  it("finds from afar the state of the totals that is nearest in relative entropy", () => {
    // x · exp(A λ) with y = e^λ: y + 2 y² = 2,001,000, so y = 1000.
    const state = Float32Array.of(1, 1, 0);
    expect(carbon.project(state, [2_001_000]).residual).toBeLessThan(1e-10);
    expect([...state.subarray(0, 2)]).toEqual([1000, 1e6]);
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
