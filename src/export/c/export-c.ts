import { join, resolve } from "node:path";
import { ConfigError } from "../../errors.ts";
import { writeFileAtomic } from "../../formats/atomic-file.ts";
import { withModels } from "../source-models.ts";
import { cmakeFile, makefile } from "./build-files.ts";
import { checkC } from "./check-c.ts";
import { checkFortran } from "./check-fortran.ts";
import { checkVectors } from "./check-vectors.ts";
import { fortranModule } from "./fortran.ts";
import { fortranLines } from "./fortran-lines.ts";
import { headerFile } from "./header.ts";
import { readmeFile } from "./readme.ts";
import { cSurrogate } from "./source.ts";

/** What to export as source, from what, and where to. Relative paths start from `cwd`. */
export interface ExportCRequest {
  readonly cwd: string;
  /** Prefix of all names, and the name of the files. */
  readonly name: string;
  /** The folder. */
  readonly output: string;
  readonly threads?: number | undefined;
  readonly autoencoder: string;
  readonly emulator: string;
}

/** What was written. */
export interface ExportCSummary {
  readonly folder: string;
  readonly name: string;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
  readonly species: number;
  readonly parameters: readonly string[];
  readonly latents: number;
  readonly carry: number;
}

/** The names of the files, in the order of writing. */
export function filesOfC(name: string): string[] {
  return [`${name}.h`, `${name}.c`, `${name}.f90`, "check.c", "check.f90", "Makefile", "CMakeLists.txt", "README.md"];
}

/** @throws ConfigError for a prefix that C or Fortran would not take */
export function checkName(name: string): void {
  if (/^[a-z][a-z0-9_]{0,39}$/.test(name)) return;
  throw new ConfigError(`--name is ${JSON.stringify(name)}, which cannot begin the names of functions`, {
    where: "--name",
    fix: "give up to 40 small letters, digits and underscores, a letter first",
  });
}

/**
 * Writes the surrogate as source in C99 and Fortran 2003, with a check of its own. Nothing is compiled here.
 * @throws ConfigError, CheckpointError; DataError where a file cannot be written
 */
export async function exportC(request: ExportCRequest, log: (message: string) => void): Promise<ExportCSummary> {
  const { name } = request;
  checkName(name);
  return await withModels(request, log, async (models, inference) => {
    const { about, source } = cSurrogate(name, models);
    const vectors = await checkVectors(about, models, inference);
    const texts = [
      headerFile(about),
      source,
      fortranLines(fortranModule(about)),
      checkC(about, vectors),
      fortranLines(checkFortran(about, vectors)),
      makefile(name),
      cmakeFile(name),
      readmeFile(about),
    ];
    const folder = resolve(request.cwd, request.output);
    const files = filesOfC(name).map((file, k) => {
      const path = join(folder, file);
      writeFileAtomic(path, texts[k]!);
      return { path, bytes: Buffer.byteLength(texts[k]!) };
    });
    const parameters = about.conditions.map((each) => each.name);
    const { species, latents, carry } = about;
    return { folder, name, files, species: species.length, parameters, latents, carry };
  });
}
