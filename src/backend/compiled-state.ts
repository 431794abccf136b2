import type { Tensor } from "onnxruntime-node";
import type { EngineState, HostTensor, HostTensors } from "./engine.ts";
import type { OnnxRuntime } from "./onnx-runtime.ts";
import type { Shapes } from "./recorder.ts";
import type { WebGpu } from "./webgpu.ts";

/** The state of compiled steps, wherever it lies. */
export interface CompiledState extends EngineState {
  /** Changed by every write from outside: what was compiled with the old values is of no use then. */
  readonly version: symbol;
  readonly shapes: Shapes;
  /** All arrays, to be compiled into a step that never changes them. */
  constants(): HostTensors;
  /** An array as a session takes it. */
  feed(name: string): Tensor | Promise<Tensor>;
  /** Takes what a step has made of an array; takes ownership. */
  keep(name: string, made: Tensor): void;
}

/** Arrays on the host; they go into a session without a copy. */
export class HostState implements CompiledState {
  version = Symbol("state");
  readonly #arrays = new Map<string, HostTensor>();
  readonly #runtime: OnnxRuntime;

  constructor(initial: HostTensors, runtime: OnnxRuntime) {
    this.#runtime = runtime;
    for (const [name, value] of Object.entries(initial)) this.#arrays.set(name, copied(value));
  }

  get names(): string[] {
    return [...this.#arrays.keys()];
  }

  get shapes(): Shapes {
    return Object.fromEntries([...this.#arrays].map(([name, { shape }]) => [name, shape]));
  }

  constants(): HostTensors {
    return Object.fromEntries(this.#arrays);
  }

  feed(name: string): Tensor {
    const { data, shape } = this.#get(name);
    return new this.#runtime.Tensor("float32", data, [...shape]);
  }

  keep(name: string, { data, dims }: Tensor): void {
    this.#arrays.set(name, { data: data as Float32Array, shape: dims });
  }

  async read(name: string): Promise<HostTensor> {
    return copied(this.#get(name));
  }

  write(name: string, value: HostTensor): void {
    this.#arrays.set(name, copied(value));
    this.version = Symbol("state");
  }

  dispose(): void {
    this.#arrays.clear();
  }

  #get(name: string): HostTensor {
    return this.#arrays.get(name) ?? unknownArray(name);
  }
}

/** Arrays on the device: each goes there once, when a step first wants it, and comes back when it is read. */
export class DeviceState implements CompiledState {
  version = Symbol("state");
  readonly shapes: Record<string, readonly number[]> = {};
  /** As written from outside, for arrays that no step has changed since. */
  readonly #written = new Map<string, HostTensor>();
  readonly #onDevice = new Map<string, Promise<Tensor>>();
  readonly #device: WebGpu;

  constructor(initial: HostTensors, device: WebGpu) {
    this.#device = device;
    for (const [name, value] of Object.entries(initial)) this.write(name, value);
  }

  get names(): string[] {
    return Object.keys(this.shapes);
  }

  constants(): HostTensors {
    const changed = this.names.find((name) => !this.#written.has(name));
    if (changed)
      throw new Error(`"${changed}" is compiled into a step as if it never changed, and another step changes it`);
    return Object.fromEntries(this.#written);
  }

  feed(name: string): Promise<Tensor> {
    const there = this.#onDevice.get(name) ?? this.#device.upload(this.#written.get(name) ?? unknownArray(name));
    this.#onDevice.set(name, there);
    return there;
  }

  keep(name: string, made: Tensor): void {
    this.#forget(name);
    if (made.location === "gpu-buffer") this.#onDevice.set(name, Promise.resolve(made));
    else this.#written.set(name, { data: made.data as Float32Array, shape: made.dims });
  }

  async read(name: string): Promise<HostTensor> {
    const written = this.#written.get(name);
    if (written) return copied(written);
    return this.#device.download(await (this.#onDevice.get(name) ?? unknownArray(name)));
  }

  write(name: string, value: HostTensor): void {
    this.#forget(name);
    this.#written.set(name, copied(value));
    this.shapes[name] = value.shape;
    this.version = Symbol("state");
  }

  dispose(): void {
    for (const name of this.names) this.#forget(name);
  }

  #forget(name: string): void {
    this.#written.delete(name);
    // An upload that failed has been told to whoever asked for it.
    void this.#onDevice.get(name)?.then(
      (tensor) => tensor.dispose(),
      () => {},
    );
    this.#onDevice.delete(name);
  }
}

function copied({ data, shape }: HostTensor): HostTensor {
  return { data: data.slice(), shape };
}

function unknownArray(name: string): never {
  throw new Error(`the state has no array "${name}"`);
}
