import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DataError } from "../errors.ts";

/** How the place of temporary files is chosen. */
export const temporaryFolderRemedy =
  "set TMPDIR to a folder that can be written and has space: TMPDIR=/path astrochem …";

/** Makes an empty folder below TMPDIR, or below the system's folder of temporary files. @throws DataError where it cannot be made */
export function makeTemporaryFolder(purpose: string): string {
  const parent = tmpdir();
  try {
    return mkdtempSync(join(parent, `astrochem-${purpose}-`));
  } catch (cause) {
    throw new DataError(`cannot make a temporary folder in ${parent}: ${(cause as Error).message}`, {
      where: parent,
      fix: temporaryFolderRemedy,
      cause,
    });
  }
}
