import { metricOf } from "../training/epoch-log.ts";
import type { EpochRecord, TrainingObserver } from "../training/observer.ts";
import type { StatusLine } from "./status-line.ts";
import { cut, drawBar, formatDuration } from "./terminal-text.ts";

/** Where a training stands; everything the bar and the epoch lines show. Times in milliseconds, epochs counted from 0. */
export interface ProgressState {
  readonly phase: "training" | "validation";
  readonly epoch: number;
  readonly maxEpochs: number | null;
  readonly batch: number;
  readonly batches: number;
  /** Rows or windows done in this epoch. */
  readonly items: number;
  /** What the items are called: rows, windows. */
  readonly unit: string;
  /** Since the epoch began. */
  readonly elapsed: number;
  /** Mean total loss of the epoch so far. */
  readonly loss: number | null;
  /** The metric that chooses the epoch: of the last one, and the best so far. */
  readonly metric: "relative" | "dex";
  readonly lastError: number | null;
  readonly bestError: number | null;
  /** Until the training ends, where that can be told. */
  readonly remaining: number | null;
}

/**
 * The line of a running epoch: `epoch 3/100  45%|████▌     | 45/100 [00:03<00:04, 12345 rows/s, loss 1.23e-3, …]`. Where the terminal
 * is too narrow the least important columns go first, then the bar.
 * @param width in characters; the line is never longer
 */
export function renderBar(state: ProgressState, width: number): string {
  const label = epochLabel(state.epoch, state.maxEpochs);
  if (state.phase === "validation") {
    const errors = errorColumns(state).filter((text) => text !== null);
    return cut([`${label}  validating`, ...errors].join(", "), width);
  }
  const share = state.batches > 0 ? Math.min(1, state.batch / state.batches) : 0;
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const columns = barColumns(state, share);
  const count = `${state.batch}/${state.batches}`;
  for (let least = 1; least <= 6; least++) {
    const shown = columns.filter(({ rank }) => rank >= least).map(({ text }) => text);
    const [before, after] = [`${label} ${percent}|`, `| ${count} [${shown.join(", ")}]`];
    const room = width - before.length - after.length;
    if (room >= 6 && shown.length > 0) return before + drawBar(share, Math.min(room, 30)) + after;
  }
  return cut(`${label} ${percent} ${count}`, width);
}

/** What stands in the brackets; the lower the rank, the sooner it goes where the terminal is narrow. */
function barColumns(state: ProgressState, share: number): { rank: number; text: string }[] {
  const { elapsed, items, unit, loss, remaining } = state;
  const [last, best] = errorColumns(state);
  const left = share > 0 ? formatDuration(elapsed / share - elapsed) : "?";
  const columns: [rank: number, text: string | null][] = [
    [1, `${formatDuration(elapsed)}<${left}`],
    [2, elapsed > 0 ? `${formatRate(items, elapsed)} ${unit}/s` : null],
    [3, loss === null ? null : `loss ${formatError(loss)}`],
    [5, last],
    [4, best],
    [6, remaining === null ? null : `eta ${formatDuration(remaining)}`],
  ];
  return columns.flatMap(([rank, text]) => (text === null ? [] : [{ rank, text }]));
}

/** The validation error of the last epoch, with its metric, and the best so far. */
function errorColumns({ metric, lastError, bestError }: ProgressState): [last: string | null, best: string | null] {
  const name = metric === "dex" ? "val_dex" : "val_mre";
  return [
    lastError === null ? null : `${name} ${formatError(lastError)}`,
    bestError === null ? null : `best ${formatError(bestError)}`,
  ];
}

/** The line of an epoch that has ended, for logs and pipes. */
export function renderEpoch(
  record: EpochRecord,
  maxEpochs: number | null,
  unit: string,
  remaining: number | null,
): string {
  return [
    epochLabel(record.epoch, maxEpochs),
    `train_loss ${formatError(record.train_loss.total)}`,
    `val_mre ${formatError(record.mean)}`,
    `val_dex ${record.dex.toPrecision(3)}`,
    `lr ${formatError(record.learning_rate)}`,
    `${Math.round(record.items_per_second)} ${unit}/s`,
    remaining === null ? "" : `eta ${formatDuration(remaining)}`,
  ]
    .filter(Boolean)
    .join(" ");
}

