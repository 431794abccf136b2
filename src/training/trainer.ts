import { setImmediate as nextTurn } from "node:timers/promises";
import type { Engine, HostTensor, HostTensors } from "../backend/engine.ts";
import type { ProbePreparation } from "../backend/probe.ts";
import type { BatchSource } from "../data/batch-source.ts";
import { derivedSeed, RandomStream } from "../data/random.ts";
import { NumericsError } from "../errors.ts";
import { adamWInputs } from "./adamw.ts";
import { type BoundSteps, disposeSteps, probeStep } from "./bound-steps.ts";
import type { EpochRecord, LossParts, TrainingObserver } from "./observer.ts";
import type { OptimizerSettings } from "./optimizer.ts";
import { endless, type TrainingPhase, take } from "./phase.ts";
import { phaseDeadline, planEpochs, sumOf } from "./phase-plan.ts";
import type { Decision, ScheduleSettings } from "./schedule.ts";
import { type Steering, steeringOf } from "./steering.ts";
import { averageOf, TrainerMemory } from "./trainer-memory.ts";
import {
  EpochProgress,
  type PhasePosition,
  type Snapshot,
  type StateKeeper,
  type StopReason,
  type TrainingState,
} from "./training-state.ts";
import { validate, validationErrors } from "./validation.ts";
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
  /** Chooses another engine by the time of a training step; absent: `engine` computes. */
  readonly chooseEngine?: ((prepare: ProbePreparation) => Promise<Engine>) | undefined;
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
  /** Keeps the checkpoints: of every epoch, of moments that it chooses, of an interruption. */
  readonly keeper?: StateKeeper | undefined;
  /** Goes on from here. */
  readonly resumed?: TrainingState | undefined;
  /** Optimizer steps after which the training ends its epoch, as if its time were up. */
  readonly maxSteps?: number | undefined;
  /** Epochs after which the training pauses, as an interruption does: it can go on from its checkpoint, to the same bits. */
  readonly pauseAfter?: number | undefined;
}

/** How a training ended. */
export interface TrainingOutcome {
  readonly best: Snapshot | null;
  readonly log: readonly EpochRecord[];
  /** Optimizer steps. */
  readonly steps: number;
  readonly reason: StopReason;
}

/** A phase that is under way. */
interface PhaseRun<Batch> {
  readonly index: number;
  readonly phase: TrainingPhase<Batch>;
  readonly steering: Steering;
  readonly average: WeightAverage | null;
  /** Batches of the next epoch. @param first  those of them to pass over */
  readonly batches: (epoch: number, first: number) => AsyncIterable<Batch>;
  readonly epochs: number | null;
  readonly epochSteps: number;
  readonly started: number;
  readonly deadline: number;
  steps: number;
  /** Epochs that are done. */
  done: number;
  ended: StopReason | null;
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
  /** Made when it runs: the state is the subclass's. */
  #memory!: TrainerMemory;
  #bound: BoundSteps | null = null;

  constructor(options: TrainerOptions<Batch>) {
    this.options = options;
  }

  /** The starting state and the programs, on an engine; the receiver disposes of them. */
  protected abstract bind(engine: Engine): BoundSteps;
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
    const { settings, phases, now, resumed, engine, chooseEngine } = this.options;
    this.#bound = this.bind(chooseEngine ? await chooseEngine(await this.#probe()) : engine);
    const plan = planEpochs(
      phases.map((phase) => phase.settings.epochs),
      settings.max_epochs,
    );
    const memory = new TrainerMemory(this.#steps.state, this.weightNames, now());
    this.#memory = memory;
    if (resumed) await memory.read(resumed, now());
    let reason: StopReason = "max_epochs";
    for (const [index, epochs] of plan.entries()) {
      const position = resumed?.values.phase;
      if (position && index < position.index) continue;
      const run = this.#phaseRun(index, epochs, position?.index === index ? position : undefined);
      reason = await this.#runPhase(run, sumOf(plan));
      if (reason === "interrupted") break;
    }
    return { best: memory.loadBest(), log: memory.log, steps: memory.steps, reason };
  }

