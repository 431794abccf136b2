import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigError } from "../../errors.ts";
import type { NativeFolder } from "./paths.ts";
import { runTool, type ToolSurroundings } from "./run-tool.ts";
import type { CheckResult } from "./stages.ts";

/**
 * Runs check.ts on an installation.
 * @throws ConfigError with what it said
 */
export async function checkInstallation(
  { kind, root, log }: NativeFolder,
  version: string,
  surroundings: ToolSurroundings,
): Promise<CheckResult> {
  const args = [fileURLToPath(programUrl()), dirname(dirname(root)), kind];
  const result = await runTool(process.execPath, args, { ...surroundings, log, timeoutSeconds: 300 });
  if (result.ok) return JSON.parse(result.stdout.trim().split("\n").at(-1)!) as CheckResult;
  const said = result.stderr.split("\n").find((line) => /^(\w*Error\b|\S+: error while loading)/.test(line));
  const illegal = "this processor lacks instructions that it uses (SIGILL)";
  const why = result.ended === "SIGILL" ? illegal : (said ?? result.ended).trim();
  throw new ConfigError(`the addon was built, but does not work with TensorFlow ${version}: ${why}`, {
    where: log,
    fix: "see the end of that file; another TensorFlow can be given with --tensorflow DIR",
  });
}

/** The built program; run from source (in tests) the one in `dist`, because Node 20 cannot load TypeScript. */
function programUrl(): URL {
  const fromSource = import.meta.url.endsWith(".ts");
  return new URL(fromSource ? "../../../dist/backend/native/check.js" : "./check.js", import.meta.url);
}
