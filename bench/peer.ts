import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { createInterface } from "node:readline";

/** The peer process: PyTorch, driven line by line. */
export class Peer {
  readonly version: string;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  private constructor(python: string, version: string) {
    this.version = version;
    this.#process = spawn(python, [new URL("peer.py", import.meta.url).pathname]);
    this.#process.stderr.pipe(process.stderr);
    this.#lines = createInterface(this.#process.stdout)[Symbol.asyncIterator]();
  }

  /** Starts the peer; null, with the reason on stderr, where that Python has no PyTorch. */
  static start(python: string): Peer | null {
    const found = spawnSync(python, ["-c", "import torch; print(torch.__version__)"], { encoding: "utf8" });
    if (found.status === 0) return new Peer(python, found.stdout.trim());
    process.stderr.write(`no peer: ${python} cannot import torch; see bench/README.md\n`);
    return null;
  }

  /** @returns milliseconds of each repetition */
  async run(request: { case: string; batch: number; steps: number; threads: number; runs: number }): Promise<number[]> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the peer has ended");
    return JSON.parse(value).milliseconds;
  }

  stop(): void {
    this.#process.kill();
  }
}
