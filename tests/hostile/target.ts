import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type fc from "fast-check";

/** Something that reads what others wrote, and ways to be nasty to it. */
export interface Target<Case = unknown> {
  readonly name: string;
  /** What the cases are made from. */
  readonly cases: fc.Arbitrary<Case>;
  /** Exit codes of the errors that are a clean refusal. */
  readonly exitCodes: readonly number[];
  /**
   * Reads the case. What it returns must be right, what it throws a clean refusal.
   * @param folder  an empty folder that the cases share
   */
  readonly attack: (one: Case, folder: string) => void | Promise<void>;
}

/** Keeps the type of the cases between the two halves of a target, and forgets it outside. */
export function target<Case>(parts: Target<Case>): Target {
  return parts as unknown as Target;
}

/** Thrown by a target where a file was taken for good and what came of it is wrong. */
export class WrongResult extends Error {}

export function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new WrongResult(what);
}

/** The bytes of a file of tests/fixtures. */
export function seedBytes(name: string): Buffer {
  return readFileSync(fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url)));
}
