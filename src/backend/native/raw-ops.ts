import type { TensorInfo } from "@tensorflow/tfjs";
import type { tf } from "../tf.ts";

/** A tensor in TensorFlow's own hands; tfjs knows nothing of it. */
export type RawId = number;

/** What an operation is set to. */
export interface RawAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: number | boolean;
}

interface RawResult {
  readonly id: RawId;
  readonly shape: number[];
  readonly dtype: number;
}

/** What is used of tfjs-node's backend: it runs any of TensorFlow's operations by its name. */
export interface NodeBackend {
  readonly binding: {
    readonly TF_ATTR_BOOL: number;
    readonly TF_ATTR_INT: number;
    readonly TF_ATTR_TYPE: number;
    readonly TF_FLOAT: number;
    readonly TF_INT32: number;
    executeOp(
      name: string,
      attributes: readonly RawAttribute[],
      inputs: readonly RawId[],
      outputs: number,
    ): RawResult[];
    createTensor(shape: readonly number[], dtype: number, values: Int32Array): RawId;
    deleteTensor(id: RawId): void;
  };
  getInputTensorIds(tensors: readonly TensorInfo[]): RawId[];
  createOutputTensor(result: RawResult): tf.Tensor;
}

/**
 * TensorFlow's operations on float32 without tfjs between them: 6 µs a call in place of 17 (scopes, tape and tensors of tfjs), which
 * counts where a loop makes thousands of small ones.
 */
export class RawOps {
  readonly #backend: NodeBackend;
  readonly #type: RawAttribute;
  readonly #live = new Map<RawId, RawResult>();

  constructor(backend: NodeBackend) {
    this.#backend = backend;
    this.#type = { name: "T", type: backend.binding.TF_ATTR_TYPE, value: backend.binding.TF_FLOAT };
  }

  /** Runs `f`; what it made and did not `take` is freed at the end. */
  static within<T>(backend: NodeBackend, f: (ops: RawOps) => T): T {
    const ops = new RawOps(backend);
    try {
      return f(ops);
    } finally {
      ops.free(...ops.#live.keys());
    }
  }

  /** A tensor that stays tfjs' own. */
  borrow(tensor: TensorInfo): RawId {
    return this.#backend.getInputTensorIds([tensor])[0]!;
  }

  /** Hands a tensor over to tfjs. */
  take(id: RawId): tf.Tensor {
    const result = this.#live.get(id);
    if (!result) throw new Error("this tensor is not one of these operations' own");
    this.#live.delete(id);
    return this.#backend.createOutputTensor(result);
  }

  /** Borrowed ones are left alone. */
  free(...ids: RawId[]): void {
    for (const id of ids) if (this.#live.delete(id)) this.#backend.binding.deleteTensor(id);
  }

  matMul(a: RawId, b: RawId, transposeA = false, transposeB = false): RawId {
    const { TF_ATTR_BOOL: type } = this.#backend.binding;
    const attributes = [
      { name: "transpose_a", type, value: transposeA },
      { name: "transpose_b", type, value: transposeB },
    ];
    return this.#run(
      "MatMul",
      [a, b],
      attributes.filter(({ value }) => value),
    );
  }

  add(a: RawId, b: RawId): RawId {
    return this.#run("AddV2", [a, b]);
  }

  /** Of three or more tensors of one shape, in one pass. */
  sum(...tensors: RawId[]): RawId {
    return this.#run("AddN", tensors, [this.#count(tensors), this.#type]);
  }

  mul(a: RawId, b: RawId): RawId {
    return this.#run("Mul", [a, b]);
  }

  relu(x: RawId): RawId {
    return this.#run("Relu", [x]);
  }

  /** The gradient where relu's value is above 0, else 0. */
  reluGradient(gradient: RawId, value: RawId): RawId {
    return this.#run("ReluGrad", [gradient, value]);
  }

  copy(x: RawId): RawId {
    return this.#run("Identity", [x]);
  }

  /** Equal parts along the first axis. */
  split(x: RawId, parts: number): RawId[] {
    const axis = this.#integers([], 0);
    const attributes = [{ name: "num_split", type: this.#backend.binding.TF_ATTR_INT, value: parts }, this.#type];
    const made = this.#execute("Split", [axis, x], attributes, parts);
    this.free(axis);
    return made;
  }

  /** Along the first axis. */
  concat(parts: readonly RawId[]): RawId {
    const axis = this.#integers([], 0);
    const made = this.#run("ConcatV2", [...parts, axis], [this.#count(parts), this.#type]);
    this.free(axis);
    return made;
  }

  /** Of a matrix. */
  transpose(x: RawId): RawId {
    const order = this.#integers([2], 1, 0);
    const made = this.#run("Transpose", [x, order]);
    this.free(order);
    return made;
  }

  /** How many tensors a list has. */
  #count(tensors: readonly RawId[]): RawAttribute {
    return { name: "N", type: this.#backend.binding.TF_ATTR_INT, value: tensors.length };
  }

  #integers(shape: readonly number[], ...values: number[]): RawId {
    const { binding } = this.#backend;
    const id = binding.createTensor(shape, binding.TF_INT32, Int32Array.from(values));
    this.#live.set(id, { id, shape: [...shape], dtype: binding.TF_INT32 });
    return id;
  }

  /** What TensorFlow infers, or has as its default, is left out: setting it takes a microsecond. */
  #run(name: string, inputs: readonly RawId[], attributes: readonly RawAttribute[] = []): RawId {
    return this.#execute(name, inputs, attributes, 1)[0]!;
  }

  #execute(name: string, inputs: readonly RawId[], attributes: readonly RawAttribute[], outputs: number): RawId[] {
    const made = this.#backend.binding.executeOp(name, attributes, inputs, outputs);
    for (const result of made) this.#live.set(result.id, result);
    return made.map(({ id }) => id);
  }
}
