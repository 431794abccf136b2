import { spawnSync } from "node:child_process";

/** Runs Python code; what it printed. @throws with its stderr where it fails */
export function python(code: string, ...args: string[]): string {
  const result = spawnSync("python3", ["-c", code, ...args], { encoding: "utf8" });
  if (result.status !== 0) throw new Error(result.stderr || String(result.error));
  return result.stdout;
}

/** Why tests against Python cannot run here; undefined where they can. */
export function lackingPython(...modules: string[]): string | undefined {
  // Looking for them is quick, importing them is not.
  const code = "import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, sys.argv[1:])))";
  const result = spawnSync("python3", ["-c", code, ...modules]);
  return result.status === 0 ? undefined : `python3 with ${modules.join(" and ")} is not installed`;
}
