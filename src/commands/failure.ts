import { inspect, styleText } from "node:util";
import { AstrochemError } from "../errors.ts";
import type { OutputStream } from "./command.ts";
import { Interruption } from "./interruption.ts";
import { printable } from "./printable.ts";

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
  if (error instanceof AstrochemError) {
    stderr.write(`${label} ${withFaintLabels(printable(error.message), stderr)}\n`);
    if (debug) stderr.write(`\n${inspect(error)}\n`);
    return error.exitCode;
  }
  stderr.write(`${label} ${inspect(error)}\n`);
  stderr.write(`  this is a bug of astrochem ${version}: please report it with these lines and what you typed\n`);
  return 1;
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
