import type { InferenceSession, Tensor } from "onnxruntime-node";
import type { CompiledState } from "./compiled-state.ts";
import { type HostTensor, type HostTensors, hostTensor, sizeOf } from "./engine.ts";
import type { OnnxRuntime } from "./onnx-runtime.ts";
import type { Part } from "./parts.ts";

/** A part, and what makes its sums. */
export interface PartSession extends Part {
  readonly session: InferenceSession;
  /** Its outputs, in an order that all parts have in common. */
  readonly sums: readonly string[];
}

/** Adds up what each part of a batch makes; of a step whose sums do not depend on each other. */
export class PartSums {
  readonly #runtime: OnnxRuntime;
  readonly #parts: readonly PartSession[];
  /** Which dimension of each input is the batch. */
  readonly #dimensions: Readonly<Record<string, number>>;
  /** Arrays for the parts of inputs that do not lie together, by input; they serve part after part. */
  readonly #copies = new Map<string, Float32Array>();

  constructor(runtime: OnnxRuntime, parts: readonly PartSession[], dimensions: Readonly<Record<string, number>>) {
    [this.#runtime, this.#parts, this.#dimensions] = [runtime, parts, dimensions];
  }

  /** @returns the sums, by the names that the first part has for them */
  async run(state: CompiledState, inputs: HostTensors): Promise<HostTensors> {
    const names = this.#parts[0]!.sums;
    const totals: { data: Float64Array; shape: readonly number[] }[] = [];
    for (const part of this.#parts) {
      const feeds: Record<string, Tensor> = {};
      for (const name of part.session.inputNames) {
        const key = name.slice(name.indexOf(":") + 1);
        feeds[name] = name.startsWith("state:") ? await state.feed(key) : this.#cut(key, inputs[key]!, part);
      }
      const made = await part.session.run(feeds);
      for (const [k, name] of part.sums.entries()) {
        const { data, dims } = made[name]!;
        totals[k] ??= { data: new Float64Array(data.length), shape: dims };
        const total = totals[k].data;
        for (let i = 0; i < total.length; i++) total[i]! += data[i] as number;
      }
    }
    const entries = totals.map(
      ({ data, shape }, k) => [names[k]!, hostTensor(Float32Array.from(data), shape)] as const,
    );
    return Object.fromEntries(entries);
  }

  async release(): Promise<void> {
    await Promise.all([...new Set(this.#parts.map(({ session }) => session))].map((session) => session.release()));
  }

  #cut(name: string, { data, shape }: HostTensor, { start, count }: Part): Tensor {
    const dimension = this.#dimensions[name];
    const tensor = (data: Float32Array, shape: readonly number[]): Tensor =>
      new this.#runtime.Tensor("float32", data, [...shape]);
    if (dimension === undefined) return tensor(data, shape);
    const inner = sizeOf(shape.slice(dimension + 1));
    const [from, length, stride] = [start * inner, count * inner, shape[dimension]! * inner];
    const cut = shape.with(dimension, count);
    if (dimension === 0) return tensor(data.subarray(from, from + length), cut);
    const size = sizeOf(cut);
    const known = this.#copies.get(name);
    const copy = known && known.length >= size ? known.subarray(0, size) : new Float32Array(size);
    if (!known) this.#copies.set(name, copy);
    for (let at = 0, row = from; at < size; at += length, row += stride) copy.set(data.subarray(row, row + length), at);
    return tensor(copy, cut);
  }
}
