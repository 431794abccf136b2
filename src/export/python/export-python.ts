import { join, resolve } from "node:path";
import { writeFileAtomic } from "../../formats/atomic-file.ts";
import { checkVectors } from "../c/check-vectors.ts";
import type { ExportCRequest, ExportCSummary } from "../c/export-c.ts";
import { checkName } from "../c/export-c.ts";
import { partProgram, surrogateParts } from "../c/parts.ts";
import { withModels } from "../source-models.ts";
import { pythonModule } from "./module.ts";
import { PythonTables, pythonFunction } from "./numpy-emit.ts";

/**
 * Writes the surrogate as one Python file on numpy alone, with a check of its own. Nothing is run here.
 * @throws ConfigError, CheckpointError; DataError where the file cannot be written
 */
export async function exportPython(request: ExportCRequest, log: (message: string) => void): Promise<ExportCSummary> {
  const { name } = request;
  checkName(name);
  return await withModels(request, log, async (models, inference) => {
    const { about, parts, carried } = surrogateParts(name, models);
    const tables = new PythonTables();
    const functions = parts.map(([word, part]) => pythonFunction(word, partProgram(part), tables));
    const vectors = await checkVectors(about, models, inference);
    const text = pythonModule(about, carried, functions, tables, vectors);
    const folder = resolve(request.cwd, request.output);
    const path = join(folder, `${name}.py`);
    writeFileAtomic(path, text);
    const { species, latents, carry, conditions } = about;
    return {
      ...{ folder, name, files: [{ path, bytes: Buffer.byteLength(text) }] },
      ...{ species: species.length, parameters: conditions.map((each) => each.name), latents, carry },
    };
  });
}
