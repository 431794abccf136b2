import type { InferenceSession, Tensor } from "onnxruntime-node";
import { packageVersion } from "../version.ts";
import {
  cacheSized,
  type Engine,
  type EngineState,
  type HostTensor,
  type HostTensors,
  type Program,
  type ProgramOptions,
  type StepFunction,
  type Targets,
} from "./engine.ts";
import { encodeOnnx } from "./onnx-model.ts";
import type { OnnxRuntime } from "./onnx-runtime.ts";
import { type Recording, recordStep, type Shapes, UnknownKernelError } from "./recorder.ts";

/** How the engine runs. */
export interface CompiledOptions {
  readonly threads: number;
  /** The engine for steps that cannot be compiled. */
  readonly fallback: () => Promise<Engine>;
  /** Told which step runs eagerly, and the kernel that is to blame. */
  readonly note: (message: string) => void;
}

/**
 * Runs each step as one ONNX graph in ONNX Runtime: recorded once per shape of its inputs, then replayed. The state stays on
 * the host and goes in without a copy.
 */
export class CompiledEngine implements Engine {
  readonly name = "compiled";
  readonly blocks = cacheSized;
  readonly #runtime: OnnxRuntime;
  readonly #options: CompiledOptions;

  constructor(runtime: OnnxRuntime, options: CompiledOptions) {
    this.#runtime = runtime;
    this.#options = options;
  }

  state(initial: HostTensors): EngineState {
    return new HostState(initial);
  }

  program(name: string, step: StepFunction, { frozen = false, prepare }: ProgramOptions = {}): Program {
    const whole: StepFunction = prepare ? (state, inputs) => step(prepare(state), inputs) : step;
    return new CompiledProgram({ name, step: whole, frozen }, this.#runtime, this.#options);
  }
}

class HostState implements EngineState {
  /** Changed by every write from outside: what was compiled with the old values is of no use then. */
  version = Symbol("state");
  readonly arrays: Map<string, HostTensor>;

  constructor(initial: HostTensors) {
    this.arrays = new Map(
      Object.entries(initial).map(([name, { data, shape }]) => [name, { data: data.slice(), shape }]),
    );
  }

  get names(): string[] {
    return [...this.arrays.keys()];
  }

  async read(name: string): Promise<HostTensor> {
    const array = this.arrays.get(name);
    if (!array) throw new Error(`the state has no array "${name}"`);
    return { data: array.data.slice(), shape: array.shape };
  }

  write(name: string, { data, shape }: HostTensor): void {
    this.arrays.set(name, { data: data.slice(), shape });
    this.version = Symbol("state");
  }

  dispose(): void {
    this.arrays.clear();
  }
}

/** Runs one step on inputs of one shape. */
type Runner = (state: HostState, inputs: HostTensors, targets: Targets) => Promise<HostTensors>;

interface StepToCompile {
  readonly name: string;
  readonly step: StepFunction;
  readonly frozen: boolean;
}

class CompiledProgram implements Program {
  readonly #source: StepToCompile;
  readonly #runtime: OnnxRuntime;
  readonly #options: CompiledOptions;
  readonly #runners = new Map<string, Promise<Runner>>();
  readonly #sessions: InferenceSession[] = [];
  /** The state that the runners of a frozen program were compiled with. */
  #compiledWith: symbol | null = null;

  constructor(source: StepToCompile, runtime: OnnxRuntime, options: CompiledOptions) {
    this.#source = source;
    this.#runtime = runtime;
    this.#options = options;
  }

  async run(state: EngineState, inputs: HostTensors, targets: Targets = {}): Promise<HostTensors> {
    if (!(state instanceof HostState)) throw new Error("this state belongs to another engine");
    if (this.#source.frozen && this.#compiledWith !== state.version) {
      this.#runners.clear();
      this.#compiledWith = state.version;
    }
    const key = JSON.stringify(Object.entries(inputs).map(([name, { shape }]) => [name, shape]));
    let runner = this.#runners.get(key);
    if (!runner) {
      runner = this.#prepare(Object.fromEntries(state.arrays), shapesOf(inputs));
      this.#runners.set(key, runner);
    }
    return (await runner)(state, inputs, targets);
  }

  dispose(): void {
    for (const session of this.#sessions.splice(0)) void session.release();
    this.#runners.clear();
  }

  async #prepare(state: HostTensors, inputs: Shapes): Promise<Runner> {
    const { name, step, frozen } = this.#source;
    let recording: Recording;
    try {
      recording = frozen ? recordStep(name, step, {}, inputs, state) : recordStep(name, step, shapesOf(state), inputs);
    } catch (error) {
      if (!(error instanceof UnknownKernelError)) throw error;
      this.#options.note(`${name} runs eagerly: ${error.message}`);
      return this.#eagerRunner(await this.#options.fallback());
    }
    const session = await this.#runtime.InferenceSession.create(encodeOnnx(recording.graph, packageVersion), {
      executionProviders: ["cpu"],
      intraOpNumThreads: isSmall(recording.largestProduct) ? 1 : this.#options.threads,
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
    });
    this.#sessions.push(session);
    return this.#sessionRunner(session, recording);
  }

  #sessionRunner(session: InferenceSession, recording: Recording): Runner {
    const shapes = new Map(recording.graph.outputs.map(({ name, shape }) => [name, shape as readonly number[]]));
    return async (state, inputs, targets) => {
      const feeds: Record<string, Tensor> = {};
      // ONNX Runtime drops inputs that the graph does not use, and refuses them afterwards.
      for (const name of session.inputNames) {
        const [kind, key] = [name.slice(0, name.indexOf(":")), name.slice(name.indexOf(":") + 1)];
        const { data, shape } = kind === "state" ? state.arrays.get(key)! : inputs[key]!;
        feeds[name] = new this.#runtime.Tensor("float32", data, [...shape]);
      }
      const fetches: Record<string, Tensor | null> = {};
      for (const name of session.outputNames) {
        const target = targets[name.slice("output:".length)];
        const given = target && name.startsWith("output:");
        fetches[name] = given ? new this.#runtime.Tensor("float32", target, [...shapes.get(name)!]) : null;
      }
      const results = await session.run(feeds, fetches);
      const take = (name: string): HostTensor => {
        const { data, dims } = results[name]!;
        return { data: data as Float32Array, shape: dims };
      };
      for (const name of recording.changed) state.arrays.set(name, take(`next:${name}`));
      const output = (name: string): HostTensor => {
        const made = take(`output:${name}`);
        const target = targets[name];
        // ONNX Runtime has written into the array that was given, and hands out another view of it.
        return target ? { data: target, shape: made.shape } : made;
      };
      return Object.fromEntries(recording.outputs.map((name) => [name, output(name)]));
    };
  }

  /** The same step on another engine, whose state is made for the call and read back. */
  #eagerRunner(engine: Engine): Runner {
    const program = engine.program(this.#source.name, this.#source.step);
    return async (state, inputs) => {
      const copy = engine.state(Object.fromEntries(state.arrays));
      try {
        const outputs = await program.run(copy, inputs);
        for (const name of state.arrays.keys()) state.arrays.set(name, await copy.read(name));
        return outputs;
      } finally {
        copy.dispose();
      }
    };
  }
}

/** Below some 10^7 multiplications a node, handing work to other threads takes longer than the work: measured on chains of products. */
function isSmall(largestProduct: number): boolean {
  return largestProduct < 6e6;
}

function shapesOf(tensors: HostTensors): Shapes {
  return Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]));
}
