import type { InferenceSession, Tensor } from "onnxruntime-node";
import { packageVersion } from "../version.ts";
import { inBlocks } from "./blocks.ts";
import { type CompiledState, DeviceState, HostState } from "./compiled-state.ts";
import { dynamicBatch } from "./dynamic-batch.ts";
import {
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
import { encodeOnnx, type OnnxGraph } from "./onnx-model.ts";
import type { OnnxRuntime } from "./onnx-runtime.ts";
import { PackedProgram } from "./packed-program.ts";
import { PartSums } from "./part-sums.ts";
import { cutStep, hasSumsOfSums, mergedParts, type PartSize, partsOf, type RecordedPart } from "./parts.ts";
import { type Recording, recordStep, type Shapes, UnknownKernelError } from "./recorder.ts";
import { type Prepared, SessionCache } from "./session-cache.ts";
import { type WebGpu, webGpuBlocks, webGpuLimits } from "./webgpu.ts";

/** How the engine runs. */
export interface CompiledOptions {
  readonly threads: number;
  /** Where the steps run; absent: on the CPU. */
  readonly device?: WebGpu | undefined;
  /** The engine for steps that cannot be compiled. */
  readonly fallback: () => Promise<Engine>;
  /** Told which step runs eagerly, and the kernel that is to blame. */
  readonly note: (message: string) => void;
  /** Of the parts of large batches, if not the best one: for tests. */
  readonly partSize?: PartSize;
}

/** All models of the package together need some twenty: lengths of rollouts, each for few and for many trajectories. */
const sessionsAtOnce = 32;

/**
 * Runs each step as one ONNX graph in ONNX Runtime: recorded once per shape of its inputs, the batch left open where the program names
 * one, then replayed. The graphs used last are kept. On the CPU the state goes in without a copy, on a GPU it stays on the device.
 */
export class CompiledEngine implements Engine {
  readonly name = "compiled";
  readonly #runtime: OnnxRuntime;
  readonly #options: CompiledOptions;
  readonly #sessions = new SessionCache<Runner>(sessionsAtOnce);
  #programs = 0;

  constructor(runtime: OnnxRuntime, options: CompiledOptions) {
    this.#runtime = runtime;
    this.#options = options;
  }

  state(initial: HostTensors): EngineState {
    const { device } = this.#options;
    return device ? new DeviceState(initial, device) : new HostState(initial, this.#runtime);
  }

  program(name: string, step: StepFunction, options: ProgramOptions = {}): Program {
    const { frozen = false, prepare, batch, parts } = options;
    const whole: StepFunction = prepare ? (state, inputs) => step(prepare(state), inputs) : step;
    const bind = (step: StepFunction): Program => {
      this.#programs += 1;
      const source: StepToCompile = { id: `${this.#programs} `, name, step, frozen, batch, parts };
      return new CompiledProgram(source, this.#sessions, this.#runtime, this.#options);
    };
    const { device } = this.#options;
    const program = device && !batch ? new PackedProgram(whole, bind) : bind(whole);
    return inBlocks(program, device ? webGpuBlocks : cacheSized, options);
  }
}

/** Runs one step on inputs of one shape, but for the batch. */
interface Runner extends Prepared {
  run(state: CompiledState, inputs: HostTensors, targets: Targets): Promise<HostTensors>;
}

interface StepToCompile {
  /** What the keys of its sessions begin with. */
  readonly id: string;
  readonly name: string;
  readonly step: StepFunction;
  readonly frozen: boolean;
  readonly batch: ProgramOptions["batch"];
  readonly parts: ProgramOptions["parts"];
}

class CompiledProgram implements Program {
  readonly #source: StepToCompile;
  readonly #sessions: SessionCache<Runner>;
  readonly #runtime: OnnxRuntime;
  readonly #options: CompiledOptions;
  /** Multiplications of the largest product by shape, for a batch of one; 0 where the step runs eagerly. */
  readonly #products = new Map<string, number>();
  /** The state that the runners of a frozen program were compiled with. */
  #compiledWith: symbol | null = null;

  constructor(source: StepToCompile, sessions: SessionCache<Runner>, runtime: OnnxRuntime, options: CompiledOptions) {
    [this.#source, this.#sessions, this.#runtime, this.#options] = [source, sessions, runtime, options];
  }

  async run(state: EngineState, inputs: HostTensors, targets: Targets = {}): Promise<HostTensors> {
    const ours = this.#options.device ? DeviceState : HostState;
    if (!(state instanceof ours)) throw new Error("this state belongs to another engine");
    const { id, frozen, batch } = this.#source;
    if (frozen && this.#compiledWith !== state.version) {
      if (this.#compiledWith) void this.#sessions.drop(id);
      this.#compiledWith = state.version;
    }
    const shape = shapeKey(inputs, batch);
    let recorded: Recording | null | undefined;
    const recording = (): Recording | null => {
      if (recorded === undefined) recorded = this.#record(state, shapesOf(inputs));
      return recorded;
    };
    let product = this.#products.get(shape);
    if (product === undefined) {
      product = recording()?.largestProduct ?? 0;
      this.#products.set(shape, product);
    }
    const threads = isSmall(product * batchSize(inputs, batch)) ? 1 : this.#options.threads;
    return this.#sessions.use(
      `${id}${threads} ${shape}`,
      () => this.#prepare(recording(), threads, { state, inputs: shapesOf(inputs) }),
      (runner) => runner.run(state, inputs, targets),
    );
  }

  dispose(): Promise<void> {
    return this.#sessions.drop(this.#source.id);
  }

  /** @returns null where the step has to run eagerly */
  #record(state: CompiledState, inputs: Shapes, share = 1): Recording | null {
    const { name, step, frozen, batch } = this.#source;
    const limits = this.#options.device && webGpuLimits;
    const record = (shapes: Shapes): Recording =>
      frozen
        ? recordStep(name, step, {}, shapes, { frozen: state.constants(), limits })
        : recordStep(name, step, state.shapes, shapes, { limits, share });
    try {
      return batch ? recordAnyBatch(record, inputs, batch) : record(inputs);
    } catch (error) {
      if (!(error instanceof UnknownKernelError)) throw error;
      this.#options.note(`warning: ${name} runs eagerly, at a tenth of the speed or less: ${error.message}`);
      return null;
    }
  }

  async #prepare(recording: Recording | null, threads: number, given: Given): Promise<Runner> {
    if (!recording) return this.#eagerRunner(await this.#options.fallback());
    const parted = await this.#partedRunner(recording, threads, given);
    return parted ?? this.#sessionRunner(await this.#session(recording.graph, threads), recording);
  }

  async #session(graph: OnnxGraph, threads: number): Promise<InferenceSession> {
    const { device } = this.#options;
    const places = graph.outputs.map(({ name }) => [name, name.startsWith("next:") ? "gpu-buffer" : "cpu"] as const);
    return this.#runtime.InferenceSession.create(encodeOnnx(graph, packageVersion), {
      executionProviders: [device ? "webgpu" : "cpu"],
      ...(device && { preferredOutputLocation: Object.fromEntries(places) }),
      intraOpNumThreads: threads,
      graphOptimizationLevel: isTooLarge(graph.nodes.length) && !this.#source.frozen ? "disabled" : "all",
      logSeverityLevel: 3,
      // An arena keeps a block for every size that it has met; it is worth it where there is one size.
      enableCpuMemArena: this.#source.batch === undefined,
      // A pattern of all arrays is laid out in one block, which comes on top of what the first run took.
      enableMemPattern: device !== undefined,
    });
  }

  /** Of a step whose batch is large, in parts; null where it is done in one piece, as on a GPU, which wants it so. */
  async #partedRunner(whole: Recording, threads: number, { state, inputs }: Given): Promise<Runner | null> {
    const { parts: dimensions } = this.#source;
    if (!dimensions || this.#options.device) return null;
    const [name, dimension] = Object.entries(dimensions).find(([name]) => name in inputs)!;
    const items = inputs[name]![dimension]!;
    const record = (count: number): Recording => {
      const cut = Object.entries(inputs).map(([name, shape]) => {
        const dimension = dimensions[name];
        return [name, dimension === undefined ? shape : shape.with(dimension, count)] as const;
      });
      return this.#record(state, Object.fromEntries(cut), count / items)!;
    };
    const parts = partsOf(whole, items, record, this.#options.partSize);
    if (parts.length === 1) return null;
    if (hasSumsOfSums(parts[0]!.recording.graph)) {
      const graph = mergedParts(parts, whole.graph, dimensions);
      return this.#sessionRunner(await this.#session(graph, threads), whole);
    }
    return this.#summingRunner(parts, threads, dimensions);
  }

  /** One part after another, then what follows their sums: as much memory as one part takes. */
  async #summingRunner(
    parts: readonly RecordedPart[],
    threads: number,
    dimensions: Readonly<Record<string, number>>,
  ): Promise<Runner> {
    const ofPart = new Set(Object.keys(dimensions).map((name) => `input:${name}`));
    const cuts = new Map(parts.map(({ recording }) => [recording, cutStep(recording, ofPart)]));
    const sessions = new Map<Recording, InferenceSession>();
    for (const [recording, { each }] of cuts) sessions.set(recording, await this.#session(each, threads));
    const sums = new PartSums(
      this.#runtime,
      parts.map(({ recording, ...part }) => {
        const sums = cuts.get(recording)!.each.outputs.map(({ name }) => name);
        return { ...part, session: sessions.get(recording)!, sums };
      }),
      dimensions,
    );
    const { recording } = parts[0]!;
    const last = this.#sessionRunner(await this.#session(cuts.get(recording)!.last, threads), recording);
    return {
      run: async (state, inputs, targets) =>
        last.run(state, { ...inputs, ...(await sums.run(state, inputs)) }, targets),
      release: async () => {
        await Promise.all([sums.release(), last.release()]);
      },
    };
  }

  #sessionRunner(session: InferenceSession, recording: Recording): Runner {
    const shapes = new Map(recording.graph.outputs.map(({ name, shape }) => [name, shape]));
    const run: Runner["run"] = async (state, inputs, targets) => {
      const feeds: Record<string, Tensor> = {};
      // ONNX Runtime drops inputs that the graph does not use, and refuses them afterwards.
      for (const name of session.inputNames) {
        // Sums over parts have no kind.
        const [kind, key] = [name.slice(0, Math.max(0, name.indexOf(":"))), name.slice(name.indexOf(":") + 1)];
        if (kind === "state") feeds[name] = await state.feed(key);
        else feeds[name] = new this.#runtime.Tensor("float32", inputs[key]!.data, [...inputs[key]!.shape]);
      }
      const fetches: Record<string, Tensor | null> = {};
      for (const name of session.outputNames) {
        const target = targets[name.slice("output:".length)];
        const given = target && name.startsWith("output:");
        const shape = (): number[] =>
          shapes.get(name)!.map((n) => (typeof n === "number" ? n : batchSize(inputs, this.#source.batch)));
        fetches[name] = given ? new this.#runtime.Tensor("float32", target, shape()) : null;
      }
      const { device } = this.#options;
      const results = await (device ? device.run(session, feeds, fetches) : session.run(feeds, fetches));
      for (const name of recording.changed) state.keep(name, results[`next:${name}`]!);
      const output = (name: string): HostTensor => {
        const made = hostTensorOf(results[`output:${name}`]!);
        const target = targets[name];
        // ONNX Runtime has written into the array that was given, and hands out another view of it.
        return target ? { data: target, shape: made.shape } : made;
      };
      return Object.fromEntries(recording.outputs.map((name) => [name, output(name)]));
    };
    return { run, release: () => session.release() };
  }

  /** The same step on another engine, whose state is made for the call and read back. */
  #eagerRunner(engine: Engine): Runner {
    const program = engine.program(this.#source.name, this.#source.step);
    const run: Runner["run"] = async (state, inputs) => {
      const arrays = await Promise.all(state.names.map(async (name) => [name, await state.read(name)] as const));
      const copy = engine.state(Object.fromEntries(arrays));
      try {
        const outputs = await program.run(copy, inputs);
        for (const name of state.names) {
          const { data, shape } = await copy.read(name);
          state.keep(name, new this.#runtime.Tensor("float32", data, [...shape]));
        }
        return outputs;
      } finally {
        copy.dispose();
      }
    };
    return { run, release: () => program.dispose() };
  }
}

/** What a step is recorded of. */
interface Given {
  readonly state: CompiledState;
  readonly inputs: Shapes;
}

function hostTensorOf({ data, dims }: Tensor): HostTensor {
  return { data: data as Float32Array, shape: dims };
}

/** A step recorded with its batch left open; `largestProduct` is that of a batch of one. */
function recordAnyBatch(
  record: (shapes: Shapes) => Recording,
  inputs: Shapes,
  dimensions: Readonly<Record<string, number>>,
): Recording {
  let [recording, largestProduct] = [null as Recording | null, 0];
  const graph = dynamicBatch((batch) => {
    const shapes = Object.entries(inputs).map(([name, shape]) => [name, shape.with(dimensions[name]!, batch)] as const);
    recording = record(Object.fromEntries(shapes));
    largestProduct = recording.largestProduct / batch;
    return recording.graph;
  });
  return { ...recording!, graph, largestProduct };
}

/** The shapes of inputs but for the batch. */
function shapeKey(inputs: HostTensors, batch: ProgramOptions["batch"]): string {
  const entries = Object.entries(inputs).map(
    ([name, { shape }]) => `${name} ${batch ? shape.with(batch[name]!, -1) : shape}`,
  );
  return entries.join("; ");
}

/** 1 where the program has no batch of its own. */
function batchSize(inputs: HostTensors, batch: ProgramOptions["batch"]): number {
  if (!batch) return 1;
  const [name, dimension] = Object.entries(batch)[0]!;
  return inputs[name]!.shape[dimension]!;
}

/** Below some 10^7 multiplications a node, handing work to other threads takes longer than the work: measured on chains of products. */
function isSmall(largestProduct: number): boolean {
  return largestProduct < 6e6;
}

/**
 * ONNX Runtime's optimisation takes time with the square of the nodes: 20 s of 26 for the 42,000 of a Runge-Kutta rollout over 239 steps and
 * back. It finds next to nothing in a training step, whose weights are no constants and whose intermediate values are all wanted.
 */
function isTooLarge(nodes: number): boolean {
  return nodes > 10_000;
}

function shapesOf(tensors: HostTensors): Shapes {
  return mapValues(tensors, ({ shape }) => shape);
}
