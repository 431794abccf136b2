import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { onTestFinished } from "vitest";
import type { CommandContext } from "../../src/commands/command.ts";
import { StatusLine } from "../../src/commands/status-line.ts";

/** A stream that keeps what is written; with `columns` it claims to be a terminal. */
export class Buffered extends Writable {
  text = "";
  readonly isTTY: boolean;
  readonly columns: number;

  constructor(columns?: number) {
    super({ decodeStrings: false });
    this.isTTY = columns !== undefined;
    this.columns = columns ?? 0;
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "astrochem-commands-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export type TestContext = CommandContext & { readonly stdout: Buffered; readonly stderr: Buffered };

/** A context in which a command may be run in this process: an empty folder, buffers, a clock that stands. */
export function testContext(changes: Partial<CommandContext> & { terminal?: number } = {}): TestContext {
  const { terminal, ...rest } = changes;
  const stderr = new Buffered(terminal);
  const now = rest.now ?? (() => new Date(2026, 10, 23, 4, 5, 6));
  return {
    command: "test",
    commandLine: ["test", "a=1"],
    args: {},
    overrides: ["a=1"],
    configDirs: [],
    cwd: rest.cwd ?? temporaryFolder(),
    env: {},
    statusLine: new StatusLine(stderr, () => now().getTime()),
    signal: new AbortController().signal,
    json: false,
    debug: false,
    ...rest,
    now,
    stdout: new Buffered(),
    stderr,
  };
}
