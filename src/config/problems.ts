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

/** Of problems that one error lists: a file of something else altogether has thousands. */
const mostShown = 50;

const problemsOfErrors = new WeakMap<ConfigError, Problem>();

/** A ConfigError about one place. */
export function configError(what: string, place?: Place, fix?: string): ConfigError {
  const error = new ConfigError(what, { where: place && formatPlace(place), fix: fix?.replaceAll("\n", "\n       ") });
  problemsOfErrors.set(error, { what, place, fix });
  return error;
}

/** Does `action`; the ConfigError it may throw becomes one of `problems`, so that others can still be found. */
export function attempt<T>(problems: Problem[], action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    const problem = error instanceof ConfigError && problemsOfErrors.get(error);
    if (!problem) throw error;
    problems.push(problem);
    return undefined;
  }
}

/**
 * Ends the collecting of problems: nothing where there are none.
 * @throws ConfigError that lists every problem with its place and remedy
 */
export function throwProblems(problems: readonly Problem[]): void {
  const unique = new Map(
    problems.map((problem) => [`${problem.what}\n${problem.place && formatPlace(problem.place)}`, problem]),
  );
  const [first, ...others] = unique.values();
  if (!first) return;
  if (others.length === 0) throw configError(first.what, first.place, first.fix);
  const lines = [first, ...others]
    .slice(0, mostShown)
    .map(({ what, place, fix }, index) =>
      [
        `${index + 1}. ${what}`,
        place && `     at   ${formatPlace(place)}`,
        fix && `     fix  ${fix.replaceAll("\n", "\n          ")}`,
      ]
        .filter(Boolean)
        .join("\n"),
    );
  if (unique.size > mostShown) lines.push(`and ${unique.size - mostShown} more`);
  throw new ConfigError(`${unique.size} problems in the configuration\n${lines.join("\n")}`);
}
