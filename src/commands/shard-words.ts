import { shellWord } from "../analysis/inspection/shell-word.ts";
import type { CommandContext } from "./command.ts";

/** The words of this run that make a shard. */
export function commandOfShard(index: number, { commandLine }: Pick<CommandContext, "commandLine">): string {
  const words = commandLine.filter((word) => !/^\+*(run_dir|(dataset\.preprocessing\.)?shard)=/.test(word));
  return ["astrochem", ...words, `shard=${index}`].map(shellWord).join(" ");
}
