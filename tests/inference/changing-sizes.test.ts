import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeRandomWeights } from "../../bench/random-weights.ts";
import { CompiledEngine } from "../../src/backend/compiled-engine.ts";
import { loadOnnxRuntime, type OnnxRuntime } from "../../src/backend/onnx-runtime.ts";
import { tf } from "../../src/backend/tf.ts";
import { RandomStream } from "../../src/data/random.ts";
import { Inference, type Matrix } from "../../src/inference/inference.ts";
import { Roller } from "../../src/models/runners.ts";
import type { EmulatorWeights } from "../../src/models/weights-file.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { initialEmulator } from "../helpers/models.ts";
import { engineRequest, engines } from "../helpers/tensors.ts";

const folder = testFolder();
const species = 12;
const paths = writeRandomWeights(folder, species);
const random = new RandomStream(3);

function uniform(...shape: number[]): Matrix {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  random.fillUniform(data, 0, 1);
  return { data, shape };
}

/** Calls of many sizes, some of them large enough for several blocks. */
const calls = [
  [1, 1],
  [1, 296],
  [2, 47],
  [32, 40],
  [5, 300],
  [300, 5],
  [1100, 3],
].map(([batch, steps]) => [uniform(batch!, steps!, 4), uniform(batch!, species)] as const);

describe.each(engines)("on the %s engine", (engine) => {
  let surrogate: Inference;
  const emulate = async ([physical, abundances]: (typeof calls)[number]): Promise<Float32Array> =>
    (await surrogate.emulate(physical, abundances, { scaled: true })).data;

  beforeAll(async () => {
    surrogate = await Inference.load({ ...paths, ...engineRequest(engine) });
  });
  afterAll(() => surrogate.dispose());

  it("a call gives the same bits whatever was asked before, in any order", async () => {
    const first = [];
    for (const call of calls) first.push(await emulate(call));
    for (const k of [6, 3, 0, 5, 1, 4, 2, 1]) expect(await emulate(calls[k]!)).toEqual(first[k]);
    const fresh = await Inference.load({ ...paths, ...engineRequest(engine) });
    for (const k of [5, 1]) {
      expect((await fresh.emulate(...calls[k]!, { scaled: true })).data).toEqual(first[k]);
    }
    await fresh.dispose();
  });

  it("calls that overlap give the same bits as calls in turn", async () => {
    const inTurn = [];
    for (const call of calls) inTurn.push(await emulate(call));
    const overlapping = await Promise.all([...calls, ...calls].map(emulate));
    expect(overlapping).toEqual([...inTurn, ...inTurn]);
  });

  it("`dispose` waits for the calls that run, may be called twice, and leaves no tensor", async () => {
    const before = tf.memory().numTensors;
    const gone = await Inference.load({ ...paths, ...engineRequest(engine) });
    let ended = 0;
    const running = calls.map((call) => gone.emulate(...call, { scaled: true }).then(() => ended++));
    const disposals = [gone.dispose(), gone.dispose()];
    expect(await thrownBy(() => gone.emulate(...calls[0]!), folder)).toContain("this Inference was disposed");
    await Promise.all(disposals);
    expect(ended).toBe(calls.length);
    await Promise.all(running);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe("the compiled engine", () => {
  /** ONNX Runtime with its living sessions counted. */
  async function counted() {
    const runtime = (await loadOnnxRuntime()) as OnnxRuntime;
    const count = { living: 0, most: 0, made: 0 };
    const InferenceSession = {
      async create(bytes: Uint8Array, options: object) {
        const session = await runtime.InferenceSession.create(bytes, options);
        count.made += 1;
        count.most = Math.max(count.most, ++count.living);
        const release = session.release.bind(session);
        session.release = async () => {
          count.living -= 1;
          await release();
        };
        return session;
      },
    };
    const options = {
      threads: 2,
      provider: "cpu" as const,
      note: () => {},
      fallback: () => Promise.reject(new Error("not to be asked for")),
    };
    const engine = new CompiledEngine({ ...runtime, InferenceSession } as unknown as OnnxRuntime, options);
    return { engine, count };
  }

  it("keeps few sessions over many batches and lengths, and none after the end", async () => {
    const { engine, count } = await counted();
    const model = { input_dim: 5, hidden_dim: 7, output_dim: 3 };
    const weights = {
      model_name: "emulator",
      model,
      trainable: initialEmulator(model, random),
    } as unknown as EmulatorWeights;
    const roller = new Roller(engine, weights);
    const sizes = Array.from(uniform(120).data, (value) => 1 + Math.floor(300 * value));
    for (let k = 0; k < sizes.length; k += 2) {
      const [batch, steps] = [sizes[k]!, sizes[k + 1]!];
      await roller.rollout(uniform(batch, steps, 2).data, uniform(batch, 3).data, batch, steps);
    }
    // Lengths are 1, 2, 4, … 256.
    expect(count.made).toBeLessThanOrEqual(9);
    await roller.dispose();
    expect(count.living).toBe(0);
  });

  it("lets old sessions go where shapes do not come again", async () => {
    const { engine, count } = await counted();
    const program = engine.program("twice", (_, { x }) => ({ outputs: { y: tf.mul(x!, 2) } }));
    const state = engine.state({});
    for (let n = 1; n <= 100; n++) {
      const { y } = await program.run(state, { x: { data: new Float32Array(n).fill(n), shape: [n] } });
      expect(y!.data[n - 1]).toBe(2 * n);
    }
    expect([count.made, count.most <= 33]).toEqual([100, true]);
    await program.dispose();
    expect(count.living).toBe(0);
  });
});
