import type { BatchPart } from "./batch-part.ts";
import type { TensorMap } from "./tf.ts";

/** A float32 array on the host with its shape: what goes in and out of every program. */
export interface HostTensor {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}
export type HostTensors = Record<string, HostTensor>;

/** Entries of an array of that shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** The same names with other values. */
export function mapValues<A, B>(record: Readonly<Record<string, A>>, f: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value)]));
}

/**
 * A step as a pure function: current state and inputs in, the changed part of the state and the outputs out.
 * It must not read values or draw random numbers: an engine may record it once per shape and replay the record.
 * @param part  of a program with `parts`: what the inputs are of their batch; absent: all of it
 */
export type StepFunction = (
  state: TensorMap,
  inputs: TensorMap,
  part?: BatchPart,
) => { state?: TensorMap; outputs: TensorMap };

/** Named arrays that live in the engine between steps: weights, moments, running statistics, constants. */
export interface EngineState {
  /** Of all its arrays. */
  readonly names: readonly string[];
  read(name: string): Promise<HostTensor>;
  write(name: string, value: HostTensor): void;
  dispose(): void;
}

/** Arrays for outputs, by name. */
export type Targets = Readonly<Record<string, Float32Array>>;

/** How much a program with a batch is best given at once: the engine cuts what it is called with (`blocks.ts`). */
export interface BlockSizes {
  /** Rows that layer after layer works on. */
  readonly rows: number;
  /** Rows of one stretch of a rollout, trajectories times steps. */
  readonly stretch: number;
  /** A stretch of another length costs nothing but its work. Else few lengths are best: powers of two. */
  readonly anyLength: boolean;
}

/** What a layer makes of such a block stays in a core's cache, and costs no speed. */
export const cacheSized: BlockSizes = { rows: 1024, stretch: 1024, anyLength: false };

/** How a step is bound. */
export interface ProgramOptions {
  /** The state never changes: it may be compiled in. */
  readonly frozen?: boolean;
  /** Of a frozen step: what it wants in place of the state, made of the state alone: once, where an engine keeps it. */
  readonly prepare?: (state: TensorMap) => TensorMap;
  /**
   * Which dimension of each of the step's inputs is the batch, the first of each output: the program then takes any number of rows, one by one
   * alike, and the engine decides how many the step is given at once.
   */
  readonly batch?: Readonly<Record<string, number>>;
  readonly series?: Series | undefined;
  /** Of a frozen step with a batch that is no series: how an engine that writes C does it. */
  readonly inC?: StepInC | undefined;
  /**
   * Which dimension of each of the step's inputs is the batch, where the step can be given a part of it (`BatchPart`): its state and its outputs
   * are then of the whole batch. Inputs that are not named belong to the whole.
   */
  readonly parts?: Readonly<Record<string, number>>;
}

/**
 * Of a step that goes through time, in stretches as the engine sees fit. The program takes `input` [batch, steps, width] and gives `output`
 * [batch, steps, width], any number of either; the step has them time first, [steps, batch, width]. Where the next stretch begins is an
 * input of the step by the name of `output`, [batch, width], its last step; the step's other outputs are inputs, too, handed on as they are.
 */
export interface Series {
  readonly input: string;
  readonly output: string;
  /** Steps of a stretch at most, a power of two; absent: the engine's own. */
  readonly longest?: number | undefined;
}

/** A step whose end is written in C, which need not end after as many operations for every row. */
export interface StepInC {
  /** What comes before, with the same state. It does not take the input `taken`. */
  readonly step: StepFunction;
  /** An input, [rows, width]; the output of `step` that is changed in place; outputs that are made beside it, [rows]. */
  readonly taken: string;
  readonly changed: string;
  readonly made: readonly string[];
  /**
   * C that defines `sg_finish(size_t stride, const float *taken, float *changed, float *made, …)` for SG_LANES rows at once: entry k of row l lies at
   * [k stride + l], of what is made at [l]. Written when it is asked for: most engines do not.
   */
  readonly text: () => string;
  /** Multiplications a row, about. */
  readonly work: number;
}

/** A step bound to its engine. */
export interface Program {
  /**
   * @param targets  arrays that an engine may write outputs of these names into, and then gives back; it need not, so that a caller has
   *                 to look at what `data` of the result is
   */
  run(state: EngineState, inputs: HostTensors, targets?: Targets): Promise<HostTensors>;
  /** Resolves when nothing of it is left in memory; calls that run are waited for. */
  dispose(): Promise<void>;
}

/** Runs steps. The trainers and `Inference` know nothing else of what computes. */
export interface Engine {
  readonly name: string;
  state(initial: HostTensors): EngineState;
  program(name: string, step: StepFunction, options?: ProgramOptions): Program;
}

/** A scalar as a program's input. */
export function scalar(value: number): HostTensor {
  return { data: Float32Array.of(value), shape: [] };
}

/** A host array as a program's input or state. */
export function hostTensor(data: Float32Array, shape: readonly number[]): HostTensor {
  return { data, shape };
}
