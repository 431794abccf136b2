import { cosineRate } from "./cosine.ts";
import { type Decision, Schedule, type ScheduleSettings } from "./schedule.ts";

/** How a phase's learning rate and dropout run, and what an epoch's metric leads to. */
export interface Steering {
  /** @param progress share of the phase that is over, from 0 to 1 */
  at(progress: number): { readonly learning_rate: number; readonly dropout: number };
  epochEnded(metric: number): Decision;
  /** Epochs since the last improvement. */
  readonly stagnant_epochs: number;
  /** Whether a phase may end between two epochs because the next one would not fit into the time. */
  readonly endsEarly: boolean;
}

/** How a phase is steered; keys as in a recipe's phase. */
export interface SteeringSettings {
  readonly schedule: "plateau" | "cosine";
  readonly lr_scale: number;
  readonly warm_up: number;
  readonly final_lr: number;
  readonly dropout: number;
}

/** @param best the best metric of the phases before; infinite where there is none */
export function steeringOf(phase: SteeringSettings, settings: ScheduleSettings, best: number): Steering {
  return phase.schedule === "plateau" ? plateau(settings, best) : cosine(phase, settings.lr, best);
}

function plateau(settings: ScheduleSettings, best: number): Steering {
  const schedule = new Schedule(settings);
  schedule.state.best_metric = best;
  return {
    at: () => schedule.state,
    epochEnded: (metric) => schedule.epochEnded(metric),
    get stagnant_epochs() {
      return schedule.state.stagnant_epochs;
    },
    endsEarly: true,
  };
}

/** Never stops and never goes back: its end is where the learning rate ends. */
function cosine({ lr_scale, warm_up, final_lr, dropout }: SteeringSettings, lr: number, best: number): Steering {
  let [lowest, stagnant] = [best, 0];
  return {
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
