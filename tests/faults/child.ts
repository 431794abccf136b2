import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));
const injection = new URL("./inject.mjs", import.meta.url).href;

/** A write that fails, or a folder that is gone: see inject.mjs. */
export interface Fault {
  readonly at?: number;
  readonly code?: string;
  readonly stays?: boolean;
}

export interface Disturbance {
  /** SIGKILL after so many milliseconds. */
  readonly kill_ms?: number | undefined;
  readonly fault?: Fault;
}

export interface Ended {
  /** Null where it was killed. */
  readonly code: number | null;
  readonly stderr: string;
  readonly ms: number;
  /** Writes that were counted, where a fault was given. */
  readonly writes: number;
}

/** Runs the built program in `cwd`. */
export function run(words: readonly string[], cwd: string, { kill_ms, fault }: Disturbance = {}): Promise<Ended> {
  const { NO_COLOR, FORCE_COLOR, ...env } = process.env;
  const preload = fault ? ["--import", injection] : [];
  const started = performance.now();
  const child = spawn(process.execPath, [...preload, program, ...words], {
    cwd,
    env: { ...env, ...(fault ? { FAULT: JSON.stringify(fault) } : {}) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const timer = kill_ms === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), kill_ms);
  return new Promise((done) => {
    child.on("close", (code) => {
      clearTimeout(timer);
      const writes = Number(/\nwrites: (\d+)\n/.exec(stderr)?.[1] ?? 0);
      done({ code, stderr, ms: performance.now() - started, writes });
    });
  });
}
