/** What a file holds, by key, as read: nothing in it has been checked. */
export type FileRecord = Readonly<Record<string, unknown>>;

/**
 * Turns a record of one version into one of the next. Pure. It touches what changed and passes on the rest, also what makes no sense:
 * the schema that checks the latest version reports that.
 */
export type Migration = (record: FileRecord) => FileRecord;

/** A file format that has had versions 1 to `migrations.length + 1`. */
export interface FileFormat {
  /** As errors call it: `weights format`. */
  readonly name: string;
  /** Entry n - 1 leads from version n to n + 1. Entries are added, never taken out: old files stay readable. */
  readonly migrations: readonly Migration[];
}

/** The version that this program writes. */
export function latestVersion({ migrations }: FileFormat): number {
  return migrations.length + 1;
}

/**
 * Makes sure that a file's version is one that this program reads.
 * @param found    the version that the file claims
 * @param where    the file
 * @param failure  makes the error to throw where the version is newer, or is none
 */
export function checkVersion(
  format: FileFormat,
  found: unknown,
  where: string,
  failure: (what: string, hint: { where: string; fix: string }) => Error,
): asserts found is number {
  const latest = latestVersion(format);
  if (typeof found !== "number" || !Number.isSafeInteger(found) || found < 1) {
    const got = found === undefined ? "there is none" : JSON.stringify(found).slice(0, 40);
    throw failure(`${where} names no version of the ${format.name}: ${got}`, {
      where,
      fix: "the file is damaged or was edited: restore it, or make it again",
    });
  }
  if (found <= latest) return;
  throw failure(`${where} has ${format.name} ${found}; this version reads ${latest === 1 ? "1" : `1 to ${latest}`}`, {
    where,
    fix: "use the version of astrochem that wrote it, or a newer one",
  });
}

/**
 * Brings a record to the latest version, step by step.
 * @param version  of the record, checked by `checkVersion`
 * @returns the record in the latest version, which its key `format_version` names
 */
export function migrate(format: FileFormat, record: FileRecord, version: number): FileRecord {
  const upgraded = format.migrations.slice(version - 1).reduce((at, migration) => migration(at), record);
  return { ...upgraded, format_version: latestVersion(format) };
}
