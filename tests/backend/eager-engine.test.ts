import { describe, expect, it } from "vitest";
import { hostTensor } from "../../src/backend/engine.ts";
import { tf } from "../../src/backend/tf.ts";
import { engineNamed, engines } from "../helpers/tensors.ts";

const numbers = (...values: number[]) => hostTensor(Float32Array.from(values), [values.length]);

describe.each(engines)("on the %s engine", (name) => {
  it("what a frozen step makes of its state is used again, until the state is written", async () => {
    const engine = await engineNamed(name);
    const state = engine.state({ weight: numbers(2, 3) });
    let made = 0;
    const program = engine.program("scale", ({ doubled }, { x }) => ({ outputs: { y: tf.mul(doubled!, x!) } }), {
      frozen: true,
      prepare: ({ weight }) => {
        made += 1;
        return { doubled: tf.mul(weight!, 2) };
      },
    });
    const run = async (): Promise<number[]> => [...(await program.run(state, { x: numbers(1, 10) })).y!.data];
    expect(await run()).toEqual([4, 60]);
    expect(await run()).toEqual([4, 60]);
    expect(made).toBe(1);
    state.write("weight", numbers(5, 7));
    expect(await run()).toEqual([10, 140]);
    expect(made).toBe(2);
    program.dispose();
    state.dispose();
  });

  it("outputs are the caller's own, also where they are the state or an input as they were", async () => {
    const engine = await engineNamed(name);
    const [state, x] = [engine.state({ kept: numbers(1, 2) }), numbers(3, 4)];
    const program = engine.program("pass", ({ kept }, inputs) => ({
      outputs: { kept: tf.clone(kept!), x: tf.clone(inputs.x!), sum: tf.add(kept!, inputs.x!) },
    }));
    const first = await program.run(state, { x });
    expect([...first.sum!.data]).toEqual([4, 6]);
    for (const { data } of Object.values(first)) data.fill(0);
    expect([...x.data]).toEqual([3, 4]);
    expect([...(await state.read("kept")).data]).toEqual([1, 2]);
    expect([...(await program.run(state, { x })).sum!.data]).toEqual([4, 6]);
    program.dispose();
    state.dispose();
  });

  it("outputs may be written into arrays that are given for them", async () => {
    const engine = await engineNamed(name);
    const state = engine.state({});
    const program = engine.program("double", (_, { x }) => ({ outputs: { y: tf.mul(x!, 2), z: tf.mul(x!, 3) } }));
    const target = new Float32Array(2);
    const made = await program.run(state, { x: numbers(3, 4) }, { y: target });
    expect([...target]).toEqual([6, 8]);
    expect(made.y!.data).toBe(target);
    expect([...made.z!.data]).toEqual([9, 12]);
    program.dispose();
    state.dispose();
  });
});
