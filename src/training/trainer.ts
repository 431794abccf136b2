import type { Engine, EngineState, HostTensor, HostTensors, Program } from "../backend/engine.ts";
import type { BatchSource } from "../data/batch-source.ts";
import { derivedSeed, RandomStream } from "../data/random.ts";
import { NumericsError } from "../errors.ts";
import { adamWInputs } from "./adamw.ts";
import type { EpochRecord, LossParts, TrainingObserver } from "./observer.ts";
import type { OptimizerSettings } from "./optimizer.ts";
import { endless, type TrainingPhase, take } from "./phase.ts";
import { phaseDeadline, planEpochs } from "./phase-plan.ts";
import type { Decision, ScheduleSettings } from "./schedule.ts";
import { type Steering, steeringOf } from "./steering.ts";
import { validate } from "./validation.ts";
import { WeightAverage } from "./weight-average.ts";

/** What every trainer is set to; keys as in the model's configuration and the recipe. */
export interface TrainerSettings extends ScheduleSettings, OptimizerSettings {
  readonly max_epochs: number | null;
  readonly max_minutes: number | null;
  /** What chooses the best epoch. */
  readonly metric: "relative" | "dex";
}

/** What a trainer works with. All effects come in here. */
export interface TrainerOptions<Batch> {
  readonly engine: Engine;
  readonly phases: readonly TrainingPhase<Batch>[];
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

export type StopReason = "no improvement" | "max_epochs" | "max_minutes" | "end of the recipe" | "interrupted";

/** How a training ended. */
export interface TrainingOutcome {
  readonly best: Snapshot | null;
  readonly log: readonly EpochRecord[];
  readonly reason: StopReason;
}

/** A phase that is under way. */
interface PhaseRun<Batch> {
  readonly index: number;
  readonly phase: TrainingPhase<Batch>;
  readonly steering: Steering;
  readonly average: WeightAverage | null;
  /** Batches of the next epoch. */
  readonly batches: (epoch: number) => AsyncIterable<Batch>;
  readonly epochs: number | null;
  readonly epochSteps: number;
  readonly started: number;
  readonly deadline: number;
  steps: number;
}

/** What an epoch's steps came to. */
interface EpochSums {
  readonly loss: LossParts;
  readonly items: number;
  readonly seconds: number;
  readonly skipped: number;
  readonly learning_rate: number;
  readonly dropout: number;
}

const lossNames = ["total", "reconstruction", "worst", "conservation"] as const;
/** Steps in a row without a finite gradient that end a training which leaves such steps out. */
const mostSkipped = 50;

/**
 * The training loop, written once: phases of epochs of optimizer steps, validation, the schedule's decisions, the log. A subclass
 * says how a batch becomes a program's inputs and which programs train and validate.
 */
export abstract class Trainer<Batch> {
  protected readonly options: TrainerOptions<Batch>;
  #steps = 0;
  #skippedInARow = 0;
  #best: Snapshot | null = null;
  readonly #log: EpochRecord[] = [];

  constructor(options: TrainerOptions<Batch>) {
    this.options = options;
  }

  /** Everything the programs read and change; `parameters`, `first_moment` and `second_moment` among it. */
  protected abstract readonly state: EngineState;
  /** One for each phase. */
  protected abstract readonly trainPrograms: readonly Program[];
  protected abstract readonly validationProgram: Program;
  /** The arrays of the state that are the weights: saved when best, loaded back by the schedule. */
  protected abstract readonly weightNames: readonly string[];
  /** What the errors of a batch are averaged over: rows or windows. */
  protected abstract itemsIn(batch: Batch): number;
  /** Of a validation batch. */
  protected abstract inputs(batch: Batch): HostTensors;
  /** Of a training batch, with its random masks and noise. */
  protected abstract trainingInputs(batch: Batch, phase: number, dropout: number, random: RandomStream): HostTensors;
  /** Trainable parameters of the model. */
  abstract readonly parameterCount: number;

