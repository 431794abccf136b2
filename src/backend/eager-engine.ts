import { inBlocks } from "./blocks.ts";
import {
  type BlockSizes,
  cacheSized,
  type Engine,
  type EngineState,
  type HostTensor,
  type HostTensors,
  mapValues,
  type Program,
  type ProgramOptions,
  type StepFunction,
  type Targets,
} from "./engine.ts";
import { type TensorMap, tf } from "./tf.ts";

/** Runs each step operation by operation on a tfjs backend. */
export class EagerEngine implements Engine {
  readonly name = "eager";
  readonly #backend: string;
  readonly #sizes: BlockSizes;

  /** @param backend  its name, once tfjs has it ready */
  constructor(backend: string, sizes: BlockSizes = cacheSized) {
    [this.#backend, this.#sizes] = [backend, sizes];
  }

  state(initial: HostTensors): EngineState {
    return new EagerState(initial, this.#backend);
  }

  program(_name: string, step: StepFunction, options: ProgramOptions = {}): Program {
    const prepared = options.prepare ? new Prepared(options.prepare) : null;
    return inBlocks(new EagerProgram(step, prepared, this.#backend), this.#sizes, options);
  }
}

/**
 * Makes a backend the current one for what follows synchronously: engines on different ones may take turns. It stays current, for
 * switching takes about a millisecond and most processes have one engine.
 */
function switchTo(backend: string): void {
  // `setBackend` is declared asynchronous, but for a backend that is ready it has switched when it returns.
  if (tf.getBackend() !== backend) void tf.engine().setBackend(backend);
}

class EagerState implements EngineState {
  tensors: TensorMap;
  /** Changed by every change of an array. */
  version = Symbol("state");
  readonly #backend: string;

  constructor(initial: HostTensors, backend: string) {
    this.#backend = backend;
    switchTo(backend);
    this.tensors = mapValues(initial, uploadCopy);
  }

  get names(): string[] {
    return Object.keys(this.tensors);
  }

  async read(name: string): Promise<HostTensor> {
    return downloadCopy(this.#get(name));
  }

  write(name: string, value: HostTensor): void {
    switchTo(this.#backend);
    this.replace({ [name]: uploadCopy(value) });
  }

  /** Takes ownership of `changed`; the tensors that it replaces are disposed. */
  replace(changed: TensorMap): void {
    for (const [name, tensor] of Object.entries(changed)) {
      this.version = Symbol("state");
      this.#get(name).dispose();
      this.tensors[name] = tf.keep(tensor);
    }
  }

  dispose(): void {
    tf.dispose(this.tensors);
    this.tensors = {};
  }

  #get(name: string): tf.Tensor {
    const tensor = this.tensors[name];
    if (!tensor) throw new Error(`the state has no array "${name}"`);
    return tensor;
  }
}

/** What a program makes of its state, kept from call to call. */
class Prepared {
  readonly #prepare: (state: TensorMap) => TensorMap;
  #tensors: TensorMap = {};
  #madeOf: symbol | null = null;

  constructor(prepare: (state: TensorMap) => TensorMap) {
    this.#prepare = prepare;
  }

  of({ tensors, version }: EagerState): TensorMap {
    if (this.#madeOf !== version) {
      this.dispose();
      this.#tensors = tf.tidy(() => mapValues(this.#prepare(tensors), (tensor) => tf.keep(tf.clone(tensor))));
      this.#madeOf = version;
    }
    return this.#tensors;
  }

  dispose(): void {
    tf.dispose(this.#tensors);
    [this.#tensors, this.#madeOf] = [{}, null];
  }
}

class EagerProgram implements Program {
  readonly #step: StepFunction;
  readonly #prepared: Prepared | null;
  readonly #backend: string;

  constructor(step: StepFunction, prepared: Prepared | null, backend: string) {
    [this.#step, this.#prepared, this.#backend] = [step, prepared, backend];
  }

  async run(state: EngineState, inputs: HostTensors, targets: Targets = {}): Promise<HostTensors> {
    if (!(state instanceof EagerState)) throw new Error("this state belongs to another engine");
    switchTo(this.#backend);
    const uploaded = mapValues(inputs, upload);
    let outputs: TensorMap = {};
    try {
      const given = this.#prepared?.of(state) ?? state.tensors;
      const result = tf.tidy(() => {
        const made = this.#step(given, uploaded);
        // A tensor that is handed on unchanged would be disposed twice: copies cost nothing (they share their data).
        return { state: mapValues(made.state ?? {}, tf.clone), outputs: mapValues(made.outputs, tf.clone) };
      });
      outputs = result.outputs;
      state.replace(result.state);
      const lasting = [state.tensors, given, uploaded].flatMap((tensors) => Object.values(tensors));
      return await downloadAll(outputs, new Set(lasting.map(({ dataId }) => dataId)), targets);
    } finally {
      tf.dispose(uploaded);
      tf.dispose(outputs);
    }
  }

  async dispose(): Promise<void> {
    this.#prepared?.dispose();
  }
}

function upload(value: HostTensor): tf.Tensor {
  return tf.tensor(value.data, [...value.shape], "float32");
}

/** The native backend reads the array only at the tensor's first use: by then its owner may have changed it. */
function uploadCopy({ data, shape }: HostTensor): tf.Tensor {
  return upload({ data: data.slice(), shape });
}

/** A backend may hand out the very array that the tensor was made of. */
async function downloadCopy(tensor: tf.Tensor): Promise<HostTensor> {
  const values = (await tensor.data()) as Float32Array;
  return { data: values.slice(), shape: tensor.shape };
}

/** @param lasting  the data of tensors that live on: of an output that is one of these a copy is given */
async function downloadAll(outputs: TensorMap, lasting: Set<tf.DataId>, targets: Targets): Promise<HostTensors> {
  const download = async (name: string, tensor: tf.Tensor): Promise<HostTensor> => {
    const target = targets[name];
    if (!target && lasting.has(tensor.dataId)) return downloadCopy(tensor);
    const values = (await tensor.data()) as Float32Array;
    target?.set(values);
    return { data: target ?? values, shape: tensor.shape };
  };
  const entries = await Promise.all(
    Object.entries(outputs).map(async ([name, tensor]) => [name, await download(name, tensor)] as const),
  );
  return Object.fromEntries(entries);
}