/** How long the epochs to come take, going by those that are done, or until the time is up if that is sooner. */
export function estimateRemaining(
  done: { readonly epochs: number; readonly elapsed: number },
  maxEpochs: number | null,
  maxDuration: number | null,
): number | null {
  const { epochs, elapsed } = done;
  const byEpochs = maxEpochs === null || epochs === 0 ? null : (elapsed / epochs) * Math.max(0, maxEpochs - epochs);
  const byTime = maxDuration === null ? null : Math.max(0, maxDuration - elapsed);
  if (byEpochs === null || byTime === null) return byEpochs ?? byTime;
  return Math.min(byEpochs, byTime);
}

/** What the progress display works with. All effects come in here. */
export interface ProgressOptions {
  readonly statusLine: StatusLine;
  /** What the items of a batch are called. */
  readonly unit: "rows" | "windows";
  /** Milliseconds. */
  readonly now: () => number;
  /** Called with the line of each epoch where there is no terminal. */
  readonly writeLine: (line: string) => void;
  /** The training's limit, where it has one. */
  readonly maxMinutes?: number | null;
}

/** Shows a training: a bar on a terminal, elsewhere one line per epoch. */
export class Progress implements TrainingObserver {
  readonly #options: ProgressOptions;
  readonly #started: number;
  #epochStarted: number;
  /** Epochs that were done before this display began: those of a resumed training. */
  #before: number | null = null;
  #state: ProgressState;

  constructor(options: ProgressOptions) {
    this.#options = options;
    this.#started = this.#epochStarted = options.now();
    this.#state = {
      phase: "training",
      ...{ epoch: 0, maxEpochs: null, batch: 0, batches: 0, items: 0, elapsed: 0 },
      ...{ unit: options.unit, loss: null, metric: "relative", lastError: null, bestError: null, remaining: null },
    };
  }

  epochStarted(
    epoch: number,
    batches: number,
    maxEpochs: number | null,
    done: { readonly batches: number; readonly items: number } = { batches: 0, items: 0 },
  ): void {
    this.#epochStarted = this.#options.now();
    const { batches: batch, items } = done;
    this.#before ??= epoch + (batches > 0 ? batch / batches : 0);
    this.#state = { ...this.#state, phase: "training", epoch, maxEpochs, batches, batch, items, loss: null };
    this.#redraw();
  }

  batchDone(items: number, loss: number | null): void {
    const { batch, items: before, loss: last } = this.#state;
    this.#state = { ...this.#state, batch: batch + 1, items: before + items, loss: loss ?? last };
    this.#redraw();
  }

  validationStarted(): void {
    this.#state = { ...this.#state, phase: "validation" };
    this.#redraw();
  }

  epochEnded(record: EpochRecord): void {
    const { maxEpochs, bestError, unit } = this.#state;
    const best = record.improved ? record.metric : bestError;
    this.#state = { ...this.#state, metric: metricOf([record]), lastError: record.metric, bestError: best };
    if (this.#options.statusLine.isTerminal) return;
    this.#options.writeLine(renderEpoch(record, maxEpochs, unit, this.#remaining(record.epoch + 1)));
  }

  /** Takes the bar off the terminal; to be called however the training ends. */
  stop(): void {
    this.#options.statusLine.clear();
  }

  /** @param epochs done, the running one as a fraction */
  #remaining(epochs: number): number | null {
    const { now, maxMinutes } = this.#options;
    const maxDuration = maxMinutes == null ? null : maxMinutes * 60_000;
    const { maxEpochs } = this.#state;
    const before = this.#before ?? 0;
    const left = maxEpochs === null ? null : maxEpochs - before;
    return estimateRemaining({ epochs: epochs - before, elapsed: now() - this.#started }, left, maxDuration);
  }

  #redraw(): void {
    const { statusLine, now } = this.#options;
    statusLine.update(() => {
      const { epoch, batch, batches } = this.#state;
      const remaining = this.#remaining(epoch + (batches > 0 ? batch / batches : 0));
      return renderBar({ ...this.#state, elapsed: now() - this.#epochStarted, remaining }, statusLine.width);
    });
  }
}

/** People count from 1: the last epoch of 100 is 100/100. */
function epochLabel(epoch: number, maxEpochs: number | null): string {
  const total = maxEpochs === null ? "" : `/${maxEpochs}`;
  return `epoch ${epoch + 1}${total}`;
}

function formatRate(items: number, elapsed: number): string {
  return String(Math.round((items / elapsed) * 1000));
}

function formatError(value: number): string {
  return value.toExponential(2);
}
