import { closeSync, openSync, writeSync } from "node:fs";
import { styleText } from "node:util";
import { type DestinationStream, type Logger, multistream, pino } from "pino";
import { prettyFactory } from "pino-pretty";
import { printable } from "./printable.ts";
import { forTerminal, withShortPaths } from "./report-lines.ts";
import type { StatusLine } from "./status-line.ts";

export type { Logger } from "pino";

/** Where the log of a run goes. */
export interface LoggingOptions {
  /** Every line as JSON. */
  readonly file: string;
  /** The same for people, on stderr. */
  readonly statusLine: StatusLine;
  /** Paths below it are short in a terminal. */
  readonly cwd: string;
  readonly debug: boolean;
  readonly now: () => Date;
}

/** A run's loggers, and the way to close the file. */
export interface RunLogger {
  /** To the file and to the user. */
  readonly log: Logger;
  /** To the file only. */
  readonly file: Logger;
  close(): void;
}

/**
 * Opens the log of a run: JSON in `file`, short lines on stderr, coloured on a terminal. Both are written synchronously, so that
 * a crash keeps its last lines.
 */
export function openLog(options: LoggingOptions): RunLogger {
  const level = options.debug ? "debug" : "info";
  const file = new LogFile(options);
  const streams = multistream([
    { level, stream: file },
    { level, stream: linesForPeople(options) },
  ]);
  const settings = { level, base: null, timestamp: () => `,"time":"${options.now().toISOString()}"` };
  return { log: pino(settings, streams), file: pino(settings, file), close: () => file.close() };
}

/** The file of a log. A run that can do its work is not given up because it cannot tell of it: that is said, once. */
class LogFile implements DestinationStream {
  readonly #options: LoggingOptions;
  #descriptor: number | null;

  constructor(options: LoggingOptions) {
    this.#options = options;
    this.#descriptor = openSync(options.file, "a");
  }

  write(line: string): void {
    if (this.#descriptor === null) return;
    try {
      writeSync(this.#descriptor, line);
    } catch (error) {
      this.close();
      const { file, statusLine } = this.#options;
      statusLine.log.write(`warning: the log ends here, ${file} cannot be written: ${(error as Error).message}\n`);
    }
  }

  close(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = null;
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** Lines made in this process, not in a worker, whose last ones a crash would lose. Details stay in the file but for `debug`. */
function linesForPeople({ statusLine, debug, cwd }: LoggingOptions): DestinationStream {
  const render = statusLine.isTerminal
    ? prettyFactory({
        colorize: styleText("bold", "x", { stream: process.stderr }) !== "x",
        translateTime: "SYS:HH:MM:ss",
        singleLine: true,
        hideObject: !debug,
      })
    : (line: string) => plainLine(line, debug);
  // pino-pretty leaves the line open where it hides the details.
  const columns = statusLine.isTerminal ? statusLine.width : undefined;
  const near = statusLine.isTerminal ? cwd : null;
  return {
    write: (line) => statusLine.log.write(`${forTerminal(render(shownLine(line, near)).trimEnd(), { columns })}\n`),
  };
}

/** Within JSON control characters are escaped; those that come out again are to be seen, not obeyed. */
function shownLine(line: string, cwd: string | null): string {
  const { msg, ...rest } = JSON.parse(line) as { msg?: string };
  return msg === undefined ? line : JSON.stringify({ ...rest, msg: printable(withShortPaths(msg, cwd)) });
}

const levelNames: Readonly<Record<number, string>> = { 20: "debug: ", 40: "warning: ", 50: "error: ", 60: "error: " };

/** `message`, with its level before it where that is not the usual one. */
function plainLine(line: string, withDetails: boolean): string {
  const { level, time, msg, ...details } = JSON.parse(line) as { level: number; time: string; msg?: string };
  const appended = withDetails && Object.keys(details).length > 0 ? ` ${JSON.stringify(details)}` : "";
  return `${levelNames[level] ?? ""}${msg ?? ""}${appended}`;
}