  /**
   * Trains until the phases, the schedule, a limit or the signal end it; leaves the best weights in the state.
   * @throws NumericsError naming epoch and batch where a loss is no longer finite; the best snapshot stays as it was
   */
  async run(): Promise<TrainingOutcome> {
    const { settings, phases, now } = this.options;
    const plan = planEpochs(
      phases.map((phase) => phase.settings.epochs),
      settings.max_epochs,
    );
    const end = settings.max_minutes === null ? Number.POSITIVE_INFINITY : now() + settings.max_minutes * 60_000;
    let reason: StopReason = "max_epochs";
    for (const [index, epochs] of plan.entries()) {
      reason = await this.#runPhase(this.#phaseRun(index, epochs, end), sumOf(plan));
      if (reason === "interrupted") break;
    }
    if (this.#best) this.#load(this.#best);
    return { best: this.#best, log: this.#log, reason };
  }

  dispose(): void {
    this.state.dispose();
    for (const program of this.trainPrograms) program.dispose();
    this.validationProgram.dispose();
  }

  get #interrupted(): boolean {
    return this.options.signal?.aborted ?? false;
  }

  #phaseRun(index: number, epochs: number | null, end: number): PhaseRun<Batch> {
    const { phases, settings, now } = this.options;
    const phase = phases[index]!;
    const { epoch_steps, averaging } = phase.settings;
    const stream = epoch_steps === null ? null : endless(phase.train);
    const started = now();
    const shares = phases.slice(index).map((each) => each.settings.share);
    return {
      index,
      phase,
      steering: steeringOf(phase.settings, settings, this.#best?.metric ?? Number.POSITIVE_INFINITY),
      average: averaging > 0 ? new WeightAverage(this.weightNames, averaging) : null,
      batches: (epoch) => (stream && epoch_steps !== null ? take(stream, epoch_steps) : phase.train.epoch(epoch)),
      epochs,
      epochSteps: epoch_steps ?? phase.train.batches,
      started,
      deadline: Number.isFinite(end) ? phaseDeadline(shares, started, end) : end,
      steps: 0,
    };
  }

  async #runPhase(run: PhaseRun<Batch>, maxEpochs: number | null): Promise<StopReason> {
    const { observer, now, settings } = this.options;
    for (let done = 0; run.epochs === null || done < run.epochs; done++) {
      const epoch = this.#log.length;
      observer.epochStarted?.(epoch, run.epochSteps, maxEpochs);
      const epochStarted = now();
      const sums = await this.#trainEpoch(epoch, run);
      if (this.#interrupted) return "interrupted";
      const isLast = run.epochs !== null && done + 1 === run.epochs;
      const { record, decision } = await this.#closeEpoch(epoch, run, sums, epochStarted, isLast);
      this.#log.push(record);
      observer.epochEnded?.(record);
      if (this.#interrupted) return "interrupted";
      if (decision.stop) return "no improvement";
      const next = run.steering.endsEarly ? now() - epochStarted : 0;
      // Another epoch like this one would not fit any more.
      if (now() + next > run.deadline) return "max_minutes";
    }
    return settings.max_epochs === null ? "end of the recipe" : "max_epochs";
  }

  /** The share of a phase that is over: of its steps or of its time, whichever is more. */
  #progress({ epochs, epochSteps, steps, started, deadline }: PhaseRun<Batch>): number {
    const ofSteps = epochs === null ? 0 : steps / (epochs * epochSteps);
    const ofTime = Number.isFinite(deadline) ? (this.options.now() - started) / (deadline - started) : 0;
    return Math.min(1, Math.max(ofSteps, ofTime));
  }

  async #trainEpoch(epoch: number, run: PhaseRun<Batch>): Promise<EpochSums> {
    const { settings, observer, now, seed } = this.options;
    const random = new RandomStream(derivedSeed(seed, "dropout and noise", epoch));
    const loss: LossParts = { total: 0, reconstruction: 0, worst: 0, conservation: 0 };
    const started = now();
    let [items, index, skipped] = [0, 0, 0];
    let { learning_rate, dropout } = run.steering.at(this.#progress(run));
    for await (const batch of run.batches(epoch)) {
      ({ learning_rate, dropout } = run.steering.at(this.#progress(run)));
      this.#steps += 1;
      run.steps += 1;
      const outputs = await this.trainPrograms[run.index]!.run(this.state, {
        ...this.trainingInputs(batch, run.index, dropout, random),
        ...adamWInputs(settings, learning_rate, this.#steps),
      });
      const count = this.itemsIn(batch);
      if (this.#isSound(outputs, epoch, index)) {
        for (const name of lossNames) loss[name] += scalarOf(outputs[name]) * count;
        items += count;
        await run.average?.update(this.state);
      } else {
        skipped += 1;
      }
      index += 1;
      observer.batchDone?.(count, loss.total / items);
      if (this.#interrupted || now() > run.deadline) break;
    }
    for (const name of lossNames) loss[name] /= items;
    if (skipped > 0) observer.note?.("steps left out, their gradients were not finite", { steps: skipped });
    return { loss, items, seconds: (now() - started) / 1000, skipped, learning_rate, dropout };
  }

  /** @throws NumericsError where loss or gradient are not finite and the step was taken, or too many were left out */
  #isSound(outputs: HostTensors, epoch: number, batch: number): boolean {
    for (const name of ["total", "gradient_norm"] as const) {
      const value = scalarOf(outputs[name]);
      if (Number.isFinite(value)) continue;
      this.#skippedInARow += 1;
      if (this.options.settings.skip_overflow && this.#skippedInARow < mostSkipped) return false;
      const what = name === "total" ? "the training loss" : "the norm of the gradient";
      throw new NumericsError(`${what} is no longer finite (${value})`, {
        where: `epoch ${epoch + 1}, batch ${batch + 1}`,
        fix: "lower model.lr or model.gradient_clipping; the best weights so far are unchanged",
      });
    }
    this.#skippedInARow = 0;
    return true;
  }

  async #closeEpoch(
    epoch: number,
    run: PhaseRun<Batch>,
    sums: EpochSums,
    epochStarted: number,
    isLast: boolean,
  ): Promise<{ record: EpochRecord; decision: Decision }> {
    const { observer, now, validation, settings } = this.options;
    const { learning_rate, dropout } = sums;
    const putBack = await run.average?.apply(this.state);
    observer.validationStarted?.(validation.batches);
    const validating = { program: this.validationProgram, state: this.state, source: validation };
    const errors = await validate(validating, (batch) => this.inputs(batch), epoch);
    const metric = settings.metric === "dex" ? errors.dex : errors.mean;
    const decision = run.steering.epochEnded(metric);
    const record: EpochRecord = {
      epoch,
      phase: run.index,
      ...errors,
      metric,
      dropout,
      learning_rate,
      train_loss: sums.loss,
      improved: decision.improved,
      stagnant_epochs: run.steering.stagnant_epochs,
      skipped_steps: sums.skipped,
      seconds_training: sums.seconds,
      seconds_validation: (now() - epochStarted) / 1000 - sums.seconds,
      items_per_second: sums.items / sums.seconds,
    };
    if (decision.improved) {
      this.#best = await this.#snapshot(epoch, metric);
      this.options.onImproved?.(this.#best, record);
    }
    // The next phase goes on from the mean.
    if (!isLast) putBack?.();
    if (decision.revert && this.#best) {
      this.#load(this.#best);
      observer.note?.("best weights loaded back", { epoch: this.#best.epoch });
    }
    if (run.steering.endsEarly) this.#noteChanges(run.steering, { learning_rate, dropout });
    return { record, decision };
  }

  #noteChanges(steering: Steering, before: { learning_rate: number; dropout: number }): void {
    const { observer } = this.options;
    const { learning_rate, dropout } = steering.at(1);
    if (dropout !== before.dropout) observer.note?.("dropout lowered", { dropout });
    if (learning_rate !== before.learning_rate) observer.note?.("learning rate set", { learning_rate });
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

/** Null where one of them has no limit. */
function sumOf(epochs: readonly (number | null)[]): number | null {
  return epochs.reduce((sum, each) => (sum === null || each === null ? null : sum + each), 0);
}
