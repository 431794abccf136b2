import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { ConfigError } from "../../errors.ts";
import { beginFile, writeFileAtomic } from "../../formats/atomic-file.ts";
import type { Environment } from "../native/paths.ts";
import { runTool, type ToolSurroundings } from "../native/run-tool.ts";

/** A C compiler, and what it says it is. */
export interface Compiler {
  readonly command: string;
  readonly version: string;
}

const flags = ["-std=c99", "-O3", "-march=native", "-ffp-contract=fast", "-fPIC", "-shared", "-fvisibility=default"];
/** What an addon calls is in the program that loads it. */
const flagsOfAddon = process.platform === "darwin" ? ["-undefined", "dynamic_lookup"] : [];
/** A rollout of the largest model takes seconds. */
const timeoutSeconds = 600;

/** The machine's C compiler: `CC`, else `cc`. @throws ConfigError where there is none */
export async function findCompiler(surroundings: ToolSurroundings): Promise<Compiler> {
  const given = surroundings.env.CC?.trim() || "cc";
  const [named, args] = wordsOf(given);
  // Runs are called from other folders.
  const program = named.includes("/") ? resolve(named) : named;
  const command = [program, ...args].join(" ");
  const asked = [...args, "--version"];
  const { ok, stdout, ended } = await runTool(program, asked, { ...surroundings, timeoutSeconds: 60 });
  if (ok) return { command, version: stdout.split("\n")[0]!.trim() };
  throw new ConfigError(`no C compiler was found: \`${command} --version\` failed (${ended.trim()})`, {
    where: "CC",
    fix: "install gcc or clang (Debian: apt-get install gcc libc6-dev), or name one in the variable CC",
  });
}

/** A command as `make` takes it: `ccache gcc -m64`; but a file may have blanks in its name. */
function wordsOf(command: string): [program: string, args: string[]] {
  if (existsSync(command)) return [command, []];
  const [program, ...args] = command.split(/\s+/) as [string, ...string[]];
  return [program, args];
}

/** What is compiled, and into what. */
export interface Compilation extends ToolSurroundings {
  readonly folder: string;
  readonly kind: "addon" | "kernel";
  readonly text: string;
  readonly compiler: Compiler;
}

/**
 * A library of that source, from the cache or compiled now. Its name holds a digest of all that it depends on, and it appears whole:
 * processes that compile the same at a time do no harm to each other.
 * @throws ConfigError with what the compiler said
 */
export async function compiled({ folder, kind, text, compiler, env, signal }: Compilation): Promise<string> {
  const [program, own] = wordsOf(compiler.command);
  const name = `${kind}-${digest([text, compiler.version, [...own, ...flags].join(" "), processor()])}`;
  const path = join(folder, `${name}.${kind === "addon" ? "node" : "so"}`);
  if (existsSync(path)) return path;
  const source = join(folder, `${name}.c`);
  writeFileAtomic(source, text);
  const file = beginFile(path);
  try {
    const args = [...own, ...flags, ...(kind === "addon" ? flagsOfAddon : []), source, "-o", file.temporaryPath];
    const libraries = kind === "addon" ? ["-lpthread", "-ldl"] : ["-lm"];
    const result = await runTool(program, [...args, ...libraries], { env, signal, timeoutSeconds });
    if (!result.ok) {
      const said = result.stderr.split("\n").find((line) => /error|not found|cannot/i.test(line)) ?? result.ended;
      throw new ConfigError(`\`${compiler.command}\` cannot compile the ${kind}: ${said.trim().slice(0, 300)}`, {
        where: source,
        fix: "see what it says with that file; another compiler can be named in the variable CC",
      });
    }
    file.commit();
  } finally {
    file.discard();
  }
  return path;
}

function digest(parts: readonly string[]): string {
  return createHash("sha256").update(parts.join("\n\0")).digest("hex").slice(0, 32);
}

let thisProcessor: string | undefined;

/** What `-march=native` depends on: a cache may be shared by machines of several kinds. The file is long where there are many cores: once. */
export function processor(): string {
  thisProcessor ??= foundProcessor();
  return thisProcessor;
}

function foundProcessor(): string {
  try {
    return /^(flags|Features)\s*:.*$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))![0];
  } catch {
    return `${cpus()[0]?.model} ${process.arch}`;
  }
}

/** The environment of compilers that the engine calls. */
export function ownSurroundings(env: Environment = process.env): ToolSurroundings {
  return { env, signal: new AbortController().signal };
}
