import type { TrainingObserver } from "../training/observer.ts";
import type { CommandContext } from "./command.ts";
import { Progress } from "./progress.ts";
import type { Run } from "./run-folder.ts";
import type { TensorBoardLog } from "./tensorboard-log.ts";

/**
 * What watches the training of a run: the bar or the epoch lines on stderr, `epochs.jsonl`, the notes in the log. `withRun` takes
 * the bar away at the end.
 */
export function observeRun(
  run: Run,
  context: CommandContext,
  training: { unit: "rows" | "windows"; maxMinutes: number | null; events?: TensorBoardLog | null },
): TrainingObserver {
  const progress = new Progress({
    ...training,
    statusLine: context.statusLine,
    now: () => context.now().getTime(),
    writeLine: (line) => context.stderr.write(`${line}\n`),
  });
  return {
    epochStarted: (...args) => progress.epochStarted(...args),
    batchDone: (items, loss) => progress.batchDone(items, loss),
    validationStarted: () => progress.validationStarted(),
    epochEnded(record) {
      run.appendEpoch(record);
      training.events?.add(record);
      run.log.debug(record, `epoch ${record.epoch + 1}`);
      progress.epochEnded(record);
    },
    note: (message, details = {}) => run.log.info(details, withDetails(message, details)),
  };
}

/** `learning rate set: learning_rate 0.0005`: people do not see the details beside a message. */
function withDetails(message: string, details: Readonly<Record<string, unknown>>): string {
  const parts = Object.entries(details).map(([name, value]) => `${name} ${value}`);
  return parts.length === 0 ? message : `${message}: ${parts.join(", ")}`;
}
