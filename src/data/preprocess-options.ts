import { existsSync, realpathSync } from "node:fs";
import { ConfigError } from "../errors.ts";
import type { WantedColumns } from "./preprocess-columns.ts";
import type { RawColumns } from "./respelt-frame.ts";
import { checkStartState, type StartMode, type StartState } from "./start-rows.ts";

/** Raw files that are shared out among several processes. */
export interface ShardOptions {
  /** Number of shards. */
  readonly count: number;
  /** The words that make a shard, for errors. */
  readonly command: (index: number) => string;
}

/** What makes a raw file into a clean one. */
export interface PreprocessOptions extends WantedColumns, RawColumns {
  inputPath: string;
  /** Beside it, of the same kind. */
  moreInputs?: readonly string[];
  inputKey: string;
  outputPath: string;
  /** The state at Time 0 of tracers that do not bring their own; null where none is known. */
  startState: StartState | null;
  start: StartMode;
  /** Rows that are not one step apart: an error, told, or the caller's to check. Where `phys` names `Timestep` they need not be. */
  unevenSteps: "error" | "allow" | "unchecked";
  clipping: { lower: number; upper: number };
  /** Share of the tracers that train. */
  trainSplit: number;
  /** Share of the tracers that test; 0 where it is left out. With 1, the file holds nothing else. */
  testSplit?: number;
  seed: number;
  minRadfield: number;
  /** Conditions outside are told, one line a parameter; those without a range are not looked at. */
  physicalRanges?: Readonly<Record<string, readonly [number, number]>>;
  /** Conditions outside are an error. */
  strict?: boolean;
  /** Shards that hold the rows of the raw files; left out: the files themselves are read. */
  shards?: ShardOptions | null;
}

/** The raw files, in their order. */
export function pathsOf({ inputPath, moreInputs = [] }: Pick<PreprocessOptions, "inputPath" | "moreInputs">): string[] {
  return [inputPath, ...moreInputs];
}

/** @throws ConfigError where the output would replace an input, or the start state does not fit */
export function checkOptions({ startState, species, outputPath, clipping, ...input }: PreprocessOptions): void {
  if (startState !== null) checkStartState(startState, species);
  if (!(clipping.lower > 0 && clipping.lower < clipping.upper)) {
    throw new ConfigError(
      `abundances_clipping: lower ${clipping.lower} must be above 0 and below upper ${clipping.upper}`,
    );
  }
  const replaced = pathsOf(input).find(
    (path) => existsSync(outputPath) && existsSync(path) && realpathSync(outputPath) === realpathSync(path),
  );
  if (replaced !== undefined) {
    throw new ConfigError(`the output would replace the input: ${replaced}`, {
      fix: "give another dataset.preprocessing.output_path",
    });
  }
}
