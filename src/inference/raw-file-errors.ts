import { dirname } from "node:path";
import { DataError } from "../errors.ts";
import { temporaryFolderRemedy } from "../formats/temporary-folder.ts";

/**
 * What went wrong while a raw file was preprocessed on the way, for a command that has no configuration: with a remedy that it has.
 * @param folder  of the temporary files
 */
export function rawFileError(error: unknown, path: string, folder: string): unknown {
  if (!(error instanceof DataError)) return error;
  const [what = "", ...lines] = error.message.split("\n");
  const hint = (label: string): string | undefined =>
    lines
      .find((line) => line.startsWith(`  ${label} `))
      ?.slice(label.length + 2)
      .trim();
  if (error.message.includes(folder)) {
    const fix = `free some space in ${dirname(folder)}, or ${temporaryFolderRemedy}`;
    return new DataError(what, { where: path, fix, cause: error });
  }
  const fix = hint("fix");
  if (fix === undefined || !/columns_to_drop|dataset/.test(fix)) return error;
  const settings = `these are settings of astrochem preprocess input_path=${path} output_path=clean.h5; then emulate clean.h5`;
  return new DataError(what, { where: hint("at"), fix: `${fix}; ${settings}`, cause: error });
}
