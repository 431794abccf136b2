import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./buffers.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Node's arguments for the program. */
export const program = process.env.ASTROCHEM_SKIP_BUILD
  ? ["--import", import.meta.resolve("tsx"), join(root, "src/cli.ts")]
  : [join(root, "dist/cli.js")];

/** A child that is killed if it does not end by itself. */
export function run(args: readonly string[]): Promise<{ code: unknown; stderr: string }> {
  return new Promise((done) => {
    const options = { cwd: temporaryFolder(), timeout: 60_000, killSignal: "SIGKILL" as const };
    execFile(process.execPath, [...program, ...args], options, (error, _, stderr) => {
      done({ code: error?.killed ? "never ended" : (error?.code ?? 0), stderr });
    });
  });
}
