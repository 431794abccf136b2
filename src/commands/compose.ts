import type { LoadedConfig } from "../config/load.ts";
import { ConfigError } from "../errors.ts";
import type { Command, CommandContext } from "./command.ts";

/**
 * Composes the configuration of a command from its files and the overrides.
 * @throws ConfigError telling every problem at once
 */
export async function composeConfig(command: Command, context: CommandContext): Promise<LoadedConfig> {
  if (command.config === undefined) throw new ConfigError(`${context.command} has no configuration`);
  const { loadConfig } = await import("../config/load.ts");
  const { overrides, configDirs, cwd, env, now } = context;
  return loadConfig({ root: command.config.root, overrides: [...overrides], configDirs: [...configDirs], cwd, env, now: now() });
}
