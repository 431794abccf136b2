import type { TensorMap } from "./tf.ts";

/** A float32 array on the host with its shape: what goes in and out of every program. */
export interface HostTensor {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}
export type HostTensors = Record<string, HostTensor>;

/**
 * A step as a pure function: current state and inputs in, the changed part of the state and the outputs out.
 * It must not read values or draw random numbers: an engine may record it once per shape and replay the record.
 */
export type StepFunction = (state: TensorMap, inputs: TensorMap) => { state?: TensorMap; outputs: TensorMap };

/** Named arrays that live in the engine between steps: weights, moments, running statistics, constants. */
export interface EngineState {
  /** Of all its arrays. */
  readonly names: readonly string[];
  read(name: string): Promise<HostTensor>;
  write(name: string, value: HostTensor): void;
  dispose(): void;
}

/** A step bound to its engine. */
export interface Program {
  /**
   * @param targets  arrays that an engine may write outputs of these names into, and then gives back; it need not, so that a caller has
   *                 to look at what `data` of the result is
   */
  run(state: EngineState, inputs: HostTensors, targets?: Readonly<Record<string, Float32Array>>): Promise<HostTensors>;
  dispose(): void;
}

/** Runs steps. The trainers and `Inference` know nothing else of what computes. */
export interface Engine {
  readonly name: string;
  state(initial: HostTensors): EngineState;
  /** @param options.frozen the state never changes: it may be compiled in */
  program(name: string, step: StepFunction, options?: { readonly frozen?: boolean }): Program;
}

/** A scalar as a program's input. */
export function scalar(value: number): HostTensor {
  return { data: Float32Array.of(value), shape: [] };
}

/** A host array as a program's input or state. */
export function hostTensor(data: Float32Array, shape: readonly number[]): HostTensor {
  return { data, shape };
}
