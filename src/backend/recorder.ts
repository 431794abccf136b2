import type { DataId, DataType, KernelFunc, TensorInfo } from "@tensorflow/tfjs";
import { type BatchPart, wholeBatch } from "./batch-part.ts";
import type { HostTensors, StepFunction } from "./engine.ts";
import { GraphBuilder, type GraphLimits, type Value, type ValueType } from "./graph-builder.ts";
import type { ValueShapes } from "./graph-passes.ts";
import { translations } from "./onnx-kernels.ts";
import type { OnnxGraph } from "./onnx-model.ts";
import { type TensorMap, tf } from "./tf.ts";

/** A step that asks for a kernel without a translation: it has to run eagerly. */
export class UnknownKernelError extends Error {
  readonly kernel: string;
  constructor(kernel: string) {
    super(`the kernel ${kernel} has no translation to ONNX`);
    this.kernel = kernel;
  }
}

/** What was recorded: the graph and the names of its outputs. */
export interface Recording {
  readonly graph: OnnxGraph;
  /** Arrays of the state that the step changes; outputs `next:<name>`. */
  readonly changed: readonly string[];
  /** Outputs `output:<name>`. */
  readonly outputs: readonly string[];
  /** Multiplications of the largest matrix product. */
  readonly largestProduct: number;
  /** Of the graph's values. */
  readonly shapes: ValueShapes;
}

export type Shapes = Readonly<Record<string, readonly number[]>>;

interface RecordingOptions {
  readonly frozen?: HostTensors;
  readonly limits?: GraphLimits | undefined;
  readonly share?: number;
}

const backendName = "recorder";

/**
 * Runs a step once on a backend that computes nothing: it notes each kernel, with shapes, as ONNX nodes. Gradients come along,
 * because the tape of tfjs asks for kernels like anything else.
 * @param state, inputs  the shapes of the arrays, by name; inputs of the graph are `state:<name>` and `input:<name>`
 * @param options        `frozen`: arrays of the state that become constants of the graph; `limits`: what the nodes have to keep to;
 *                       `share` of their batch that the inputs are: less than 1 leaves sums over parts in the graph (`parts.ts`)
 * @throws UnknownKernelError
 */
export function recordStep(
  name: string,
  step: StepFunction,
  state: Shapes,
  inputs: Shapes,
  { frozen = {}, limits, share = 1 }: RecordingOptions = {},
): Recording {
  const recorder = new RecordingBackend(limits);
  return onBackend(recorder, () => {
    const ports = (kind: string, shapes: Shapes): TensorMap =>
      Object.fromEntries(Object.entries(shapes).map(([key, shape]) => [key, recorder.input(`${kind}:${key}`, shape)]));
    let recording!: Recording;
    // Not returned through `tidy`, which looks for tensors in every entry of the constants' arrays.
    tf.tidy(() => {
      const constants = Object.fromEntries(
        Object.entries(frozen).map(([key, { data, shape }]) => [key, recorder.constant(data, shape)]),
      );
      const part: BatchPart = share === 1 ? wholeBatch : { share, sum: (made) => recorder.total(made) };
      const made = step({ ...ports("state", state), ...constants }, ports("input", inputs), part);
      const outputs: Record<string, Value> = {};
      for (const [key, tensor] of Object.entries(made.state ?? {})) outputs[`next:${key}`] = recorder.lookup(tensor);
      for (const [key, tensor] of Object.entries(made.outputs)) outputs[`output:${key}`] = recorder.lookup(tensor);
      const graph = recorder.graph.finish(name, outputs);
      recording = {
        graph,
        changed: Object.keys(made.state ?? {}),
        outputs: Object.keys(made.outputs),
        largestProduct: recorder.graph.largestProduct(),
        shapes: recorder.graph.shapes,
      };
    });
    return recording;
  });
}

/** Makes `recorder` the current backend while `f` runs; both are synchronous. */
function onBackend<T>(recorder: RecordingBackend, f: () => T): T {
  const engine = tf.engine();
  const previous = engine.backendName;
  registerKernels();
  tf.registerBackend(backendName, () => recorder);
  // `setBackend` is declared asynchronous, but for a synchronous factory it has switched when it returns.
  void engine.setBackend(backendName);
  try {
    return f();
  } finally {
    if (previous) void engine.setBackend(previous);
    tf.removeBackend(backendName);
  }
}

class RecordingBackend extends tf.KernelBackend {
  readonly graph: GraphBuilder;
  readonly #values = new WeakMap<DataId, Value>();
  #count = 0;

  constructor(limits?: GraphLimits) {
    super();
    this.graph = new GraphBuilder(limits);
  }

  input(name: string, shape: readonly number[]): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.info(this.graph.input(name, shape)));
  }

  constant(data: Float32Array, shape: readonly number[]): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.info(this.graph.constant(data, shape, "float32")));
  }

  total(ofPart: tf.Tensor): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.info(this.graph.total(this.lookup(ofPart))));
  }

  lookup({ dataId, shape }: TensorInfo): Value {
    const value = this.#values.get(dataId);
    if (!value) throw new Error("a step uses a tensor from outside: it must come in as state or input");
    if (`${value.shape}` === `${shape}`) return value;
    return this.graph.node("Reshape", [value, this.graph.integers(shape)], shape, value.dtype);
  }

  /** A new tensor for a value of the graph. */
  info(value: Value): TensorInfo {
    const dataId = {};
    this.#values.set(dataId, value);
    this.#count += 1;
    return { dataId, shape: [...value.shape], dtype: value.dtype };
  }

  override write(values: unknown, shape: number[], dtype: DataType): DataId {
    return this.info(this.graph.constant(values as ArrayLike<number>, shape, dtype as ValueType)).dataId;
  }

  override readSync(): never {
    throw new Error("a step must not read values: what depends on them belongs outside");
  }
  override async read(): Promise<never> {
    return this.readSync();
  }
  override move(): void {}
  override disposeData(): boolean {
    return true;
  }
  override incRef(): void {}
  decRef(): boolean {
    return true;
  }
  override refCount(): number {
    return 1;
  }
  override numDataIds(): number {
    return this.#count;
  }
  override floatPrecision(): 32 {
    return 32;
  }
  override epsilon(): number {
    return 1e-7;
  }
  override timerAvailable(): boolean {
    return false;
  }
  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }
  override dispose(): void {}
}

/** A kernel function for every kernel that tfjs knows: translated, or an error with its name. */
function registerKernels(): void {
  for (const { kernelName } of tf.getKernelsForBackend("cpu").concat(tf.getKernelsForBackend("wasm"))) {
    if (tf.getKernel(kernelName, backendName)) continue;
    tf.registerKernel({ kernelName, backendName, kernelFunc: recordKernel(kernelName) });
  }
}

function recordKernel(kernelName: string): KernelFunc {
  return ({ inputs, attrs, backend }) => {
    const translate = translations[kernelName];
    const recorder = backend as RecordingBackend;
    const present = Object.entries(inputs).filter((entry): entry is [string, TensorInfo] => entry[1] != null);
    const values = present.map(([name, info]) => [name, recorder.lookup(info)] as const);
    const call = { inputs: Object.fromEntries(values), list: values.map(([, value]) => value), attrs: attrs ?? {} };
    const made = translate?.(recorder.graph, call);
    if (!made) throw new UnknownKernelError(kernelName);
    return Array.isArray(made) ? made.map((value) => recorder.info(value)) : recorder.info(made);
  };
}
