import { shellWord } from "../analysis/inspection/shell-word.ts";
import { displayPath } from "../config/search-path.ts";
import type { CommandContext } from "./command.ts";

/** The words of this run that make a shard. */
export function commandOfShard(index: number, { commandLine }: Pick<CommandContext, "commandLine">): string {
  const words = commandLine.filter((word) => !/^\+*(run_dir|(dataset\.preprocessing\.)?shard)=/.test(word));
  return ["astrochem", ...words, `shard=${index}`].map(shellWord).join(" ");
}

/** What making a shard did. */
interface MadeShard {
  readonly shard: number;
  readonly shards: number;
  readonly outputPath: string;
}

/** Tells of a shard that was made, in the run's folder. */
export function tellShard(made: MadeShard, run: string, { statusLine, stdout, json, cwd }: CommandContext): void {
  statusLine.clear();
  const text = `shard ${made.shard} of ${made.shards}: ${displayPath(made.outputPath, cwd)}`;
  stdout.write(`${json ? JSON.stringify({ ...made, run }) : text}\n`);
}
