import { z } from "zod";
import { DataError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic-file.ts";
import { checkedContent } from "../formats/checked-content.ts";
import { checkVersion, type FileFormat, latestVersion } from "../formats/format-version.ts";
import type { EpochRecord, TrainingObserver } from "./observer.ts";

/** Records of epochs, beside the weights and in a run's `epochs.jsonl`. Each names its version: a line of such a file may stand alone. */
const epochLogFormat: FileFormat = { name: "epoch log format", migrations: [] };

/** A record as it is written. */
export function versioned(record: EpochRecord): EpochRecord & { format_version: number } {
  return { format_version: latestVersion(epochLogFormat), ...record };
}

/** What an epoch's metric is called; its values are `mean` and `dex` of an `EpochRecord`. */
export const metricNames = { relative: "mean relative error", dex: "mean error, dex" } as const;

/** The metric that chose the best epoch: `metric` repeats one of the two errors. Earlier logs lack it; they were chosen by the relative error. */
export function metricOf(
  records: readonly Partial<Pick<EpochRecord, "metric" | "mean" | "dex">>[],
): "relative" | "dex" {
  const isDex = ({ metric, mean, dex }: (typeof records)[number]): boolean =>
    metric !== undefined && metric === dex && metric !== mean;
  return records.some(isDex) ? "dex" : "relative";
}

/** What each version of an epoch's record has; a value that is no finite number is null in JSON. */
const commonParts = z.looseObject({
  epoch: z.int(),
  mean: z.number().nullable(),
  train_loss: z.looseObject({ total: z.number().nullable() }),
});

/** An epoch's record, as read. @throws DataError naming the version where it is newer, or a bad key */
export function epochRecord(value: unknown, where: string): EpochRecord {
  checkEpochVersions([value], where);
  checkedContent(commonParts, value, { where, fix: "restore the log of the epochs, or train again" });
  return value as EpochRecord;
}

/**
 * Makes sure that records, as read, can be understood. Records without a version are accepted; entries that are not records are skipped.
 * @throws DataError naming the version where one is newer, or none
 */
export function checkEpochVersions(records: readonly unknown[], where: string): void {
  for (const record of records) {
    const version = (record as { format_version?: unknown } | null)?.format_version;
    if (version !== undefined) checkVersion(epochLogFormat, version, where, (what, hint) => new DataError(what, hint));
  }
}

/**
 * Passes everything on to `next`, and writes the list of the epochs as JSON beside the weights after each of them.
 * @param done  the epochs of a resumed training that it had done before
 */
export function loggingObserver(
  path: string | null,
  next: TrainingObserver,
  done: readonly EpochRecord[] = [],
): TrainingObserver {
  const records: object[] = done.map(versioned);
  const write = (): void => writeFileAtomic(path!, `${JSON.stringify(records, null, 1)}\n`);
  // It may be the log of another training by now, or one epoch behind.
  if (path !== null && done.length > 0) write();
  return {
    epochStarted: (...args) => next.epochStarted?.(...args),
    batchDone: (...args) => next.batchDone?.(...args),
    validationStarted: (...args) => next.validationStarted?.(...args),
    note: (...args) => next.note?.(...args),
    epochEnded(record) {
      records.push(versioned(record));
      if (path !== null) write();
      next.epochEnded?.(record);
    },
  };
}

/** `weights/grav/autoencoder.safetensors` → `weights/grav/autoencoder.json`. */
export function epochLogPath(weights: string): string {
  return `${weights.replace(/\.safetensors$/, "")}.json`;
}
