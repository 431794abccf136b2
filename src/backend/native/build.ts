import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../../errors.ts";
import { addonPackage, addonVersion, type NativeFolder } from "./paths.ts";
import { nodeHeaders } from "./requirements.ts";
import { runTool, type ToolSurroundings } from "./run-tool.ts";

/**
 * Fetches tfjs-node's sources and JavaScript, without its install script, which downloads an old TensorFlow.
 * @throws ConfigError naming the log
 */
export async function installPackage({ npm, log }: NativeFolder, surroundings: ToolSurroundings): Promise<void> {
  const part = `${npm}.${process.pid}.part`;
  mkdirSync(part, { recursive: true });
  // `npm run` gives node-gyp, which npm brings along, and the user's settings for it.
  const scripts = { headers: "node-gyp install" };
  writeFileSync(join(part, "package.json"), JSON.stringify({ name: "astrochem-native", private: true, scripts }));
  const args = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--omit=dev"];
  try {
    await npmSucceeds([...args, `${addonPackage}@${addonVersion}`], part, log, surroundings);
    removeOwnTfjs(part);
    if (nodeHeaders() === null) await npmSucceeds(["run", "headers"], part, log, surroundings);
    rmSync(npm, { recursive: true, force: true });
    renameSync(part, npm);
  } finally {
    rmSync(part, { recursive: true, force: true });
  }
}

/** The addon runs on the tfjs of this program (see load.ts): its own copy would only take space, and could be taken by mistake. */
function removeOwnTfjs(folder: string): void {
  const modules = join(folder, "node_modules");
  const own = readdirSync(join(modules, "@tensorflow")).filter((name) => `@tensorflow/${name}` !== addonPackage);
  for (const name of own) rmSync(join(modules, "@tensorflow", name), { recursive: true });
  for (const name of ["@webgpu", "core-js"]) rmSync(join(modules, name), { recursive: true, force: true });
}

/**
 * Builds the addon against a TensorFlow.
 * @param tensorflow  its folder; it is linked to, not copied: its libraries find CUDA's relative to where they are
 * @throws ConfigError naming the log
 */
export async function buildAddon(
  { addon, log }: NativeFolder,
  tensorflow: string,
  surroundings: ToolSurroundings,
): Promise<void> {
  for (const name of ["build", "lib", "deps"]) rmSync(join(addon, name), { recursive: true, force: true });
  const libraries = join(addon, "deps", "lib");
  mkdirSync(libraries, { recursive: true });
  symlinkSync(join(tensorflow, "include"), join(addon, "deps", "include"));
  // The linker asks for plain names, the loader for those with the version, which are TensorFlow's own.
  const [cc, framework] = ["libtensorflow_cc.so.2", "libtensorflow_framework.so.2"];
  const links = { "libtensorflow.so": cc, "libtensorflow_framework.so": framework, [cc]: cc, [framework]: framework };
  for (const [name, target] of Object.entries(links)) symlinkSync(join(tensorflow, target), join(libraries, name));
  const headers = nodeHeaders();
  const args = ["run", "build-addon-from-source", ...(headers === null ? [] : ["--", `--nodedir=${headers}`])];
  await npmSucceeds(args, addon, log, surroundings);
  rmSync(join(addon, "build"), { recursive: true, force: true });
  // From here on the folder itself: the loader then looks beside it, not beside a link, for what the library asks for.
  rmSync(libraries, { recursive: true });
  symlinkSync(tensorflow, libraries);
}

async function npmSucceeds(
  args: readonly string[],
  cwd: string,
  log: string,
  surroundings: ToolSurroundings,
): Promise<void> {
  const result = await runTool("npm", args, { ...surroundings, cwd, log });
  if (result.ok) return;
  throw new ConfigError(`npm ${args.slice(0, 2).join(" ")} failed: ${result.ended}`, {
    where: log,
    fix: "see the end of that file; a second call goes on where this one stopped",
  });
}
