import type { ChosenEngine } from "./choose-engine.ts";
import type { ComputeChoice } from "./compute.ts";
import type { Engine } from "./engine.ts";

/** A step of the job itself, bound to one engine, with a state of its own. */
export interface ProbeStep {
  run(): Promise<unknown>;
  dispose(): Promise<void>;
}

/** Binds the step that decides. */
export type ProbePreparation = (engine: Engine) => ProbeStep;

/** Steps that are timed, after one that compiles; of slow steps as many as end in so many milliseconds. */
const [steps, longest] = [5, 5000];
/** A GPU has to save a tenth: below that, noise would decide. */
const leastGain = 0.9;

/**
 * Chooses between the CPU and a GPU by the time of the job's own step, at the first step that it is given; every later call gives the same
 * engine. A GPU that fails is no error here: the CPU computes, and the reason says why.
 * @param told  told the choice, with both times
 */
export function engineByProbe(
  chosen: ChosenEngine,
  told: (choice: ComputeChoice) => void,
): (prepare: ProbePreparation) => Promise<Engine> {
  let settled: Promise<ChosenEngine> | null = null;
  return async (prepare) => {
    settled ??= faster(chosen, prepare).then((made) => {
      told(made.choice);
      return made;
    });
    return (await settled).engine;
  };
}

async function faster(cpu: ChosenEngine, prepare: ProbePreparation): Promise<ChosenEngine> {
  const onCpu = (why: string): ChosenEngine => ({
    ...cpu,
    choice: { ...cpu.choice, reason: `${why}; ${cpu.choice.reason}` },
  });
  if (!cpu.rival) return cpu;
  const gpu = await cpu.rival();
  if ("why" in gpu) return onCpu(gpu.why);
  const cpuTime = await timed(prepare(cpu.engine));
  let gpuTime: number;
  try {
    gpuTime = await timed(prepare(gpu.engine), 3 * cpuTime);
  } catch (error) {
    return onCpu(`the GPU cannot take this job's step: ${(error as Error).message.split("\n")[0]}`);
  }
  const times = `a step takes ${inWords(gpuTime)} on the GPU (${gpu.choice.reason}), ${inWords(cpuTime)} on the CPU`;
  return gpuTime < leastGain * cpuTime ? { ...gpu, choice: { ...gpu.choice, reason: times } } : onCpu(times);
}

/** Milliseconds, the median. @param hopeless  two steps that take longer are enough */
async function timed(step: ProbeStep, hopeless = Number.POSITIVE_INFINITY): Promise<number> {
  const times: number[] = [];
  try {
    await step.run();
    const began = performance.now();
    while (times.length < steps && (times.length === 0 || performance.now() - began < longest)) {
      const started = performance.now();
      await step.run();
      times.push(performance.now() - started);
      if (times.length === 2 && Math.min(...times) > hopeless) break;
    }
  } finally {
    await step.dispose();
  }
  return times.sort((a, b) => a - b)[Math.floor((times.length - 1) / 2)]!;
}

function inWords(milliseconds: number): string {
  return `${milliseconds < 100 ? milliseconds.toPrecision(2) : Math.round(milliseconds)} ms`;
}
