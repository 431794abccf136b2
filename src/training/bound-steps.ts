import type { EngineState, HostTensors, Program } from "../backend/engine.ts";
import type { ProbeStep } from "../backend/probe.ts";

/** What an engine holds of a training. */
export interface BoundSteps {
  /** Everything the programs read and change; `parameters`, `first_moment` and `second_moment` among it. */
  readonly state: EngineState;
  /** One for each phase. */
  readonly trainPrograms: readonly Program[];
  readonly validationProgram: Program;
}

export async function disposeSteps({ state, trainPrograms, validationProgram }: BoundSteps): Promise<void> {
  await Promise.all([...trainPrograms, validationProgram].map((program) => program.dispose()));
  state.dispose();
}

/** One training step again and again; takes ownership. */
export function probeStep(bound: BoundSteps, phase: number, inputs: HostTensors): ProbeStep {
  return {
    run: () => bound.trainPrograms[phase]!.run(bound.state, inputs),
    dispose: () => disposeSteps(bound),
  };
}
