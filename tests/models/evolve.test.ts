import { beforeAll, describe, expect, it } from "vitest";
import { tf } from "../../src/backend/tf.ts";
import { type Chain, type ChainMasks, evolve, evolvePlainly } from "../../src/models/evolvers/residual-chain.ts";
import { engineNamed, engines, expectClose, withoutLeak } from "../helpers/tensors.ts";

/** Those of tfjs: each has a product of matrices of its own. */
const backends = { eager: "wasm", native: "tensorflow" } as const;
const eager = engines.filter((name): name is keyof typeof backends => name in backends);

const [batch, latent, hidden] = [3, 2, 5];

function wave(shape: [number, number], seed: number): tf.Tensor2D {
  const size = shape[0] * shape[1];
  const values = Array.from({ length: size }, (_, i) => 0.6 * Math.sin(seed + 2.3 * i));
  return tf.tensor2d(values, shape);
}

function chain(steps: number): tf.Tensor2D[] {
  return [
    wave([steps * batch, hidden], 1),
    wave([latent, hidden], 2),
    wave([hidden, hidden], 3),
    wave([hidden, latent], 4),
  ];
}

/** Inverted dropout with two in three kept. */
function masks(steps: number): ChainMasks {
  const mask = (shift: number): tf.Tensor2D => {
    const values = Array.from({ length: steps * batch * hidden }, (_, i) => ((i + shift) % 3 ? 1.5 : 0));
    return tf.tensor2d(values, [steps * batch, hidden]);
  };
  return { first: mask(0), second: mask(1) };
}

describe.each(eager)("evolve on the %s engine", (name) => {
  beforeAll(async () => {
    await engineNamed(name);
    await tf.setBackend(backends[name]);
  });

  it.each([
    [1, false],
    [1, true],
    [4, false],
    [4, true],
  ])("has values and gradients of the plain definition over %i steps, with dropout: %s", (steps, dropout) => {
    const made = withoutLeak(() => {
      const [latents, factors] = [wave([batch, latent], 5), wave([steps * batch, latent], 6)];
      const kept = dropout ? masks(steps) : null;
      const asChain = ([drive, ofLatents, second, third]: tf.Tensor2D[]): Chain => {
        return { drive: drive!, ofLatents: ofLatents!, second: second!, third: third! };
      };
      const plainly = (arrays: tf.Tensor2D[]): tf.Tensor2D => {
        const { states } = evolvePlainly(asChain(arrays), latents, steps, kept);
        return states.length === 1 ? states[0]! : tf.concat(states, 0);
      };
      const closed = (arrays: tf.Tensor2D[]): tf.Tensor2D => evolve(asChain(arrays), latents, steps, kept);
      return [plainly, closed].map((f) => {
        const weighted = (...arrays: tf.Tensor[]): tf.Scalar => tf.sum(tf.mul(f(arrays as tf.Tensor2D[]), factors));
        const { value, grads } = tf.valueAndGrads(weighted)(chain(steps));
        return [value, ...grads].map((tensor) => tensor.dataSync().slice());
      });
    });
    expect(made[1]!.map(({ length }) => length)).toEqual(made[0]!.map(({ length }) => length));
    for (const [k, expected] of made[0]!.entries())
      expectClose(made[1]![k]!, expected, { relative: 1e-5, what: `${k}` });
  });
});
