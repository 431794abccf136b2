import type { CommandContext, OptionSpec } from "./command.ts";

const ignoreTimeStep: OptionSpec = {
  type: "boolean",
  describe: "take each row for one step of the surrogate, however far apart rows are",
};

/** Refuses what is else told in one line. */
export const strictOption: OptionSpec = {
  type: "boolean",
  describe: "conditions outside the ranges are an error, not a warning",
};

/** Flags of the commands that put data through a surrogate. */
export const checkOptions: Readonly<Record<string, OptionSpec>> = {
  "ignore-time-step": ignoreTimeStep,
  strict: strictOption,
};

/** What those flags ask for. */
export interface Checks {
  readonly ignoreTimeStep: boolean;
  readonly strict: boolean;
}

/** The flags as a command got them. */
export function checksOf({ args }: Pick<CommandContext, "args">): Checks {
  return { ignoreTimeStep: args["ignore-time-step"] === true, strict: args.strict === true };
}
