import type { LoadedConfig } from "../config/load.ts";
import type { RootName } from "../config/schemas.ts";
import type { CommandContext } from "./command.ts";
import { say } from "./report-lines.ts";

/**
 * Composes the configuration of a command from its files and the overrides; says what is read otherwise than it is written.
 * @param from  a file that stands in for the root's: the composed configuration of an earlier run
 * @throws ConfigError telling every problem at once
 */
export async function composeConfig<R extends RootName>(
  root: R,
  context: CommandContext,
  from?: string,
): Promise<LoadedConfig<R>> {
  const loaded = await composeQuietly(root, context, from);
  for (const note of loaded.notes) say(context, note);
  return loaded;
}

/** As `composeConfig`, without a word. */
export async function composeQuietly<R extends RootName>(
  root: R,
  context: CommandContext,
  from = context.repeat?.config,
): Promise<LoadedConfig<R>> {
  const { loadConfig } = await import("../config/load.ts");
  const { overrides, configDirs, cwd, env, now } = context;
  return loadConfig({ root, overrides, configDirs, cwd, env, now: now(), from });
}
