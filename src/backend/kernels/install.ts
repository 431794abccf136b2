import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import { writeFileAtomic } from "../../formats/atomic-file.ts";
import { soundFile } from "../../formats/checked-content.ts";
import { withLock } from "../../formats/lock.ts";
import { otherCommand } from "../native/paths.ts";
import { runTool, type ToolSurroundings } from "../native/run-tool.ts";
import type { Unavailable } from "../native/start.ts";
import { addonSource } from "./addon-source.ts";
import { type Compilation, type Compiler, compiled, findCompiler, processor } from "./compile.ts";

/** An installation that was checked: the addon, and what compiles kernels for it. */
export interface InstalledKernels {
  readonly folder: string;
  readonly addon: string;
  readonly compiler: Compiler;
}

export interface KernelsReport extends InstalledKernels {
  readonly kind: "kernels";
  /** Seconds it took; 0 where everything was there. */
  readonly seconds: number;
}

const markerName = "installed.json";
const markerSchema = z.object({
  addon: z.string(),
  processor: z.string(),
  compiler: z.object({ command: z.string(), version: z.string() }),
});
/** What `install` and the engine write there. */
const ours = /^(installed\.json|(addon|kernel)-[0-9a-f]{32}\.(c|so|node))/;

/** Where compiled kernels are, below the cache folder. */
export function kernelsFolder(cache: string): string {
  return join(cache, "native", "kernels");
}

/**
 * Builds the addon with the machine's C compiler and checks it in a process of its own. A second call finds it there.
 * @throws ConfigError without a compiler, or with what it said
 */
export async function installKernels(
  cache: string,
  { say, ...surroundings }: ToolSurroundings & { readonly say: (message: string) => void },
): Promise<KernelsReport> {
  const folder = kernelsFolder(cache);
  makeFolder(folder);
  const wait = { log: say, signal: surroundings.signal };
  return withLock(`${folder}.lock`, { holder: otherCommand, wait }, async () => {
    const start = performance.now();
    const compiler = await findCompiler(surroundings);
    const before = installedKernels(cache);
    const isSame = ({ command, version }: Compiler): boolean =>
      command === compiler.command && version === compiler.version;
    const known = !("why" in before) && isSame(before.compiler) ? before : null;
    if (!known) say(`compiling the addon with ${compiler.version}`);
    const compile = { ...surroundings, folder, compiler };
    const addon = await currentAddon(compile);
    if (known?.addon === addon) return { kind: "kernels", ...known, seconds: 0 };
    const kernel = await compiled({ ...compile, kind: "kernel", text: checkKernel });
    await check(addon, kernel, surroundings);
    // The last thing: what has this marker is whole.
    const marker = { addon: addon.slice(folder.length + 1), compiler, processor: processor() };
    writeFileAtomic(join(folder, markerName), `${JSON.stringify(marker, null, 2)}\n`);
    const seconds = Math.round((performance.now() - start) / 100) / 10;
    return { kind: "kernels", folder, addon, compiler, seconds };
  });
}

/** The addon of this version of the program, compiled where an earlier one installed another. @throws ConfigError */
export function currentAddon(where: Omit<Compilation, "kind" | "text">): Promise<string> {
  return compiled({ ...where, kind: "addon", text: addonSource });
}

/** What is installed below that cache folder, as far as its files tell. */
export function installedKernels(cache: string): InstalledKernels | Unavailable {
  const folder = kernelsFolder(cache);
  const fix = "astrochem backend install kernels";
  const marker = soundFile(markerSchema, join(folder, markerName));
  if (marker === null) return { why: "no compiled kernels are installed", fix };
  const addon = join(folder, marker.addon);
  if (marker.processor !== processor()) return { why: "the kernels were compiled for another processor", fix };
  if (existsSync(addon)) return { folder, addon, compiler: marker.compiler };
  return { why: "the addon of the compiled kernels is gone", fix };
}

/** Deletes what `install` and the engine made there, the marker first. */
export async function removeKernels(
  cache: string,
): Promise<{ kind: "kernels"; folder: string; removed: boolean; left: readonly string[] }> {
  const folder = kernelsFolder(cache);
  if (!existsSync(folder)) return { kind: "kernels", folder, removed: false, left: [] };
  return withLock(`${folder}.lock`, { holder: otherCommand }, async () => {
    rmSync(join(folder, markerName), { force: true });
    for (const name of readdirSync(folder)) if (ours.test(name)) rmSync(join(folder, name), { force: true });
    const left = readdirSync(folder);
    if (left.length === 0) rmdirSync(folder);
    return { kind: "kernels", folder, removed: true, left };
  });
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const fix = "give another folder with --prefix";
    throw new ConfigError(`the folder cannot be made: ${(error as Error).message}`, { where: folder, fix });
  }
}

/** y = w0 x + w1 for each row. */
const checkKernel = `#include <stddef.h>
void sg_sizes(size_t *most, size_t *least)
{
  *most = 4;
  *least = 2;
}

void sg_kernel(const float *weights, size_t row, size_t end, size_t steps, const float *const *in, float *const *out)
{
  for (; row < end; row++) out[0][row] = weights[0] * in[0][row] + weights[1] + (float)steps;
}
`;

/** In a process of its own, which an addon that does not fit would end. */
const program = `const [addon, path] = process.argv.slice(1);
const { load, run } = require(addon);
const kernel = load(path, Float32Array.of(2, 1));
const [x, y, z] = [Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9), new Float32Array(9), new Float32Array(9)];
run(kernel, [x, y], 1, 9, 10, 2, true);
run(kernel, [x, z], 1, 9, 10, 2, false).then(() => console.log([...y, ...z].join()));`;

async function check(addon: string, kernel: string, surroundings: ToolSurroundings): Promise<void> {
  const expected = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((x) => 2 * x + 11);
  const result = await runTool(process.execPath, ["-e", program, addon, kernel], {
    ...surroundings,
    timeoutSeconds: 60,
  });
  if (result.ok && result.stdout.trim() === [...expected, ...expected].join()) return;
  const said = result.stderr.split("\n").find((line) => /Error/.test(line)) ?? result.ended;
  throw new ConfigError(`the addon was compiled, but does not work: ${said.trim() || result.stdout.trim()}`, {
    where: addon,
    fix: "name another compiler in the variable CC, or do without: everything runs as before",
  });
}
