import { sizeOf } from "../backend/engine.ts";
import { type TensorMap, tf } from "../backend/tf.ts";
import { type UniformSource, uniformLinear } from "./initialization.ts";

/** Name and shape of one array of a model, as in PyTorch's state_dict. */
export interface ArraySpec {
  readonly name: string;
  readonly shape: readonly number[];
  /** What fresh weights are: one number, or PyTorch's U(−1/√n, 1/√n) for a layer of n inputs. Absent: 0. */
  readonly fresh?: number | { readonly inputs: number };
}

/**
 * Several named arrays laid out in one vector, so that the optimizer works on a single array: twelve operations a step
 * whatever the number of layers.
 */
export class Layout {
  readonly specs: readonly ArraySpec[];
  /** Entries of the whole vector. */
  readonly size: number;
  readonly #offsets = new Map<string, number>();

  constructor(specs: readonly ArraySpec[]) {
    this.specs = specs;
    let offset = 0;
    for (const spec of specs) {
      this.#offsets.set(spec.name, offset);
      offset += sizeOf(spec.shape);
    }
    this.size = offset;
  }

  /** @param vector [size] @returns the arrays by name, owned by the caller's tidy */
  unpack(vector: tf.Tensor): TensorMap {
    return Object.fromEntries(
      this.specs.map(({ name, shape }) => {
        const part = tf.slice(vector as tf.Tensor1D, [this.#offset(name)], [sizeOf(shape)]);
        return [name, tf.reshape(part, [...shape])];
      }),
    );
  }

  /** The inverse of `unpack`. @returns [size] */
  pack(arrays: TensorMap): tf.Tensor1D {
    return tf.concat(this.specs.map(({ name, shape }) => tf.reshape(arrays[name]!, [sizeOf(shape)]) as tf.Tensor1D));
  }

  /** The part of a host vector that holds `name`; a view, not a copy. */
  view(vector: Float32Array, name: string): Float32Array {
    const offset = this.#offset(name);
    const spec = this.specs.find((candidate) => candidate.name === name)!;
    return vector.subarray(offset, offset + sizeOf(spec.shape));
  }

  /** Fresh weights, drawn in the order of the arrays. @returns [size] */
  fresh(random: UniformSource): Float32Array {
    const vector = new Float32Array(this.size);
    for (const { name, fresh = 0 } of this.specs) {
      if (typeof fresh === "number") this.view(vector, name).fill(fresh);
      else uniformLinear(this.view(vector, name), fresh.inputs, random);
    }
    return vector;
  }

  /** Gathers named host arrays into one vector. @throws Error where one is absent or has another size */
  gather(arrays: ReadonlyMap<string, { readonly data: ArrayLike<number> | BigInt64Array }>): Float32Array {
    const vector = new Float32Array(this.size);
    for (const { name, shape } of this.specs) {
      const data = arrays.get(name)?.data;
      if (data?.length !== sizeOf(shape) || data instanceof BigInt64Array) {
        throw new Error(`array "${name}" is not of shape [${shape}]`);
      }
      this.view(vector, name).set(data);
    }
    return vector;
  }

  #offset(name: string): number {
    const offset = this.#offsets.get(name);
    if (offset === undefined) throw new Error(`no array "${name}" in this layout`);
    return offset;
  }
}

/** Weight and bias of a linear layer as PyTorch names and begins them. */
export function linearSpecs(name: string, inputs: number, outputs: number): ArraySpec[] {
  const fresh = { inputs };
  return [
    { name: `${name}.weight`, shape: [outputs, inputs], fresh },
    { name: `${name}.bias`, shape: [outputs], fresh },
  ];
}