  async dispose(): Promise<void> {
    if (this.#bound) await disposeSteps(this.#bound);
  }

  get #steps(): BoundSteps {
    return this.#bound!;
  }

  /** The first training step of the phase that comes next; nothing of the training changes. */
  async #probe(): Promise<ProbePreparation> {
    const { phases, settings, seed, resumed } = this.options;
    const index = resumed?.values.phase.index ?? 0;
    const { learning_rate, dropout } = steeringOf(phases[index]!.settings, settings, Number.POSITIVE_INFINITY).at(0);
    const random = new RandomStream(derivedSeed(seed, "probe"));
    for await (const batch of phases[index]!.train.epoch(0)) {
      const inputs = {
        ...this.trainingInputs(batch, index, dropout, random),
        ...adamWInputs(settings, learning_rate, 1),
      };
      return (engine) => probeStep(this.bind(engine), index, inputs);
    }
    throw new Error("there are no batches to train on");
  }

  get #interrupted(): boolean {
    const { signal, pauseAfter } = this.options;
    return signal?.aborted === true || (pauseAfter !== undefined && this.#memory.log.length >= pauseAfter);
  }

  /** @param position  of the same phase, to go on from */
  #phaseRun(index: number, epochs: number | null, position?: PhasePosition): PhaseRun<Batch> {
    const { phases, settings, now, resumed } = this.options;
    const phase = phases[index]!;
    const { epoch_steps, averaging } = phase.settings;
    const stream = epoch_steps === null ? null : endless(phase.train, position?.steps);
    const started = now() - (position?.elapsed_ms ?? 0);
    const end =
      settings.max_minutes === null ? Number.POSITIVE_INFINITY : this.#memory.began + settings.max_minutes * 60_000;
    const shares = phases.slice(index).map((each) => each.settings.share);
    const best = this.#memory.best?.metric ?? Number.POSITIVE_INFINITY;
    const averaged = position?.averaged != null && resumed ? averageOf(resumed, position.averaged) : undefined;
    return {
      index,
      phase,
      steering: steeringOf(phase.settings, settings, best, position?.steering),
      average: averaging > 0 ? new WeightAverage(this.weightNames, averaging, averaged) : null,
      batches: (epoch, first) =>
        stream && epoch_steps !== null ? take(stream, epoch_steps - first) : phase.train.epoch(epoch, first),
      epochs,
      epochSteps: epoch_steps ?? phase.train.batches,
      started,
      deadline: Number.isFinite(end) ? phaseDeadline(shares, started, end) : end,
      steps: position?.steps ?? 0,
      done: position?.epochs ?? 0,
      ended: position?.ended ?? null,
    };
  }

  async #runPhase(run: PhaseRun<Batch>, maxEpochs: number | null): Promise<StopReason> {
    if (run.ended !== null && !this.#isStillOver(run)) run.ended = null;
    if (run.ended === null && run.epochs !== null && run.done >= run.epochs) run.ended = this.#endOfEpochs;
    while (run.ended === null) {
      const record = await this.#runEpoch(run, maxEpochs);
      if (record) {
        await this.#keep(run, { improved: record.improved, mayWait: run.ended === null && !this.#interrupted });
        this.options.observer.epochEnded?.(record);
      } else await this.#keep(run);
      if (this.#interrupted) return "interrupted";
    }
    return run.ended;
  }

  get #endOfEpochs(): StopReason {
    return this.options.settings.max_epochs === null ? "end of the recipe" : "max_epochs";
  }

  /** A training that ended at a limit goes on where that has been raised since. */
  #isStillOver({ ended, epochs, done, steering, deadline }: PhaseRun<Batch>): boolean {
    if (ended === "max_epochs" || ended === "end of the recipe") return epochs !== null && done >= epochs;
    return ended !== "max_minutes" || this.#isTooLate(steering, deadline);
  }

  /** Another epoch like the last one would not fit any more. */
  #isTooLate(steering: Steering, deadline: number): boolean {
    const { seconds_training = 0, seconds_validation = 0 } = this.#memory.log.at(-1) ?? {};
    const next = steering.endsEarly ? 1000 * (seconds_training + seconds_validation) : 0;
    return this.options.now() + next > deadline;
  }

  /** @returns null where it was interrupted */
  async #runEpoch(run: PhaseRun<Batch>, maxEpochs: number | null): Promise<EpochRecord | null> {
    const { observer, seed } = this.options;
    const memory = this.#memory;
    const epoch = memory.log.length;
    memory.epoch ??= EpochProgress.begin(epoch, derivedSeed(seed, "dropout and noise", epoch));
    const { batch, items } = memory.epoch;
    observer.epochStarted?.(epoch, run.epochSteps, maxEpochs, { batches: batch, items });
    if (!(await this.#trainEpoch(memory.epoch, run))) return null;
    const closed = await this.#closeEpoch(memory.epoch, run);
    if (!closed) return null;
    const { record, decision } = closed;
    memory.log.push(record);
    memory.epoch = null;
    run.done += 1;
    if (decision.stop) run.ended = "no improvement";
    else if (this.#isTooLate(run.steering, run.deadline)) run.ended = "max_minutes";
    else if (run.done === run.epochs) run.ended = this.#endOfEpochs;
    return record;
  }

  /** The share of a phase that is over: of its steps or of its time, whichever is more. */
  #progress({ epochs, epochSteps, steps, started, deadline }: PhaseRun<Batch>): number {
    const ofSteps = epochs === null ? 0 : steps / (epochs * epochSteps);
    const ofTime = Number.isFinite(deadline) ? (this.options.now() - started) / (deadline - started) : 0;
    return Math.min(1, Math.max(ofSteps, ofTime));
  }

  /** Trains on the batches that are left of an epoch. @returns false where it was interrupted */
  async #trainEpoch(progress: EpochProgress, run: PhaseRun<Batch>): Promise<boolean> {
    if (progress.isTrained) return true;
    const { observer, now, keeper, maxSteps } = this.options;
    const started = now() - 1000 * progress.secondsTraining;
    for await (const batch of run.batches(progress.epoch, progress.batch)) {
      await this.#step(batch, progress, run);
      observer.batchDone?.(this.itemsIn(batch), progress.mean("total"));
      // Signals come in between: an engine that computes in this thread never waits for anything else.
      await nextTurn();
      const isOver = now() > run.deadline || this.#memory.steps === maxSteps;
      progress.secondsTraining = (now() - started) / 1000;
      progress.isTrained = isOver || progress.batch === run.epochSteps;
      if (this.#interrupted || isOver) break;
      if (keeper?.isDue()) await this.#keep(run);
    }
    if (this.#interrupted) return false;
    if (progress.skipped > 0)
      observer.note?.("steps left out, their gradients were not finite", { steps: progress.skipped });
    return true;
  }

  async #step(batch: Batch, progress: EpochProgress, run: PhaseRun<Batch>): Promise<void> {
    const { learning_rate, dropout } = run.steering.at(this.#progress(run));
    [progress.learningRate, progress.dropout] = [learning_rate, dropout];
    this.#memory.steps += 1;
    run.steps += 1;
    const outputs = await this.#steps.trainPrograms[run.index]!.run(this.#steps.state, {
      ...this.trainingInputs(batch, run.index, dropout, progress.random),
      ...adamWInputs(this.options.settings, learning_rate, this.#memory.steps),
    });
    if (this.#isSound(outputs, progress.epoch, progress.batch)) {
      const losses = Object.fromEntries(lossNames.map((name) => [name, scalarOf(outputs[name])]));
      progress.add(losses, this.itemsIn(batch));
      await run.average?.update(this.#steps.state);
    } else {
      progress.skipped += 1;
    }
    progress.batch += 1;
  }

  /** @throws NumericsError where loss or gradient are not finite and the step was taken, or too many were left out */
  #isSound(outputs: HostTensors, epoch: number, batch: number): boolean {
    for (const name of ["total", "gradient_norm"] as const) {
      const value = scalarOf(outputs[name]);
      if (Number.isFinite(value)) continue;
      this.#memory.skippedInARow += 1;
      if (this.options.settings.skip_overflow && this.#memory.skippedInARow < mostSkipped) return false;
      const what = name === "total" ? "the training loss" : "the norm of the gradient";
      throw new NumericsError(`${what} is no longer finite (${value})`, {
        where: `epoch ${epoch + 1}, batch ${batch + 1}`,
        fix: "lower model.lr or model.gradient_clipping; the best weights so far are unchanged",
      });
    }
    this.#memory.skippedInARow = 0;
    return true;
  }

  /** Validates and decides. @returns null where the validation was interrupted */
  async #closeEpoch(
    progress: EpochProgress,
    run: PhaseRun<Batch>,
  ): Promise<{ record: EpochRecord; decision: Decision } | null> {
    const { observer, validation, settings } = this.options;
    const { epoch, secondsTraining, items } = progress;
    const [learning_rate, dropout] = [progress.learningRate, progress.dropout];
    await run.average?.apply(this.#steps.state);
    if (!(await this.#validate(progress, run))) return null;
    const errors = validationErrors(progress, validation.items, epoch);
    const metric = settings.metric === "dex" ? errors.dex : errors.mean;
    const decision = run.steering.epochEnded(metric);
    const record: EpochRecord = {
      epoch,
      phase: run.index,
      ...errors,
      metric,
      dropout,
      learning_rate,
      train_loss: Object.fromEntries(lossNames.map((name) => [name, progress.mean(name)])) as unknown as LossParts,
      improved: decision.improved,
      stagnant_epochs: run.steering.stagnant_epochs,
      skipped_steps: progress.skipped,
      seconds_training: secondsTraining,
      seconds_validation: progress.secondsValidation,
      // The clock ticks in milliseconds: a short epoch may take none.
      items_per_second: items / Math.max(secondsTraining, 1e-3),
    };
    if (decision.improved) {
      const best = await this.#memory.keepBest(epoch, metric);
      this.options.onImproved?.(best, record);
    }
    // The next phase goes on from the mean.
    run.average?.putBack(this.#steps.state, run.done + 1 === run.epochs);
    const loaded = decision.revert ? this.#memory.loadBest() : null;
    if (loaded) observer.note?.("best weights loaded back", { epoch: loaded.epoch + 1 });
    if (run.steering.endsEarly) this.#noteChanges(run.steering, { learning_rate, dropout });
    return { record, decision };
  }

  /** Adds up the errors of the validation batches that are left. @returns false where it was interrupted */
  async #validate(progress: EpochProgress, run: PhaseRun<Batch>): Promise<boolean> {
    const { validation, observer, now, keeper } = this.options;
    const started = now() - 1000 * progress.secondsValidation;
    observer.validationStarted?.(validation.batches);
    const validating = { program: this.#steps.validationProgram, state: this.#steps.state, source: validation };
    const goesOn = async (): Promise<boolean> => {
      await nextTurn();
      progress.secondsValidation = (now() - started) / 1000;
      if (!this.#interrupted && keeper?.isDue()) await this.#keep(run);
      return !this.#interrupted;
    };
    return validate(validating, (batch) => this.inputs(batch), progress, goesOn);
  }

  #noteChanges(steering: Steering, before: { learning_rate: number; dropout: number }): void {
    const { observer } = this.options;
    const { learning_rate, dropout } = steering.at(1);
    if (dropout !== before.dropout) observer.note?.("dropout lowered", { dropout });
    if (learning_rate !== before.learning_rate) observer.note?.("learning rate set", { learning_rate });
  }

  async #keep(run: PhaseRun<Batch>, moment = { improved: false, mayWait: false }): Promise<void> {
    const { keeper, now } = this.options;
    if (!keeper) return;
    const average = run.average?.state;
    const position: PhasePosition = {
      index: run.index,
      epochs: run.done,
      steps: run.steps,
      elapsed_ms: now() - run.started,
      steering: run.steering.state(),
      averaged: average?.steps ?? null,
      ended: run.ended,
    };
    keeper.keep(await this.#memory.write(now(), position, average), moment);
  }
}

function scalarOf(output: HostTensor | undefined): number {
  return output!.data[0]!;
}
