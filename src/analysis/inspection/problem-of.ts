import type { AstrochemError } from "../../errors.ts";

/** An error as an entry of a report: what is wrong and how to mend it, without the place, which the report has. */
export function problemOf(error: AstrochemError): string {
  const [what, ...hints] = error.message.split("\n");
  const fix = hints.find((line) => line.startsWith("  fix  "));
  return fix === undefined ? what! : `${what}; ${fix.slice("  fix  ".length)}`;
}
