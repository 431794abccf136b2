import { setImmediate as nextTurn } from "node:timers/promises";
import type { Engine, EngineState, HostTensor, HostTensors, Program } from "../backend/engine.ts";
import type { BatchSource } from "../data/batch-source.ts";
import { derivedSeed, type RandomStream } from "../data/random.ts";
import { CheckpointError, NumericsError } from "../errors.ts";
import { type AdamWSettings, adamWInputs } from "./adamw.ts";
import type { EpochRecord, LossParts, TrainingObserver } from "./observer.ts";
import { type Decision, Schedule, type ScheduleSettings } from "./schedule.ts";
import {
  bestOf,
  EpochProgress,
  type Snapshot,
  type StateKeeper,
  type StopReason,
  type TrainingState,
} from "./training-state.ts";

/** What every trainer is set to; keys as in the model's configuration. */
export interface TrainerSettings extends ScheduleSettings, AdamWSettings {
  readonly max_epochs: number | null;
  readonly max_minutes: number | null;
}

/** What a trainer works with. All effects come in here. */
export interface TrainerOptions<Batch> {
  readonly engine: Engine;
  readonly train: BatchSource<Batch>;
  readonly validation: BatchSource<Batch>;
  readonly settings: TrainerSettings;
  readonly seed: number;
  readonly observer: TrainingObserver;
  /** Milliseconds. */
  readonly now: () => number;
  /** Aborted: finish the step, then end. */
  readonly signal?: AbortSignal | undefined;
  /** Called with each new best, before the epoch's record goes to the observer. */
  readonly onImproved?: (best: Snapshot, record: EpochRecord) => void;
  /** Keeps the checkpoints: of every epoch, of moments that it chooses, of an interruption. */
  readonly keeper?: StateKeeper | undefined;
  /** Goes on from here. */
  readonly resumed?: TrainingState | undefined;
  /** Optimizer steps after which the training ends its epoch, as if its time were up. */
  readonly maxSteps?: number | undefined;
}

/** How a training ended. */
export interface TrainingOutcome {
  readonly best: Snapshot | null;
  readonly log: readonly EpochRecord[];
  /** Optimizer steps. */
  readonly steps: number;
  readonly reason: StopReason;
}

const lossNames = ["total", "reconstruction", "worst", "conservation"] as const;

/**
 * The training loop, written once: epochs of optimizer steps, validation, the schedule's decisions, the log. A subclass says how
 * a batch becomes a program's inputs and which programs train and validate.
 */
export abstract class Trainer<Batch> {
  protected readonly options: TrainerOptions<Batch>;
  readonly schedule: Schedule;
  #steps = 0;
  #best: Snapshot | null = null;
  #epoch = 0;
  /** The epoch under way; null between two. */
  #progress: EpochProgress | null = null;
  #log: EpochRecord[] = [];
  #ended: StopReason | null = null;
  /** When the training began, less the time that it was interrupted. */
  #began = 0;

  constructor(options: TrainerOptions<Batch>) {
    this.options = options;
    this.schedule = new Schedule(options.settings, options.resumed && { ...options.resumed.values.schedule });
  }

  /** Everything the programs read and change; `parameters`, `first_moment` and `second_moment` among it. */
  protected abstract readonly state: EngineState;
  protected abstract readonly trainProgram: Program;
  protected abstract readonly validationProgram: Program;
  /** The arrays of the state that are the weights: saved when best, loaded back by the schedule. */
  protected abstract readonly weightNames: readonly string[];
  /** What the errors of a batch are averaged over: rows or windows. */
  protected abstract itemsIn(batch: Batch): number;
  protected abstract inputs(batch: Batch): HostTensors;
  /** Random masks and noise of a training batch. */
  protected abstract randomInputs(batch: Batch, dropout: number, random: RandomStream): HostTensors;

