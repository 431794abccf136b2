/** What an error knows beside its first line: the place, the remedy, the cause. */
export interface ErrorHint {
  /** The place: `file:line:column`, a dataset key, a row and column. */
  where?: string | undefined;
  /** What the user can do about it. */
  fix?: string | undefined;
  cause?: unknown;
}

/** Base of every error that is the user's to mend: says what, where and how to fix, and carries the exit code. */
export abstract class AstrochemError extends Error {
  abstract readonly exitCode: number;
  constructor(what: string, hint: ErrorHint = {}) {
    const lines = [what, hint.where && `  at   ${hint.where}`, hint.fix && `  fix  ${hint.fix}`];
    super(lines.filter(Boolean).join("\n"), hint.cause === undefined ? undefined : { cause: hint.cause });
    this.name = new.target.name;
  }
}

/** Wrong usage or configuration. */
export class ConfigError extends AstrochemError {
  readonly exitCode = 2;
}

/** Input data that is missing, damaged or makes no sense; a file that cannot be written. */
export class DataError extends AstrochemError {
  readonly exitCode = 3;
}

/** Weights or checkpoints that are missing, damaged or do not fit. */
export class CheckpointError extends AstrochemError {
  readonly exitCode = 4;
}

/** Arithmetic that went wrong: a loss that is no longer finite. */
export class NumericsError extends AstrochemError {
  readonly exitCode = 5;
}

/** Runs of a sweep that failed: told elsewhere; the sweep ends with the exit code of the first. */
export class SweepError extends AstrochemError {
  readonly exitCode: number;
  constructor(what: string, exitCode: number, hint: ErrorHint = {}) {
    super(what, hint);
    this.exitCode = exitCode;
  }
}

/**
 * The candidate nearest to a misspelt word, for "did you mean".
 * @returns the candidate at the least edit distance, or undefined where none is near (more than a third of the word off)
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** The candidate that is the same word but for case and spaces around it, however short. */
export function sameButForCase(word: string, candidates: Iterable<string>): string | undefined {
  const folded = word.trim().toLowerCase();
  for (const candidate of candidates) if (candidate.trim().toLowerCase() === folded) return candidate;
  return undefined;
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(substitution, previous[j]! + 1, row[j - 1]! + 1));
    }
    previous = row;
  }
  return previous[b.length]!;
}
