import { writeFileAtomic } from "../formats/atomic-file.ts";
import type { EpochRecord, TrainingObserver } from "./observer.ts";

/** Passes everything on to `next`, and writes the list of the epochs as JSON beside the weights after each of them. */
export function loggingObserver(path: string | null, next: TrainingObserver): TrainingObserver {
  const records: EpochRecord[] = [];
  return {
    epochStarted: (...args) => next.epochStarted?.(...args),
    batchDone: (...args) => next.batchDone?.(...args),
    validationStarted: (...args) => next.validationStarted?.(...args),
    note: (...args) => next.note?.(...args),
    epochEnded(record) {
      records.push(record);
      if (path !== null) writeFileAtomic(path, `${JSON.stringify(records, null, 1)}\n`);
      next.epochEnded?.(record);
    },
  };
}

/** `weights/autoencoder.safetensors` → `weights/autoencoder.json`. */
export function epochLogPath(weights: string): string {
  return `${weights.replace(/\.safetensors$/, "")}.json`;
}
