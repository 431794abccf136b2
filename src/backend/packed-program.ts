import {
  type EngineState,
  type HostTensor,
  type HostTensors,
  hostTensor,
  mapValues,
  type Program,
  type StepFunction,
  sizeOf,
  type Targets,
} from "./engine.ts";
import type { Shapes } from "./recorder.ts";
import { type TensorMap, tf } from "./tf.ts";

/** Inputs of so many numbers or fewer travel together. */
const largest = 2 ** 18;

/** Inputs of one set of shapes, and the program for them. */
interface Variant {
  readonly program: Program;
  readonly small: Shapes;
  /** Of the outputs; known once the step was recorded. */
  outputs: Shapes;
}

/**
 * A step whose small inputs go to the device as one array, and whose outputs come back as one: each transfer takes as long as many
 * kernels, whatever its size, and a training step has a dozen of them.
 */
export class PackedProgram implements Program {
  readonly #step: StepFunction;
  readonly #bind: (step: StepFunction) => Program;
  readonly #variants = new Map<string, Variant>();

  /** @param bind  makes a program of the step that takes `packed` */
  constructor(step: StepFunction, bind: (step: StepFunction) => Program) {
    [this.#step, this.#bind] = [step, bind];
  }

  async run(state: EngineState, inputs: HostTensors, targets: Targets = {}): Promise<HostTensors> {
    const variant = this.#variant(inputs);
    const rest = Object.entries(inputs).filter(([name]) => !(name in variant.small));
    const parts = Object.keys(variant.small).map((name) => inputs[name]!.data);
    const packed = new Float32Array(parts.reduce((size, { length }) => size + length, 0));
    for (let k = 0, at = 0; k < parts.length; at += parts[k++]!.length) packed.set(parts[k]!, at);
    const made = await variant.program.run(state, {
      ...Object.fromEntries(rest),
      ...(parts.length > 0 && { packed: hostTensor(packed, [packed.length]) }),
    });
    return unpacked(made.packed!.data, variant.outputs, targets);
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#variants.values()].map(({ program }) => program.dispose()));
    this.#variants.clear();
  }

  #variant(inputs: HostTensors): Variant {
    const key = Object.entries(inputs)
      .map(([name, { shape }]) => `${name} ${shape}`)
      .join("; ");
    const known = this.#variants.get(key);
    if (known) return known;
    const small = Object.entries(inputs).filter(([, { data }]) => data.length <= largest);
    const variant: Variant = {
      program: this.#bind((state, { packed, ...given }) => {
        const made = this.#step(state, { ...given, ...(packed && parted(packed, variant.small)) });
        variant.outputs = mapValues(made.outputs, ({ shape }) => shape);
        const flat = Object.values(made.outputs).map((output) => tf.reshape(output, [-1]) as tf.Tensor1D);
        return { ...made, outputs: { packed: tf.concat1d(flat) } };
      }),
      small: Object.fromEntries(small.map(([name, { shape }]) => [name, shape])),
      outputs: {},
    };
    this.#variants.set(key, variant);
    return variant;
  }
}

/** [size] → arrays of those shapes, one after another. */
function parted(packed: tf.Tensor, shapes: Shapes): TensorMap {
  const parts = tf.split(packed, Object.values(shapes).map(sizeOf));
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape], k) => [name, tf.reshape(parts[k]!, [...shape])]),
  );
}

function unpacked(packed: Float32Array, shapes: Shapes, targets: Targets): HostTensors {
  let at = 0;
  const part = ([name, shape]: [string, readonly number[]]): [string, HostTensor] => {
    const data = targets[name] ?? new Float32Array(sizeOf(shape));
    data.set(packed.subarray(at, at + data.length));
    at += data.length;
    return [name, hostTensor(data, shape)];
  };
  return Object.fromEntries(Object.entries(shapes).map(part));
}
