import { DataError } from "../errors.ts";
import { checkVersion, type FileFormat } from "./format-version.ts";

/** The files of a run's folder; environment.json and summary.json name their version. */
export const runFormat: FileFormat = { name: "run format", migrations: [] };

/**
 * Makes sure that environment.json or summary.json, as read, can be understood. Those of before the versions were named are.
 * @throws DataError naming the version where it is newer, or none
 */
export function checkRunVersion(document: unknown, where: string): void {
  const version = (document as { format_version?: unknown } | null)?.format_version;
  if (version !== undefined) checkVersion(runFormat, version, where, (what, hint) => new DataError(what, hint));
}
