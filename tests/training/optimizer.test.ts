import { beforeAll, describe, expect, it } from "vitest";
import { type HostTensors, hostTensor, type StepFunction } from "../../src/backend/engine.ts";
import { Layout } from "../../src/models/layout.ts";
import { adamWInputs, adamWStep } from "../../src/training/adamw.ts";
import { type OptimizerSettings, optimizerStep } from "../../src/training/optimizer.ts";
import { engineNamed, engines, expectClose, useWasm } from "../helpers/tensors.ts";

beforeAll(useWasm);

const layout = new Layout([
  { name: "weight", shape: [2, 2] },
  { name: "bias", shape: [2] },
]);
const settings: OptimizerSettings = { betas: [0.9, 0.99], weight_decay: 0.1, gradient_clipping: 1 };
const parameters = [1, -2, 3, 0.5, 0.25, -1];

/** The state after steps with these gradients, and the norm of the last. */
async function stateAfter(
  gradients: readonly (readonly number[])[],
  changed: Partial<OptimizerSettings>,
  engineName: (typeof engines)[number],
): Promise<{ parameters: number[]; first_moment: number[]; norm: number }> {
  const engine = await engineNamed(engineName);
  const all = { ...settings, ...changed };
  const step: StepFunction = (state, inputs) => {
    const made = optimizerStep(state, layout.unpack(inputs.gradient!), layout, inputs, all);
    return { state: made.state, outputs: { norm: made.gradient_norm } };
  };
  const zeros = (): HostTensors[string] => hostTensor(new Float32Array(6), [6]);
  const state = engine.state({
    parameters: hostTensor(Float32Array.from(parameters), [6]),
    first_moment: zeros(),
    second_moment: zeros(),
  });
  const program = engine.program("step", step);
  let norm = 0;
  for (const [k, gradient] of gradients.entries()) {
    const inputs = { gradient: hostTensor(Float32Array.from(gradient), [6]), ...adamWInputs(all, 0.01, k + 1) };
    norm = (await program.run(state, inputs)).norm!.data[0]!;
  }
  const read = async (name: string): Promise<number[]> => [...(await state.read(name)).data];
  const result = { parameters: await read("parameters"), first_moment: await read("first_moment"), norm };
  state.dispose();
  program.dispose();
  return result;
}

describe.each(engines)("on the %s engine", (name) => {
  it("muon moves matrices by their orthogonalised momentum and vectors as AdamW", async () => {
    const gradient = [0.3, 0, 0, 0.4, 0.1, -0.2];
    const { parameters: moved, norm } = await stateAfter([gradient], { optimizer: "muon" }, name);
    expect(norm).toBeCloseTo(Math.sqrt(0.09 + 0.16 + 0.01 + 0.04), 5);
    const orthogonal = [0.6, 0.8].map((share) => {
      let x = share;
      for (let round = 0; round < 5; round++) x = 3.4445 * x - 4.775 * x ** 3 + 2.0315 * x ** 5;
      return x;
    });
    const rate = 0.01 * 0.2 * Math.SQRT2;
    // AdamW's first step is the learning rate, with the gradient's sign; all decay by lr · 0.1.
    const changes = [rate * orthogonal[0]!, 0, 0, rate * orthogonal[1]!, 0.01, -0.01];
    expectClose(
      moved,
      parameters.map((value, i) => value * (1 - 0.001) - changes[i]!),
      { absolute: 2e-6 },
    );
  });

  it("steps with gradients that are not finite change nothing at all", async () => {
    const sound = [0.3, 0, 0, 0.4, 0.1, -0.2];
    for (const optimizer of ["adamw", "muon"] as const) {
      const before = await stateAfter([sound], { optimizer, skip_overflow: true }, name);
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        const hit = sound.with(3, bad);
        const { norm, ...rest } = await stateAfter([sound, hit], { optimizer, skip_overflow: true }, name);
        expect(rest).toEqual({ parameters: before.parameters, first_moment: before.first_moment });
        expect(Number.isFinite(norm)).toBe(false);
      }
    }
  });

  it("gradients whose squares overflow are clipped like others", async () => {
    const huge = [3e30, 0, 0, 4e30, 0, 0];
    const same = [0.6, 0, 0, 0.8, 0, 0];
    const { parameters: moved, norm } = await stateAfter([huge], { skip_overflow: true }, name);
    expect(norm / 5e30).toBeCloseTo(1, 5);
    expectClose(moved, (await stateAfter([same], { skip_overflow: true }, name)).parameters, { relative: 1e-6 });
  });

  it("adamw that leaves no step out is the original's", async () => {
    const engine = await engineNamed(name);
    const gradient = [0.3, -0.1, 0.2, 0.4, 0.1, -0.2];
    const program = engine.program("plain", (state, inputs) => {
      const made = adamWStep(state, inputs.gradient!, inputs, settings);
      return { state: made.state, outputs: { norm: made.gradient_norm } };
    });
    const state = engine.state({
      parameters: hostTensor(Float32Array.from(parameters), [6]),
      first_moment: hostTensor(new Float32Array(6), [6]),
      second_moment: hostTensor(new Float32Array(6), [6]),
    });
    await program.run(state, {
      gradient: hostTensor(Float32Array.from(gradient), [6]),
      ...adamWInputs(settings, 0.01, 1),
    });
    const expected = [...(await state.read("parameters")).data];
    expect((await stateAfter([gradient], {}, name)).parameters).toEqual(expected);
    expectClose((await stateAfter([gradient], { skip_overflow: true }, name)).parameters, expected, { relative: 1e-6 });
  });
});
