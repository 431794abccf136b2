import { spawnSync } from "node:child_process";

/** Runs Python code; what it printed. @throws with its stderr where it fails */
export function python(code: string, ...args: string[]): string {
  const result = spawnSync("python3", ["-c", code, ...args], { encoding: "utf8" });
  if (result.status !== 0) throw new Error(result.stderr || String(result.error));
  return result.stdout;
}

/** Why tests against Python cannot run here; undefined where they can. */
export function lackingPython(...modules: string[]): string | undefined {
  const result = spawnSync("python3", ["-c", modules.map((name) => `import ${name}`).join("\n")], { encoding: "utf8" });
  return result.status === 0 ? undefined : `python3 with ${modules.join(" and ")} is not installed`;
}
