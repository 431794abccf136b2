/** What steers a training; keys as in the model's configuration. */
export interface ScheduleSettings {
  readonly lr: number;
  readonly lr_decay: number;
  readonly lr_decay_patience: number;
  readonly dropout: number;
  readonly dropout_decay_patience: number;
  readonly dropout_reduction_factor: number;
  readonly stagnant_epoch_patience: number;
  /** At or below this dropout, lowering it sets the learning rate to `low_dropout_lr`, else back to `lr`. */
  readonly low_dropout_threshold: number;
  readonly low_dropout_lr: number;
}

/** What the schedule decided after an epoch. */
export interface Decision {
  /** The metric is the best so far: save the weights. */
  readonly improved: boolean;
  /** Load the best weights back (the optimizer's moments stay). */
  readonly revert: boolean;
  /** No improvement for `stagnant_epoch_patience` epochs. */
  readonly stop: boolean;
}

/** Everything that the schedule remembers. */
export interface ScheduleState {
  learning_rate: number;
  dropout: number;
  best_metric: number;
  stagnant_epochs: number;
  plateau_best: number;
  plateau_bad_epochs: number;
}

/**
 * Early stopping, dropout decay, return to the best weights, and PyTorch's ReduceLROnPlateau, as the original trainer
 * combines them. The plateau counts on its own: neither an improvement too small for its threshold nor a lowered dropout resets it.
 */
export class Schedule {
  readonly state: ScheduleState;
  readonly #settings: ScheduleSettings;

  constructor(settings: ScheduleSettings, state?: ScheduleState) {
    this.#settings = settings;
    this.state = state ?? {
      learning_rate: settings.lr,
      dropout: settings.dropout,
      best_metric: Number.POSITIVE_INFINITY,
      stagnant_epochs: 0,
      plateau_best: Number.POSITIVE_INFINITY,
      plateau_bad_epochs: 0,
    };
  }

  /** Takes an epoch's validation metric; changes learning rate and dropout for the next epoch. */
  epochEnded(metric: number): Decision {
    const { state } = this;
    const improved = metric < state.best_metric;
    let revert = false;
    if (improved) {
      state.best_metric = metric;
      state.stagnant_epochs = 0;
    } else {
      state.stagnant_epochs += 1;
      this.#lowerDropout();
      revert = state.stagnant_epochs === this.#settings.lr_decay_patience + 1;
    }
    const stop = state.stagnant_epochs >= this.#settings.stagnant_epoch_patience;
    this.#plateau(metric);
    return { improved, revert, stop };
  }

  #lowerDropout(): void {
    const { state } = this;
    const { dropout_decay_patience, dropout_reduction_factor, low_dropout_threshold, low_dropout_lr, lr } =
      this.#settings;
    if (state.stagnant_epochs % dropout_decay_patience !== 0) return;
    // Rounded: 0.3 − 6 · 0.05 is 1.4e-17 in floating point, and one more "decay" would follow.
    const lowered = Number(Math.max(state.dropout - dropout_reduction_factor, 0).toFixed(12));
    if (lowered === state.dropout) return;
    state.dropout = lowered;
    state.stagnant_epochs = 0;
    state.learning_rate = lowered <= low_dropout_threshold ? low_dropout_lr : lr;
  }

  /** torch.optim.lr_scheduler.ReduceLROnPlateau: mode min, relative threshold 1e-4, no cooldown, eps 1e-8. */
  #plateau(metric: number): void {
    const { state } = this;
    if (metric < state.plateau_best * (1 - 1e-4)) {
      state.plateau_best = metric;
      state.plateau_bad_epochs = 0;
    } else {
      state.plateau_bad_epochs += 1;
    }
    if (state.plateau_bad_epochs <= this.#settings.lr_decay_patience) return;
    const lowered = state.learning_rate * this.#settings.lr_decay;
    if (state.learning_rate - lowered > 1e-8) state.learning_rate = lowered;
    state.plateau_bad_epochs = 0;
  }
}
