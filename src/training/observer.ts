/** The parts of the training loss, each averaged over the items of an epoch. */
export interface LossParts {
  /** What is minimised: the sum of the parts, in the original's recipe times 1e-3. */
  total: number;
  /** The error that the phase's loss names; in the original's recipe the symmetric relative error, summed over species. */
  reconstruction: number;
  /** Weighted error of the worst species of each row. */
  worst: number;
  /** Weighted |log10| mismatch of the elements' totals. */
  conservation: number;
}

/** One line of the epoch log. `mean`, `std` and `max` are of the species' mean relative errors on the validation data. */
export interface EpochRecord {
  /** Counted from 0; people are told one more. */
  epoch: number;
  /** Of an ensemble, whose epoch it is, counted from 0. */
  member?: number;
  /** The recipe's phase, counted from 0. */
  phase: number;
  /** Mean over species. */
  mean: number;
  /** Unbiased standard deviation over species. */
  std: number;
  /** Worst species. */
  max: number;
  /** Mean error in dex, |Δ log10|. */
  dex: number;
  /** What early stopping, the schedule and the choice of the best weights look at: `mean` or `dex`, as the recipe says. */
  metric: number;
  dropout: number;
  /** The optimizer's learning rate in this epoch's last step. */
  learning_rate: number;
  train_loss: LossParts;
  /** Whether these weights are the best so far. */
  improved: boolean;
  stagnant_epochs: number;
  /** Steps that were left out because their gradient was not finite. */
  skipped_steps: number;
  seconds_training: number;
  seconds_validation: number;
  /** Training rows (autoencoder) or windows (emulator) per second. */
  items_per_second: number;
}

/** Who wants to know how a training goes: a progress bar, a log. Every method is cheap and never throws. */
export interface TrainingObserver {
  /**
   * @param batches how many batches the epoch has; `maxEpochs` null where there is no limit; `done` what a resumed epoch had done
   * before
   */
  epochStarted?(
    epoch: number,
    batches: number,
    maxEpochs: number | null,
    done?: { readonly batches: number; readonly items: number },
  ): void;
  /** @param items rows or windows in the batch; `loss` the running mean of the total loss where it is known (reading it each batch would stall the engine) */
  batchDone?(items: number, loss: number | null): void;
  validationStarted?(batches: number): void;
  epochEnded?(record: EpochRecord): void;
  /** Something worth a line: dropout lowered, learning rate lowered, best weights loaded back, why it stopped. */
  note?(message: string, details?: Record<string, unknown>): void;
}
