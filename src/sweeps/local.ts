import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { guarded } from "../formats/atomic-file.ts";
import { sweepPaths, whyStopped } from "./folder.ts";
import { takeNext } from "./order.ts";

/** This program: what runs a point as a process of its own, here or on another node. */
export function programWords(): string[] {
  return [process.execPath, ...process.execArgv, process.argv[1]!];
}

export interface LocalOptions {
  /** Points at a time. */
  readonly jobs: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted: every point saves its state and ends, and none is begun. */
  readonly signal: AbortSignal;
  /** What points that take about as long have in common; absent: each is a kind of its own. */
  readonly kindOf?: (index: number) => string;
  /** Flags of `sweep run`; absent: none. */
  readonly flags?: readonly string[];
  /** A point's process has ended; null where a signal ended it. */
  readonly ended: (index: number, exitCode: number | null) => void;
}

/** Runs points as processes of this machine, their output in logs/<n>.log. */
export async function runLocally(folder: string, points: readonly number[], options: LocalOptions): Promise<void> {
  const { jobs, signal, ended, kindOf = String } = options;
  const seconds = new Map<string, number>();
  const queue = [...points];
  const isStopped = (): boolean => signal.aborted || whyStopped(folder) !== null;
  const worker = async (): Promise<void> => {
    while (!isStopped()) {
      const index = takeNext(queue, (point) => seconds.get(kindOf(point)));
      if (index === undefined) return;
      const began = performance.now();
      const code = await runProcess(folder, index, options);
      if (code === 0) seconds.set(kindOf(index), performance.now() - began);
      ended(index, code);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  signal.throwIfAborted();
}

function runProcess(folder: string, index: number, { env, signal, flags }: LocalOptions): Promise<number | null> {
  const log = sweepPaths.log(folder, index);
  const descriptor = guarded(log, () => {
    mkdirSync(dirname(log), { recursive: true });
    return openSync(log, "a");
  });
  const [program, ...words] = programWords();
  return new Promise((done, fail) => {
    const child = spawn(program!, [...words, "sweep", "run", folder, String(index), ...(flags ?? [])], {
      env,
      stdio: ["ignore", descriptor, descriptor],
      // A group of its own: the terminal's Ctrl-C comes here alone, and is passed on once. A second one would end it unsaved.
      detached: true,
    });
    closeSync(descriptor);
    const stop = (): void => void child.kill("SIGTERM");
    signal.addEventListener("abort", stop, { once: true });
    child.on("error", fail);
    child.on("exit", (code) => {
      signal.removeEventListener("abort", stop);
      done(code);
    });
  });
}
