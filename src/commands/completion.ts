import { overrideCompletions } from "../config/completions.ts";
import type { RootName } from "../config/schemas.ts";

/** Where a completion looks for configuration files. */
export interface CompletionPlace {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
}

/**
 * What an override that is being typed may become.
 * @param words  after the command, the unfinished one last; bash makes three of `key=value`, which gets values alone then
 * @returns undefined where it is no override
 */
export function completeOverride(
  words: readonly string[],
  root: RootName,
  aliases: Readonly<Record<string, string>>,
  { cwd, env, now }: CompletionPlace,
): string[] | undefined {
  const isSplit = words.at(-1) === "=" || words.at(-2) === "=";
  const joined = joinAssignments(words);
  const current = joined.at(-1) ?? "";
  if (current.startsWith("-")) return undefined;
  const before = joined.slice(0, -1);
  const configDirs = before.flatMap((word, at) => (/^--?(config-dir|cd)$/.test(word) ? (joined[at + 1] ?? []) : []));
  const overrides = before.filter((word) => /^[^-/.][^/]*=/.test(word));
  const found = overrideCompletions(current, { root, overrides, configDirs, cwd, env, now: now() });
  const short = Object.keys(aliases)
    .map((name) => `${name}=`)
    .filter((name) => name.startsWith(current));
  const all = [...found, ...(current.includes("=") ? [] : short)];
  return isSplit ? all.map((each) => each.slice(each.indexOf("=") + 1)) : all;
}

/** `dataset`, `=`, `sample` → `dataset=sample`. */
function joinAssignments(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (const [at, word] of words.entries()) {
    if (at > 0 && (word === "=" || words[at - 1] === "=")) joined.push(`${joined.pop()}${word}`);
    else joined.push(word);
  }
  return joined;
}

/** yargs' scripts, but that no space follows `model.` and `dataset=`, and that bash completes what stands behind a `=`. */
export function forOverrides(script: string): string {
  return script
    .replace(/^( +)cur_word=.*$/m, '$&\n$1[[ "$cur_word" == "=" ]] && cur_word=""')
    .replace(/^( +)return 0$/m, '$1[[ "$COMPREPLY" == *[=.] ]] && compopt -o nospace\n\n$&')
    .replace(
      "_describe 'values' reply",
      "compadd -S '' -- $" + "{(M)reply:#*[=.]}\n    reply=($" + "{reply:#*[=.]})\n    _describe 'values' reply",
    );
}
