import type { KernelConfig, TensorInfo } from "@tensorflow/tfjs";
import type { tf } from "../tf.ts";
import { type NodeBackend, type RawId, RawOps } from "./raw-ops.ts";

type Inputs = Readonly<Record<string, TensorInfo | undefined>>;

/**
 * The kernels of `models/evolve.ts`, which says what they compute, on TensorFlow's own operations: some seven calls a step forwards and
 * six backwards, all of them small.
 *
 * ResidualChain: inputs `drive`, `ofLatents`, `second`, `third`, `latents`, where there is dropout `firstMask` and `secondMask`; attribute
 * `steps`, and `traced`: whether the hidden layers' values are wanted. Outputs: the states and, if traced, the states before each step
 * and the values of both hidden layers, each [steps · batch, ·].
 */
export const residualChain: Omit<KernelConfig, "backendName"> = {
  kernelName: "ResidualChain",
  kernelFunc: ({ inputs, backend, attrs }) => {
    const { steps, traced } = attrs as unknown as { steps: number; traced: boolean };
    return RawOps.within(backend as NodeBackend, (ops) => forwards(ops, inputs, steps, traced));
  },
};

/**
 * ResidualChainGradient: inputs `dy` [steps · batch, latent], `first`, `second` (values of the hidden layers), `ofLatents`, `secondWeight`,
 * `third`, where there is dropout the masks; attribute `steps`. Outputs: the gradients by each step's input of the first hidden layer, of
 * the second, and by its new state, each [steps · batch, ·].
 */
export const residualChainGradient: Omit<KernelConfig, "backendName"> = {
  kernelName: "ResidualChainGradient",
  kernelFunc: ({ inputs, backend, attrs }) => {
    const { steps } = attrs as unknown as { steps: number };
    return RawOps.within(backend as NodeBackend, (ops) => backwards(ops, inputs, steps));
  },
};

function forwards(ops: RawOps, inputs: Inputs, steps: number, traced: boolean): tf.Tensor[] {
  const [w1, w2, w3] = [inputs.ofLatents, inputs.second, inputs.third].map((w) => ops.borrow(w!)) as RawId3;
  const drives = parts(ops, inputs.drive, steps)!;
  const masks1 = parts(ops, inputs.firstMask, steps);
  const masks2 = parts(ops, inputs.secondMask, steps);
  const states: RawId[] = [ops.borrow(inputs.latents!)];
  const [firsts, seconds]: [RawId[], RawId[]] = [[], []];
  for (let t = 0; t < steps; t++) {
    const z = states[t]!;
    const first = hidden(ops, apply(ops, "add", ops.matMul(z, w1), drives[t]!), masks1?.[t]);
    const second = hidden(ops, ops.matMul(first, w2), masks2?.[t]);
    states.push(apply(ops, "add", ops.matMul(second, w3), z));
    if (traced) {
      firsts.push(first);
      seconds.push(second);
    } else ops.free(first, second);
  }
  const after = ops.take(stacked(ops, states.slice(1)));
  if (!traced) return [after];
  return [after, ...[states.slice(0, -1), firsts, seconds].map((list) => ops.take(stacked(ops, list)))];
}

function backwards(ops: RawOps, inputs: Inputs, steps: number): tf.Tensor[] {
  // Transposed once: a product with a transposed operand takes a sixth longer.
  const turned = [inputs.ofLatents, inputs.secondWeight, inputs.third].map((w) => ops.transpose(ops.borrow(w!)));
  const [w1, w2, w3] = turned as RawId3;
  const byStates = parts(ops, inputs.dy, steps)!;
  const firsts = parts(ops, inputs.first, steps)!;
  const seconds = parts(ops, inputs.second, steps)!;
  const masks1 = parts(ops, inputs.firstMask, steps);
  const masks2 = parts(ops, inputs.secondMask, steps);
  const [byFirst, bySecond, byNext] = [[], [], []] as [RawId[], RawId[], RawId[]];
  let g = byStates[steps - 1]!;
  for (let t = steps - 1; t >= 0; t--) {
    byNext[t] = g;
    bySecond[t] = through(ops, ops.matMul(g, w3), seconds[t]!, masks2?.[t]);
    byFirst[t] = through(ops, ops.matMul(bySecond[t]!, w2), firsts[t]!, masks1?.[t]);
    if (t === 0) break;
    const back = ops.matMul(byFirst[t]!, w1);
    g = ops.sum(back, g, byStates[t - 1]!);
    ops.free(back);
  }
  return [byFirst, bySecond, byNext].map((list) => ops.take(stacked(ops, list)));
}

type RawId3 = [RawId, RawId, RawId];

/** [steps · batch, n] → [batch, n] for each step. */
function parts(ops: RawOps, x: TensorInfo | undefined, steps: number): RawId[] | undefined {
  return x && ops.split(ops.borrow(x), steps);
}

/** A single part is copied too: what is taken must not be borrowed. */
function stacked(ops: RawOps, list: readonly RawId[]): RawId {
  return list.length === 1 ? ops.copy(list[0]!) : ops.concat(list);
}

/** mask · relu(x). Frees x. */
function hidden(ops: RawOps, x: RawId, mask: RawId | undefined): RawId {
  const value = ops.relu(x);
  ops.free(x);
  return mask === undefined ? value : apply(ops, "mul", value, mask);
}

/** The gradient `dy` by `hidden`'s input, whose value was `value`. Frees dy. */
function through(ops: RawOps, dy: RawId, value: RawId, mask: RawId | undefined): RawId {
  const gradient = ops.reluGradient(dy, value);
  ops.free(dy);
  return mask === undefined ? gradient : apply(ops, "mul", gradient, mask);
}

/** Frees a. */
function apply(ops: RawOps, operation: "add" | "mul", a: RawId, b: RawId): RawId {
  const made = ops[operation](a, b);
  ops.free(a);
  return made;
}
