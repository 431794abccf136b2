import type { Engine, EngineState, HostTensor, HostTensors, Program, StepFunction } from "./engine.ts";
import { type TensorMap, tf } from "./tf.ts";

/** Runs each step operation by operation on a tfjs backend. */
export class EagerEngine implements Engine {
  readonly name = "eager";
  readonly #backend: string | null;

  /** @param backend  its name, once tfjs has it ready; null: whichever is current */
  constructor(backend: string | null = null) {
    this.#backend = backend;
  }

  state(initial: HostTensors): EngineState {
    return new EagerState(initial, this.#backend);
  }

  program(_name: string, step: StepFunction): Program {
    return new EagerProgram(step, this.#backend);
  }
}

/**
 * Makes a backend the current one for what follows synchronously: engines on different ones may take turns. It stays current, for
 * switching takes about a millisecond and most processes have one engine.
 */
function switchTo(backend: string | null): void {
  // `setBackend` is declared asynchronous, but for a backend that is ready it has switched when it returns.
  if (backend !== null && tf.getBackend() !== backend) void tf.engine().setBackend(backend);
}

class EagerState implements EngineState {
  tensors: TensorMap;
  readonly #backend: string | null;

  constructor(initial: HostTensors, backend: string | null) {
    this.#backend = backend;
    switchTo(backend);
    this.tensors = mapValues(initial, uploadCopy);
  }

  get names(): string[] {
    return Object.keys(this.tensors);
  }

  async read(name: string): Promise<HostTensor> {
    return download(this.#get(name));
  }

  write(name: string, value: HostTensor): void {
    switchTo(this.#backend);
    this.replace({ [name]: uploadCopy(value) });
  }

  /** Takes ownership of `changed`; the tensors that it replaces are disposed. */
  replace(changed: TensorMap): void {
    for (const [name, tensor] of Object.entries(changed)) {
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

class EagerProgram implements Program {
  readonly #step: StepFunction;
  readonly #backend: string | null;

  constructor(step: StepFunction, backend: string | null) {
    this.#step = step;
    this.#backend = backend;
  }

  async run(state: EngineState, inputs: HostTensors): Promise<HostTensors> {
    if (!(state instanceof EagerState)) throw new Error("this state belongs to another engine");
    switchTo(this.#backend);
    const uploaded = mapValues(inputs, upload);
    let outputs: TensorMap = {};
    try {
      const result = tf.tidy(() => {
        const made = this.#step(state.tensors, uploaded);
        // A tensor that is handed on unchanged would be disposed twice: copies cost nothing (they share their data).
        return { state: mapValues(made.state ?? {}, tf.clone), outputs: mapValues(made.outputs, tf.clone) };
      });
      outputs = result.outputs;
      state.replace(result.state);
      return await downloadAll(outputs);
    } finally {
      tf.dispose(uploaded);
      tf.dispose(outputs);
    }
  }

  dispose(): void {}
}

function upload(value: HostTensor): tf.Tensor {
  return tf.tensor(value.data, [...value.shape], "float32");
}

/** The native backend reads the array only at the tensor's first use: by then its owner may have changed it. */
function uploadCopy({ data, shape }: HostTensor): tf.Tensor {
  return upload({ data: data.slice(), shape });
}

async function download(tensor: tf.Tensor): Promise<HostTensor> {
  // The WASM backend hands out a view of its heap, which the next allocation may overwrite.
  const data = Float32Array.from((await tensor.data()) as Float32Array);
  return { data, shape: tensor.shape };
}

async function downloadAll(tensors: TensorMap): Promise<HostTensors> {
  const entries = await Promise.all(
    Object.entries(tensors).map(async ([name, tensor]) => [name, await download(tensor)] as const),
  );
  return Object.fromEntries(entries);
}

function mapValues<A, B>(record: Record<string, A>, f: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value)]));
}
