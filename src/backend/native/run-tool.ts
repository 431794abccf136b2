import { spawn } from "node:child_process";
import { createWriteStream } from "node:fs";
import type { Environment } from "./paths.ts";

/** What a tool runs in. */
export interface ToolSurroundings {
  readonly env: Environment;
  readonly signal: AbortSignal;
}

export interface ToolOptions extends ToolSurroundings {
  readonly cwd?: string;
  /** A file that everything said is added to. */
  readonly log?: string;
  readonly timeoutSeconds?: number;
}

export interface ToolResult {
  /** Exit code 0. */
  readonly ok: boolean;
  /** Why it ended, where not by itself with 0. */
  readonly ended: string;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program to its end. It and its children make a process group of their own, which ends with the signal or this process:
 * a compiler must not go on writing after the lock is given back.
 */
export async function runTool(command: string, args: readonly string[], options: ToolOptions): Promise<ToolResult> {
  const { signal, timeoutSeconds, log } = options;
  signal.throwIfAborted();
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...options.env },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const file = log === undefined ? null : createWriteStream(log, { flags: "a" });
  // A full disk fails the tool itself, with a better message.
  file?.on("error", () => {});
  file?.write(`\n$ ${[command, ...args].join(" ")}\n`);
  const texts = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8");
    child[name].on("data", (chunk: string) => {
      texts[name] = (texts[name] + chunk).slice(-65_536);
      file?.write(chunk);
    });
  }
  const end = (): void => endGroup(child.pid);
  let late = false;
  const timer =
    timeoutSeconds === undefined
      ? undefined
      : setTimeout(() => {
          late = true;
          end();
        }, timeoutSeconds * 1000);
  signal.addEventListener("abort", end);
  process.once("exit", end);
  try {
    const [code, killedBy, failure] = await new Promise<[number | null, string | null, Error | null]>((done) => {
      child.once("error", (error) => done([null, null, error]));
      child.once("close", (status, name) => done([status, name, null]));
    });
    signal.throwIfAborted();
    const ended = failure?.message ?? (late ? `no end after ${timeoutSeconds} s` : (killedBy ?? `exit code ${code}`));
    return { ok: code === 0, ended, ...texts };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    process.off("exit", end);
    await new Promise<void>((done) => (file === null ? done() : file.end(done)));
  }
}

function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGTERM");
  } catch {
    // It has ended already.
  }
}
