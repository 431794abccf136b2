import { writeFileAtomic } from "../formats/atomic-file.ts";
import type { EpochRecord, TrainingObserver } from "./observer.ts";

/**
 * Passes everything on to `next`, and writes the list of the epochs as JSON beside the weights after each of them.
 * @param done  the epochs of a resumed training that it had done before
 */
export function loggingObserver(
  path: string | null,
  next: TrainingObserver,
  done: readonly EpochRecord[] = [],
): TrainingObserver {
  const records = [...done];
  const write = (): void => writeFileAtomic(path!, `${JSON.stringify(records, null, 1)}\n`);
  // It may be the log of another training by now, or one epoch behind.
  if (path !== null && done.length > 0) write();
  return {
    epochStarted: (...args) => next.epochStarted?.(...args),
    batchDone: (...args) => next.batchDone?.(...args),
    validationStarted: (...args) => next.validationStarted?.(...args),
    note: (...args) => next.note?.(...args),
    epochEnded(record) {
      records.push(record);
      if (path !== null) write();
      next.epochEnded?.(record);
    },
  };
}

/** `weights/autoencoder.safetensors` → `weights/autoencoder.json`. */
export function epochLogPath(weights: string): string {
  return `${weights.replace(/\.safetensors$/, "")}.json`;
}
