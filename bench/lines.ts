import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createInterface } from "node:readline";

/** A process that answers each line with one. */
export class Lines {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(process: ChildProcessWithoutNullStreams) {
    this.#process = process;
    process.stderr.pipe(globalThis.process.stderr);
    this.#lines = createInterface(process.stdout)[Symbol.asyncIterator]();
  }

  async ask(line: string): Promise<string> {
    this.#process.stdin.write(`${line}\n`);
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("the process has ended");
    return value;
  }

  stop(): void {
    this.#process.kill();
  }
}