  /**
   * Trains until the schedule, a limit or the signal ends it; leaves the best weights in the state.
   * @throws NumericsError naming epoch and batch where a loss is no longer finite; the best snapshot stays as it was
   */
  async run(): Promise<TrainingOutcome> {
    const { resumed, now } = this.options;
    this.#began = now();
    if (resumed) await this.#restore(resumed);
    const { max_epochs } = this.options.settings;
    if (max_epochs !== null && this.#epoch >= max_epochs) this.#ended ??= "max_epochs";
    let reason: StopReason | null = this.#ended;
    while (reason === null) reason = await this.#runEpoch();
    if (this.#best) this.#load(this.#best);
    return { best: this.#best, log: this.#log, steps: this.#steps, reason };
  }

  /** @returns why the training ends here; null where it goes on */
  async #runEpoch(): Promise<StopReason | null> {
    const { settings, observer, now, seed } = this.options;
    this.#progress ??= EpochProgress.begin(this.#epoch, derivedSeed(seed, "dropout and noise", this.#epoch));
    const { batch, items } = this.#progress;
    observer.epochStarted?.(this.#epoch, this.options.train.batches, settings.max_epochs, { batches: batch, items });
    const closed = (await this.#trainEpoch(this.#progress)) && (await this.#closeEpoch(this.#progress));
    if (!closed) {
      await this.#keep();
      return "interrupted";
    }
    const { record, decision } = closed;
    const seconds = record.seconds_training + record.seconds_validation;
    this.#log.push(record);
    this.#progress = null;
    this.#epoch += 1;
    if (decision.stop) this.#ended = "no improvement";
    // Another epoch like this one would not fit any more.
    else if (now() + 1000 * seconds > this.#deadline) this.#ended = "max_minutes";
    else if (this.#epoch === settings.max_epochs) this.#ended = "max_epochs";
    const mayWait = this.#ended === null && !this.#interrupted;
    await this.#keep({ improved: record.improved, mayWait });
    observer.epochEnded?.(record);
    return this.#interrupted ? "interrupted" : this.#ended;
  }

  /** Trainable parameters of the model. */
  abstract readonly parameterCount: number;

  dispose(): void {
    this.state.dispose();
    this.trainProgram.dispose();
    this.validationProgram.dispose();
  }

  get #interrupted(): boolean {
    return this.options.signal?.aborted ?? false;
  }

  get #deadline(): number {
    const { max_minutes } = this.options.settings;
    return max_minutes === null ? Number.POSITIVE_INFINITY : this.#began + max_minutes * 60_000;
  }

  /** Trains on the batches that are left of an epoch. @returns false where it was interrupted */
  async #trainEpoch(progress: EpochProgress): Promise<boolean> {
    if (progress.isTrained) return true;
    const { settings, observer, now, train, keeper, maxSteps } = this.options;
    const { learning_rate, dropout } = this.schedule.state;
    const started = now() - 1000 * progress.secondsTraining;
    for await (const batch of train.epoch(this.#epoch, progress.batch)) {
      this.#steps += 1;
      const outputs = await this.trainProgram.run(this.state, {
        ...this.inputs(batch),
        ...this.randomInputs(batch, dropout, progress.random),
        ...adamWInputs(settings, learning_rate, this.#steps),
      });
      this.#checkFinite(outputs, this.#epoch, progress.batch);
      const count = this.itemsIn(batch);
      progress.add(Object.fromEntries(lossNames.map((name) => [name, scalarOf(outputs[name])])), count);
      observer.batchDone?.(count, progress.sums.total! / progress.items);
      // Signals come in between: an engine that computes in this thread never waits for anything else.
      await nextTurn();
      const isOver = now() > this.#deadline || this.#steps === maxSteps;
      progress.secondsTraining = (now() - started) / 1000;
      progress.isTrained = isOver || progress.batch === train.batches;
      if (this.#interrupted || isOver) break;
      if (keeper?.isDue()) await this.#keep();
    }
    return !this.#interrupted;
  }

  #checkFinite(outputs: HostTensors, epoch: number, batch: number): void {
    for (const name of ["total", "gradient_norm"] as const) {
      const value = scalarOf(outputs[name]);
      if (Number.isFinite(value)) continue;
      const what = name === "total" ? "the training loss" : "the norm of the gradient";
      throw new NumericsError(`${what} is no longer finite (${value})`, {
        where: `epoch ${epoch + 1}, batch ${batch + 1}`,
        fix: "lower model.lr or model.gradient_clipping; the best weights so far are unchanged",
      });
    }
  }

  /** Validates and decides. @returns null where the validation was interrupted */
  async #closeEpoch(progress: EpochProgress): Promise<{ record: EpochRecord; decision: Decision } | null> {
    const { epoch, items, secondsTraining } = progress;
    const { observer } = this.options;
    const { learning_rate, dropout } = this.schedule.state;
    if (!(await this.#validate(progress))) return null;
    const errors = this.#errors(progress);
    const decision = this.schedule.epochEnded(errors.mean);
    const record: EpochRecord = {
      epoch,
      ...errors,
      metric: errors.mean,
      dropout,
      learning_rate,
      train_loss: lossMeans(progress),
      improved: decision.improved,
      stagnant_epochs: this.schedule.state.stagnant_epochs,
      seconds_training: secondsTraining,
      seconds_validation: progress.secondsValidation,
      items_per_second: items / secondsTraining,
    };
    if (decision.improved) {
      this.#best = await this.#snapshot(epoch, errors.mean);
      this.options.onImproved?.(this.#best, record);
    }
    if (decision.revert && this.#best) {
      this.#load(this.#best);
      observer.note?.("best weights loaded back", { epoch: this.#best.epoch });
    }
    const after = this.schedule.state;
    if (after.dropout !== dropout) observer.note?.("dropout lowered", { dropout: after.dropout });
    if (after.learning_rate !== learning_rate)
      observer.note?.("learning rate set", { learning_rate: after.learning_rate });
    return { record, decision };
  }

  /** Adds up the errors of the validation batches that are left. @returns false where it was interrupted */
  async #validate(progress: EpochProgress): Promise<boolean> {
    const { validation, observer, now, keeper } = this.options;
    const started = now() - 1000 * progress.secondsValidation;
    observer.validationStarted?.(validation.batches);
    for await (const batch of validation.epoch(0, progress.validated)) {
      const { errors } = await this.validationProgram.run(this.state, this.inputs(batch));
      progress.addErrors(errors!.data);
      await nextTurn();
      progress.secondsValidation = (now() - started) / 1000;
      if (this.#interrupted) break;
      if (keeper?.isDue()) await this.#keep();
    }
    return progress.validated === validation.batches;
  }

  /** Mean, unbiased standard deviation and maximum over species of the mean relative error. */
  #errors({ epoch, errors }: EpochProgress): { mean: number; std: number; max: number } {
    const means = errors!.map((sum) => sum / this.options.validation.items);
    const mean = means.reduce((a, b) => a + b, 0) / means.length;
    if (Number.isNaN(mean)) {
      throw new NumericsError("the validation error is not a number", {
        where: `epoch ${epoch + 1}, validation`,
        fix: "lower model.lr; the best weights so far are unchanged",
      });
    }
    const variance = means.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (means.length - 1);
    return { mean, std: Math.sqrt(variance), max: means.reduce((a, b) => Math.max(a, b)) };
  }

  async #keep(moment = { improved: false, mayWait: false }): Promise<void> {
    const { keeper } = this.options;
    if (keeper) keeper.keep(await this.#stateNow(), moment);
  }

  /** Where the training stands. */
  async #stateNow(): Promise<TrainingState> {
    const arrays: Record<string, Float32Array | Float64Array> = {};
    for (const name of this.state.names) arrays[`state/${name}`] = (await this.state.read(name)).data;
    for (const [name, data] of Object.entries(this.#best?.arrays ?? {})) arrays[`best/${name}`] = data;
    if (this.#progress?.errors) arrays["validation/errors"] = this.#progress.errors;
    const best = this.#best && { steps: this.#best.steps, epoch: this.#best.epoch, metric: this.#best.metric };
    return {
      arrays,
      values: {
        steps: this.#steps,
        elapsed_ms: this.options.now() - this.#began,
        epoch: this.#epoch,
        position: this.#progress?.position ?? null,
        schedule: { ...this.schedule.state },
        best,
        log: [...this.#log],
        ended: this.#ended,
      },
    };
  }

  async #restore({ arrays, values }: TrainingState): Promise<void> {
    for (const name of this.state.names) {
      const { data, shape } = await this.state.read(name);
      const kept = arrays[`state/${name}`];
      if (!(kept instanceof Float32Array) || kept.length !== data.length)
        throw unfit(`state/${name}`, data.length, kept);
      this.state.write(name, { data: kept, shape });
    }
    this.#best = values.best && bestOf({ arrays, values });
    const errors = (arrays["validation/errors"] as Float64Array | undefined) ?? null;
    this.#progress = values.position && new EpochProgress(values.epoch, values.position, errors);
    this.#steps = values.steps;
    this.#epoch = values.epoch;
    this.#log = [...values.log];
    this.#began = this.options.now() - values.elapsed_ms;
    this.#ended = this.#isStillOver(values.ended) ? values.ended : null;
  }

  /** A training that ended at a limit goes on where that has been raised since. */
  #isStillOver(ended: StopReason | null): boolean {
    const { max_epochs } = this.options.settings;
    const { seconds_training = 0, seconds_validation = 0 } = this.#log.at(-1) ?? {};
    if (ended === "max_epochs") return max_epochs !== null && this.#epoch >= max_epochs;
    if (ended === "max_minutes")
      return this.options.now() + 1000 * (seconds_training + seconds_validation) > this.#deadline;
    return ended !== null;
  }

  async #snapshot(epoch: number, metric: number): Promise<Snapshot> {
    const arrays: Record<string, Float32Array> = {};
    for (const name of this.weightNames) arrays[name] = (await this.state.read(name)).data;
    return { arrays, steps: this.#steps, epoch, metric };
  }

  #load(snapshot: Snapshot): void {
    for (const [name, data] of Object.entries(snapshot.arrays)) this.state.write(name, { data, shape: [data.length] });
  }
}

function lossMeans({ sums, items }: EpochProgress): LossParts {
  return Object.fromEntries(lossNames.map((name) => [name, sums[name]! / items])) as Record<keyof LossParts, number>;
}

function unfit(name: string, wanted: number, found: { readonly length: number } | undefined): CheckpointError {
  const what = found ? `has ${found.length} entries, not ${wanted}` : "is missing";
  return new CheckpointError(`the checkpoint is of another model: the array ${name} ${what}`, {
    fix: "resume with the configuration that it was made with",
  });
}

function scalarOf(output: HostTensor | undefined): number {
  return output!.data[0]!;
}
