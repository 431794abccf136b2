import type { Engine, EngineState, HostTensor, HostTensors, Program } from "../backend/engine.ts";
import type { BatchSource } from "../data/batch-source.ts";
import { derivedSeed, RandomStream } from "../data/random.ts";
import { NumericsError } from "../errors.ts";
import { type AdamWSettings, adamWInputs } from "./adamw.ts";
import type { EpochRecord, LossParts, TrainingObserver } from "./observer.ts";
import { type Decision, Schedule, type ScheduleSettings } from "./schedule.ts";

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
}

/** The weights of one moment, by the names of the state. */
export interface Snapshot {
  readonly arrays: Readonly<Record<string, Float32Array>>;
  /** Optimizer steps taken until then. */
  readonly steps: number;
  readonly epoch: number;
  readonly metric: number;
}

export type StopReason = "no improvement" | "max_epochs" | "max_minutes" | "interrupted";

/** How a training ended. */
export interface TrainingOutcome {
  readonly best: Snapshot | null;
  readonly log: readonly EpochRecord[];
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

  constructor(options: TrainerOptions<Batch>) {
    this.options = options;
    this.schedule = new Schedule(options.settings);
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
    const { settings, observer, now } = this.options;
    const started = now();
    const log: EpochRecord[] = [];
    let reason: StopReason = "max_epochs";
    for (let epoch = 0; settings.max_epochs === null || epoch < settings.max_epochs; epoch++) {
      observer.epochStarted?.(epoch, this.options.train.batches, settings.max_epochs);
      const deadline =
        settings.max_minutes === null ? Number.POSITIVE_INFINITY : started + settings.max_minutes * 60_000;
      const epochStarted = now();
      const training = await this.#trainEpoch(epoch, deadline);
      if (this.#interrupted) {
        reason = "interrupted";
        break;
      }
      const { record, decision } = await this.#closeEpoch(epoch, training, epochStarted);
      log.push(record);
      observer.epochEnded?.(record);
      if (this.#interrupted) reason = "interrupted";
      else if (decision.stop) reason = "no improvement";
      // Another epoch like this one would not fit any more.
      else if (now() + (now() - epochStarted) > deadline) reason = "max_minutes";
      else continue;
      break;
    }
    if (this.#best) this.#load(this.#best);
    return { best: this.#best, log, reason };
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

  async #trainEpoch(epoch: number, deadline: number): Promise<{ loss: LossParts; items: number; seconds: number }> {
    const { settings, observer, now, seed, train } = this.options;
    const { learning_rate, dropout } = this.schedule.state;
    const random = new RandomStream(derivedSeed(seed, "dropout and noise", epoch));
    const sums: LossParts = { total: 0, reconstruction: 0, worst: 0, conservation: 0 };
    const started = now();
    let items = 0;
    let index = 0;
    for await (const batch of train.epoch(epoch)) {
      this.#steps += 1;
      const outputs = await this.trainProgram.run(this.state, {
        ...this.inputs(batch),
        ...this.randomInputs(batch, dropout, random),
        ...adamWInputs(settings, learning_rate, this.#steps),
      });
      this.#checkFinite(outputs, epoch, index);
      const count = this.itemsIn(batch);
      for (const name of lossNames) sums[name] += scalarOf(outputs[name]) * count;
      items += count;
      index += 1;
      observer.batchDone?.(count, sums.total / items);
      if (this.#interrupted || now() > deadline) break;
    }
    for (const name of lossNames) sums[name] /= items;
    return { loss: sums, items, seconds: (now() - started) / 1000 };
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

  async #closeEpoch(
    epoch: number,
    training: { loss: LossParts; items: number; seconds: number },
    epochStarted: number,
  ): Promise<{ record: EpochRecord; decision: Decision }> {
    const { observer, now } = this.options;
    const { learning_rate, dropout } = this.schedule.state;
    const errors = await this.#validate(epoch);
    const decision = this.schedule.epochEnded(errors.mean);
    const record: EpochRecord = {
      epoch,
      ...errors,
      metric: errors.mean,
      dropout,
      learning_rate,
      train_loss: training.loss,
      improved: decision.improved,
      stagnant_epochs: this.schedule.state.stagnant_epochs,
      seconds_training: training.seconds,
      seconds_validation: (now() - epochStarted) / 1000 - training.seconds,
      items_per_second: training.items / training.seconds,
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

  /** Mean, unbiased standard deviation and maximum over species of the mean relative error. */
  async #validate(epoch: number): Promise<{ mean: number; std: number; max: number }> {
    const { validation, observer } = this.options;
    observer.validationStarted?.(validation.batches);
    let sums: Float64Array | undefined;
    for await (const batch of validation.epoch(0)) {
      const { errors } = await this.validationProgram.run(this.state, this.inputs(batch));
      sums ??= new Float64Array(errors!.data.length);
      for (let s = 0; s < sums.length; s++) sums[s]! += errors!.data[s]!;
    }
    const means = sums!.map((sum) => sum / validation.items);
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

  async #snapshot(epoch: number, metric: number): Promise<Snapshot> {
    const arrays: Record<string, Float32Array> = {};
    for (const name of this.weightNames) arrays[name] = (await this.state.read(name)).data;
    return { arrays, steps: this.#steps, epoch, metric };
  }

  #load(snapshot: Snapshot): void {
    for (const [name, data] of Object.entries(snapshot.arrays)) this.state.write(name, { data, shape: [data.length] });
  }
}

function scalarOf(output: HostTensor | undefined): number {
  return output!.data[0]!;
}
