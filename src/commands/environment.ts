import { existsSync, readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import { packageFolder } from "../config/paths.ts";
import { checkedJson } from "../formats/checked-content.ts";
import { packageVersion } from "../version.ts";

/** What computes, as a run tells it. */
export interface Backend {
  readonly name: string;
  readonly reason: string;
  readonly threads?: number;
}

/** Where and with what a run was made; in its folder as `environment.json`. */
export interface Environment {
  command: string;
  started_at: string;
  /** As typed, `astrochem` first. */
  command_line: readonly string[];
  overrides: readonly string[];
  /** Flags and positionals by name. */
  flags: Readonly<Record<string, unknown>>;
  cwd: string;
  seed: number | null;
  /** The compute backend and why it was chosen; null in runs that compute nothing. */
  backend: Backend | null;
  /** What a training was made from: hashes of its data and of the autoencoder, seed, sizes. */
  inputs?: Readonly<Record<string, unknown>>;
  astrochem: string;
  /** Commit of the checkout that runs; null where it is installed as a package. */
  git_commit: string | null;
  node: string;
  packages: Record<string, string>;
  platform: string;
  cpu: { model: string; count: number };
  memory_gb: number;
  /** The same of each time that the run went on. */
  sessions?: readonly Omit<Environment, "command">[];
}

/** What is read of a run's environment.json when the run is repeated; what is not needed may be absent. */
export const earlierEnvironment = z.object({
  command: z.string().optional(),
  flags: z.record(z.string(), z.unknown()).optional(),
  inputs: z.record(z.string(), z.unknown()).optional(),
  backend: z.object({ name: z.string(), threads: z.int().optional() }).nullish(),
  cpu: z.object({ model: z.string() }),
  node: z.string(),
  astrochem: z.string(),
  packages: z.record(z.string(), z.string()),
});
export type EarlierEnvironment = z.output<typeof earlierEnvironment>;

/** The machine, the program and its packages; what the run itself knows is given. */
export function describeEnvironment(
  run: Pick<Environment, "command" | "started_at" | "command_line" | "overrides" | "flags" | "cwd" | "seed">,
): Environment {
  return {
    ...run,
    backend: null,
    astrochem: packageVersion,
    git_commit: readCommit(join(packageFolder, ".git")),
    node: process.version,
    packages: packageVersions(),
    platform: `${platform()} ${arch()} ${release()}`,
    cpu: { model: cpus()[0]?.model ?? "unknown", count: availableParallelism() },
    memory_gb: Math.round((totalmem() / 2 ** 30) * 10) / 10,
  };
}

const versions = z.record(z.string(), z.string()).optional();
const manifest = z.object({ version: z.string().optional(), dependencies: versions, optionalDependencies: versions });

function readManifest(folder: string): z.output<typeof manifest> {
  const where = join(folder, "package.json");
  return checkedJson(manifest, readFileSync(where, "utf8"), { where, fix: "install the package again: npm install" });
}

/** Versions as installed, of the packages that ours names; those that are absent are left out. */
function packageVersions(): Record<string, string> {
  const { dependencies, optionalDependencies } = readManifest(packageFolder);
  const versions: Record<string, string> = {};
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies }).sort()) {
    const folder = findPackage(name);
    if (folder !== undefined) versions[name] = readManifest(folder).version ?? "unknown";
  }
  return versions;
}

/** Looks where Node would; package.json itself is rarely among a package's exports, so it cannot be resolved. */
function findPackage(name: string): string | undefined {
  for (let folder = packageFolder; ; folder = dirname(folder)) {
    const candidate = join(folder, "node_modules", name);
    if (existsSync(join(candidate, "package.json"))) return candidate;
    if (folder === dirname(folder)) return undefined;
  }
}

/** Read from the files: starting `git` would take longer than the rest of the start. */
function readCommit(gitFolder: string): string | null {
  try {
    const head = readFileSync(join(gitFolder, "HEAD"), "utf8").trim();
    const reference = /^ref: (.+)$/.exec(head)?.[1];
    if (reference === undefined) return head;
    const loose = join(gitFolder, reference);
    if (existsSync(loose)) return readFileSync(loose, "utf8").trim();
    const packed = readFileSync(join(gitFolder, "packed-refs"), "utf8");
    return (
      packed
        .split("\n")
        .find((line) => line.endsWith(` ${reference}`))
        ?.split(" ")[0] ?? null
    );
  } catch {
    return null;
  }
}
