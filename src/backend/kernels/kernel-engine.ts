import { rmSync } from "node:fs";
import { HostState } from "../compiled-state.ts";
import {
  type Engine,
  type EngineState,
  type HostTensors,
  hostTensor,
  mapValues,
  type Program,
  type ProgramOptions,
  type StepFunction,
  sizeOf,
  type Targets,
} from "../engine.ts";
import { type KernelAddon, loadAddon, type NativeKernel } from "./addon.ts";
import { compiled, ownSurroundings } from "./compile.ts";
import type { InstalledKernels } from "./install.ts";
import { type KernelSource, type KernelStep, kernelSource } from "./kernel-source.ts";

/** How the engine runs. */
export interface KernelOptions {
  readonly threads: number;
  /** Told which step another engine runs, and why. */
  readonly note: (message: string) => void;
}

/** Multiplications a second of one thread, at least: what decides whether a call is worth threads. */
const rate = 5e10;
/** Seconds below which a call is waited for, and below which it is worth no other thread. */
const [shortest, alone] = [5e-4, 2e-4];

/**
 * Frozen steps with a batch as C, compiled by the machine's compiler and kept in the cache; all others, and those that C has no words for, on
 * the engine below it.
 */
export class KernelEngine implements Engine {
  readonly name = "native-c";
  readonly #base: Engine;
  readonly #installed: InstalledKernels;
  readonly #options: KernelOptions;
  readonly #addon: KernelAddon;

  /** @param base  whose states are on the host. @throws Error where the addon cannot be loaded */
  constructor(base: Engine, installed: InstalledKernels, options: KernelOptions) {
    [this.#base, this.#installed, this.#options] = [base, installed, options];
    this.#addon = loadAddon(installed.addon);
  }

  state(initial: HostTensors): EngineState {
    return this.#base.state(initial);
  }

  program(name: string, step: StepFunction, options: ProgramOptions = {}): Program {
    const base = this.#base.program(name, step, options);
    const { frozen, prepare, batch, series, inC } = options;
    if (!frozen || !batch) return base;
    const recorded = inC?.step ?? step;
    const whole: StepFunction = prepare ? (state, inputs) => recorded(prepare(state), inputs) : recorded;
    return new KernelProgram(
      { name, step: whole, batch, series, inC },
      base,
      this.#addon,
      this.#installed,
      this.#options,
    );
  }
}

interface Kernel extends Pick<KernelSource, "inputs" | "outputs" | "work"> {
  readonly native: NativeKernel;
}

class KernelProgram implements Program {
  readonly #step: KernelStep;
  readonly #base: Program;
  readonly #addon: KernelAddon;
  readonly #installed: InstalledKernels;
  readonly #options: KernelOptions;
  /** By the widths of the inputs; null where the other engine has to run it. */
  readonly #kernels = new Map<string, Promise<Kernel | null>>();
  #compiledWith: symbol | null = null;
  #running: Promise<unknown> = Promise.resolve();

  constructor(
    step: KernelStep,
    base: Program,
    addon: KernelAddon,
    installed: InstalledKernels,
    options: KernelOptions,
  ) {
    [this.#step, this.#base, this.#addon] = [step, base, addon];
    [this.#installed, this.#options] = [installed, options];
  }

  async run(state: EngineState, inputs: HostTensors, targets: Targets = {}): Promise<HostTensors> {
    const kernel = await this.#kernel(state, inputs);
    const { series } = this.#step;
    const [rows, steps] = series
      ? (inputs[series.input]!.shape as [number, number])
      : [Object.values(inputs)[0]!.shape[0]!, 1];
    if (!kernel || rows * steps === 0) return this.#base.run(state, inputs, targets);
    const lead = series ? [rows, steps] : [rows];
    const made = kernel.outputs.map(({ name, shape }) => {
      const whole = [...lead, ...shape];
      return [name, hostTensor(targets[name] ?? new Float32Array(sizeOf(whole)), whole)] as const;
    });
    const arrays = [...kernel.inputs.map((name) => inputs[name]!.data), ...made.map(([, { data }]) => data)];
    const seconds = (kernel.work * rows * steps) / rate;
    const threads = seconds < alone ? 1 : this.#options.threads;
    const call = this.#addon.run(kernel.native, arrays, kernel.inputs.length, rows, steps, threads, seconds < shortest);
    if (call) {
      this.#running = Promise.all([this.#running, call]);
      await call;
    }
    return Object.fromEntries(made);
  }

  async dispose(): Promise<void> {
    await Promise.all([this.#running, this.#base.dispose()]);
    this.#kernels.clear();
  }

  #kernel(state: EngineState, inputs: HostTensors): Promise<Kernel | null> {
    if (!(state instanceof HostState)) throw new Error("this state belongs to another engine");
    if (this.#compiledWith !== state.version) {
      this.#kernels.clear();
      this.#compiledWith = state.version;
    }
    const widths = Object.entries(inputs)
      .map(([name, { shape }]) => `${name} ${shape.slice(name === this.#step.series?.input ? 2 : 1)}`)
      .join("; ");
    const kernel = this.#kernels.get(widths) ?? this.#make(state, inputs);
    this.#kernels.set(widths, kernel);
    return kernel;
  }

  async #make(state: HostState, inputs: HostTensors): Promise<Kernel | null> {
    const { folder, compiler } = this.#installed;
    try {
      const shapes = mapValues(inputs, ({ shape }) => shape);
      const { text, weights, ...kernel } = kernelSource(this.#step, state.constants(), shapes);
      const compilation = { ...ownSurroundings(), folder, kind: "kernel", text, compiler } as const;
      const path = await compiled(compilation);
      const native = orNull(() => this.#addon.load(path, weights));
      if (native) return { ...kernel, native };
      // Damaged, or compiled on a machine with other libraries that shares the cache.
      rmSync(path, { force: true });
      return { ...kernel, native: this.#addon.load(await compiled(compilation), weights) };
    } catch (error) {
      const why = (error as Error).message.split("\n")[0];
      this.#options.note(`warning: ${this.#step.name} runs without a compiled kernel: ${why}`);
      return null;
    }
  }
}

function orNull<T>(make: () => T): T | null {
  try {
    return make();
  } catch {
    return null;
  }
}
