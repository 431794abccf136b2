import { ConfigError } from "../errors.ts";

/** Where a key of the configuration was written: a file's line and column (both from 1), or a command-line override. */
export type Place =
  | { readonly file: string; readonly line: number; readonly column: number }
  | { readonly override: string; readonly column: number };

/** `configs/config.yaml:4:3`, or `override "model.lr=fast", column 1`. */
export function formatPlace(place: Place): string {
  if ("override" in place) return `override ${JSON.stringify(place.override)}, column ${place.column}`;
  return `${place.file}:${place.line}:${place.column}`;
}

/** One thing that is wrong with the configuration. */
export interface Problem {
  readonly what: string;
  readonly place?: Place | undefined;
  readonly fix?: string | undefined;
}

/** A ConfigError about one place. */
export function configError(what: string, place?: Place, fix?: string): ConfigError {
  return new ConfigError(what, { where: place && formatPlace(place), fix });
}

/**
 * Ends the collecting of problems: nothing where there are none.
 * @throws ConfigError that lists every problem with its place and remedy
 */
export function throwProblems(problems: readonly Problem[]): void {
  const [first, ...others] = problems;
  if (!first) return;
  if (others.length === 0) throw configError(first.what, first.place, first.fix);
  const lines = problems.map(({ what, place, fix }, index) =>
    [
      `${index + 1}. ${what}`,
      place && `     at   ${formatPlace(place)}`,
      fix && `     fix  ${fix.replaceAll("\n", "\n          ")}`,
    ]
      .filter(Boolean)
      .join("\n"),
  );
  throw new ConfigError(`${problems.length} problems in the configuration\n${lines.join("\n")}`);
}
