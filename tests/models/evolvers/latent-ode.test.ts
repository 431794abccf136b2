import { beforeAll, describe, expect, it } from "vitest";
import { type TensorMap, tf } from "../../../src/backend/tf.ts";
import { type Evolver, rolloutFrom } from "../../../src/models/evolver.ts";
import { evolverOf } from "../../../src/models/evolvers.ts";
import { expectClose, useWasm, withoutLeak } from "../../helpers/tensors.ts";
import { affine, gelu, type Rows, wave } from "./plain.ts";

beforeAll(useWasm);

const [latent, hidden] = [2, 3];
const sizes = { output_dim: latent, hidden_dim: hidden };
const odeOf = (model: object): Evolver => evolverOf({ model_name: "latent_ode", model: { ...sizes, ...model } });

const weightsOf = ({ layout }: Evolver): Record<string, number[][]> =>
  Object.fromEntries(
    layout.specs.map(({ name, shape }, k) => [name, wave(shape.length === 2 ? shape[0]! : 1, shape.at(-1)!, k)]),
  );

/** States of one trajectory, as the program has them. */
function rolled(evolver: Evolver, drive: Rows, start: readonly number[]): ArrayLike<number> {
  const weights = weightsOf(evolver);
  return withoutLeak(() => {
    const arrays: TensorMap = Object.fromEntries(
      evolver.layout.specs.map(({ name, shape }) => [name, tf.tensor(weights[name]!.flat(), [...shape])]),
    );
    const physical = tf.tensor3d(drive.map((p) => [[...p]]));
    return rolloutFrom(evolver, arrays, { physical }, tf.tensor2d([[...start]]))
      .dataSync()
      .slice();
  });
}

/** The same by hand: Runge-Kutta steps of that many to a step, each step of that length. @param conditions  what the MLP sees */
function byHand(
  evolver: Evolver,
  conditions: Rows,
  start: readonly number[],
  lengths: readonly number[],
  substeps: number,
) {
  const weights = weightsOf(evolver);
  const linear = (name: string, x: readonly number[]): number[] =>
    affine(weights[`${name}.weight`]!, weights[`${name}.bias`]![0]!, x);
  const plus = (a: readonly number[], b: readonly number[], factor: number): number[] =>
    a.map((value, i) => value + factor * b[i]!);
  let z = [...start];
  const states: number[] = [];
  for (const [t, p] of conditions.entries()) {
    const rate = (at: readonly number[]): number[] => {
      const first = linear("func.net.0", [...at, ...p]).map(gelu);
      return linear("func.net.4", linear("func.net.2", first).map(gelu));
    };
    const h = lengths[t]! / substeps;
    for (let k = 0; k < substeps; k++) {
      const k1 = rate(z);
      const k2 = rate(plus(z, k1, h / 2));
      const k3 = rate(plus(z, k2, h / 2));
      const k4 = rate(plus(z, k3, h));
      z = z.map((value, i) => value + (h / 6) * (k1[i]! + 2 * k2[i]! + 2 * k3[i]! + k4[i]!));
    }
    states.push(...z);
  }
  return states;
}

describe("the emulator by a differential equation", () => {
  const start = [0.3, -0.2];
  it.each([1, 3])("takes Runge-Kutta steps of fourth order, %i to a step", (substeps) => {
    const evolver = odeOf({ input_dim: 2 + latent, substeps });
    const drive = wave(3, 2, 40);
    expectClose(rolled(evolver, drive, start), byHand(evolver, drive, start, [1, 1, 1], substeps), { absolute: 2e-6 });
  });

  it.each([0, 1, 2])("takes the step's length from its column, %i, and hides it from the rate", (index) => {
    const timestep = { index, range: [10, 1000] };
    const evolver = odeOf({ input_dim: 3 + latent, timestep });
    const conditions = wave(3, 2, 40);
    // Of steps of 10, 100 and 316 yr, in units of √(10 · 1000) = 100 yr.
    const columns = [10, 100, 10 ** 2.5].map((years) => Math.log10(years / 10) / 2);
    const drive = conditions.map((p, t) => p.toSpliced(index, 0, columns[t]!));
    expectClose(rolled(evolver, drive, start), byHand(evolver, conditions, start, [0.1, 1, 10 ** 0.5], 1), {
      absolute: 2e-6,
    });
  });

  it("takes two half steps for a whole one, but for the error of the method", () => {
    const timestep = { index: 2, range: [10, 1000] };
    const [evolver, p] = [odeOf({ input_dim: 3 + latent, timestep }), [0.4, -0.1]];
    const column = (years: number): number => Math.log10(years / 10) / 2;
    const whole = rolled(evolver, [[...p, column(20)]], start);
    const halves = rolled(
      evolver,
      [
        [...p, column(10)],
        [...p, column(10)],
      ],
      start,
    );
    expectClose(Array.from(halves).slice(latent), whole, { absolute: 1e-5 });
  });

  it("has the original's count of parameters", () => {
    expect(evolverOf({ model_name: "latent_ode", model: { input_dim: 18, output_dim: 14 } }).layout.size).toBe(9134);
  });
});
