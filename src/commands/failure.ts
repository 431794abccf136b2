import { inspect, styleText } from "node:util";
import { AstrochemError, DataError } from "../errors.ts";
import type { OutputStream } from "./command.ts";
import { Interruption } from "./interruption.ts";
import { printable } from "./printable.ts";
import { forTerminal } from "./report-lines.ts";

/** How a failure is told. */
export interface FailureOptions {
  readonly stderr: OutputStream;
  /** Stack traces and causes for every error. */
  readonly debug: boolean;
  readonly version: string;
}

/**
 * Tells the user what went wrong: for an AstrochemError what, where and how to fix it, for anything else, which is our bug, the
 * stack too.
 * @returns the exit code
 */
export function reportFailure(error: unknown, { stderr, debug, version }: FailureOptions): number {
  if (error instanceof Interruption) {
    stderr.write(`${error.message}\n`);
    return error.exitCode;
  }
  const label = paint("red", "error:", stderr);
  const told = error instanceof AstrochemError ? error : systemError(error);
  if (told !== null) {
    const text = fitted(`error: ${withoutEndlessWords(printable(told.message))}`, stderr);
    stderr.write(`${withFaintLabels(text, stderr).replace("error:", label)}\n`);
    if (debug) stderr.write(`\n${inspect(error)}\n`);
    return told.exitCode;
  }
  stderr.write(`${label} ${inspect(error)}\n`);
  stderr.write(`  this is a bug of astrochem ${version}: please report it with these lines and what you typed\n`);
  return 1;
}

/** What the file system answers about a path is no bug: a name that is too long, a disk that fails. Null for anything else. */
function systemError(error: unknown): DataError | null {
  if (!(error instanceof Error)) return null;
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined || path === undefined) return null;
  const fix = code === "ENAMETOOLONG" ? "give a shorter path" : "check the path, its permissions and the disk";
  return new DataError(error.message, { fix });
}

/** More characters without a space are nobody's path. */
const longestWord = 1000;

function withoutEndlessWords(text: string): string {
  const cut = (word: string): string => `${word.slice(0, 100)}… (${word.length} characters)`;
  return text.replace(/\S+/g, (word) => (word.length > longestWord ? cut(word) : word));
}

/** Broken for a terminal, but for lines of code: they are there to be copied. */
function fitted(text: string, stderr: OutputStream): string {
  const isCode = (line: string): boolean => /^ {2}(?!at )/.test(line) && /=|astrochem /.test(line);
  return text
    .split("\n")
    .map((line) => (isCode(line) ? line : forTerminal(line, stderr)))
    .join("\n");
}

function withFaintLabels(message: string, stderr: OutputStream): string {
  return message.replace(
    /^( +)(at|fix)(?= {2})/gm,
    (_, indent: string, word: string) => indent + paint("cyan", word, stderr),
  );
}

/** Colour where the stream is a terminal that wants some (`NO_COLOR`, `FORCE_COLOR`). */
function paint(colour: "red" | "cyan", text: string, stream: OutputStream): string {
  return styleText(colour, text, { stream, validateStream: true });
}
