import { spawn, spawnSync } from "node:child_process";
import { Lines } from "./lines.ts";

/** What is counted: time that passes, or that the processors work for the process. */
export type Clock = "wall" | "cpu";

/** The peer process: PyTorch, driven line by line. */
export class Peer {
  readonly version: string;
  readonly #lines: Lines;

  private constructor(python: string, version: string, clock: Clock) {
    this.version = version;
    this.#lines = new Lines(
      spawn(python, [new URL("peer.py", import.meta.url).pathname, clock], {
        env: { ...process.env, ...(clock === "cpu" && { OPENBLAS_NUM_THREADS: "1" }) },
      }),
    );
  }

  /** Starts the peer; null, with the reason on stderr, where that Python has no PyTorch. */
  static start(python: string, clock: Clock): Peer | null {
    const found = spawnSync(python, ["-c", "import torch; print(torch.__version__)"], { encoding: "utf8" });
    if (found.status === 0) return new Peer(python, found.stdout.trim(), clock);
    process.stderr.write(`no peer: ${python} cannot import torch; see bench/README.md\n`);
    return null;
  }

  /** @returns milliseconds of each repetition */
  async run(request: { case: string; batch: number; steps: number; threads: number; runs: number }): Promise<number[]> {
    return JSON.parse(await this.#lines.ask(JSON.stringify(request))).milliseconds;
  }

  stop(): void {
    this.#lines.stop();
  }
}
