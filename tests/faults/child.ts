import { spawn } from "node:child_process";
import { join } from "node:path";
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
  /** SIGKILL after so many milliseconds; `sinceWork`: from the moment when the start is over and the work begins. */
  readonly kill?: { readonly ms: number; readonly sinceWork: boolean } | undefined;
  readonly fault?: Fault;
}

export interface Ended {
  /** Null where it was killed. */
  readonly code: number | null;
  readonly stderr: string;
  readonly ms: number;
  /** From the moment when a training began with its steps; null where it did not. */
  readonly work_ms: number | null;
  /** Writes that were counted, where a fault was given. */
  readonly writes: number;
}

/** The last line before the first step of a training. */
const workBegins = /^validation (rows|windows): /m;

/** Runs the built program in `cwd`. */
export function run(words: readonly string[], cwd: string, { kill, fault }: Disturbance = {}): Promise<Ended> {
  const { NO_COLOR, FORCE_COLOR, ...env } = process.env;
  const preload = fault ? ["--import", injection] : [];
  const started = performance.now();
  const child = spawn(process.execPath, [...preload, program, ...words], {
    cwd,
    // Whatever is installed on this machine meanwhile computes the last digits in another way.
    env: { ...env, ASTROCHEM_CACHE: join(cwd, "cache"), ...(fault ? { FAULT: JSON.stringify(fault) } : {}) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let stderr = "";
  let timer: NodeJS.Timeout | undefined;
  let worked: number | null = null;
  const killIn = (ms: number): void => {
    timer = setTimeout(() => child.kill("SIGKILL"), ms);
  };
  if (kill && !kill.sinceWork) killIn(kill.ms);
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
    if (worked !== null || !workBegins.test(stderr)) return;
    worked = performance.now();
    if (kill?.sinceWork) killIn(kill.ms);
  });
  return new Promise((done) => {
    child.on("close", (code) => {
      clearTimeout(timer);
      const writes = Number(/\nwrites: (\d+)\n/.exec(stderr)?.[1] ?? 0);
      const now = performance.now();
      done({ code, stderr, ms: now - started, work_ms: worked === null ? null : now - worked, writes });
    });
  });
}
