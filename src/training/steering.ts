import { cosineRate } from "./cosine.ts";
import { type Decision, Schedule, type ScheduleSettings, type ScheduleState } from "./schedule.ts";

/** What a steering remembers. */
export type SteeringState = ScheduleState | CosineState;

/** Of a cosine: the metric's lowest, and the epochs since. */
export interface CosineState {
  readonly best_metric: number;
  readonly stagnant_epochs: number;
}

/** How a phase's learning rate and dropout run, and what an epoch's metric leads to. */
export interface Steering {
  /** @param progress share of the phase that is over, from 0 to 1 */
  at(progress: number): { readonly learning_rate: number; readonly dropout: number };
  epochEnded(metric: number): Decision;
  /** Epochs since the last improvement. */
  readonly stagnant_epochs: number;
  /** Whether a phase may end between two epochs because the next one would not fit into the time. */
  readonly endsEarly: boolean;
  /** A copy of what it remembers. */
  state(): SteeringState;
}

/** How a phase is steered; keys as in a recipe's phase. */
export interface SteeringSettings {
  readonly schedule: "plateau" | "cosine";
  readonly lr_scale: number;
  readonly warm_up: number;
  readonly final_lr: number;
  readonly dropout: number;
}

/**
 * @param best   the best metric of the phases before; infinite where there is none
 * @param state  of the same phase's steering, to go on from
 */
export function steeringOf(
  phase: SteeringSettings,
  settings: ScheduleSettings,
  best: number,
  state?: SteeringState,
): Steering {
  if (phase.schedule === "plateau") return plateau(settings, best, state as ScheduleState | undefined);
  return cosine(phase, settings.lr, state ?? { best_metric: best, stagnant_epochs: 0 });
}

function plateau(settings: ScheduleSettings, best: number, state: ScheduleState | undefined): Steering {
  const schedule = new Schedule(settings, state && { ...state });
  if (!state) schedule.state.best_metric = best;
  return {
    state: () => ({ ...schedule.state }),
    at: () => schedule.state,
    epochEnded: (metric) => schedule.epochEnded(metric),
    get stagnant_epochs() {
      return schedule.state.stagnant_epochs;
    },
    endsEarly: true,
  };
}

/** Never stops and never goes back: its end is where the learning rate ends. */
function cosine({ lr_scale, warm_up, final_lr, dropout }: SteeringSettings, lr: number, state: CosineState): Steering {
  let [lowest, stagnant] = [state.best_metric, state.stagnant_epochs];
  return {
    state: () => ({ best_metric: lowest, stagnant_epochs: stagnant }),
    at: (progress) => ({
      learning_rate: cosineRate({ peak: lr * lr_scale, warm_up, final_lr }, progress),
      dropout,
    }),
    epochEnded(metric) {
      const improved = metric < lowest;
      stagnant = improved ? 0 : stagnant + 1;
      lowest = Math.min(lowest, metric);
      return { improved, revert: false, stop: false };
    },
    get stagnant_epochs() {
      return stagnant;
    },
    endsEarly: false,
  };
}
