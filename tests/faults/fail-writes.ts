import { rmSync } from "node:fs";
import type { RandomStream } from "../../src/data/random.ts";
import { artefactsOf, differences, leftovers, notWhole } from "./artefacts.ts";
import { type Fault, run } from "./child.ts";
import { type Job, newFolder, provide } from "./jobs.ts";
import type { Reference } from "./kill.ts";

/** What was tried on a job, and what came of it. */
export interface FaultTally {
  /** Writes of an undisturbed run. */
  writes: number;
  tried: number;
  /** Runs that said what was wrong and ended with the exit code of data errors. */
  told: number;
  /** Runs that ended well all the same: the fault met something that is not needed. */
  survived: number;
  readonly problems: string[];
}

/** The disk stays full, one write fails, the folder is read-only from then on, the folder is gone. */
const kinds: readonly Omit<Fault, "at">[] = [
  { code: "ENOSPC", stays: true },
  { code: "EIO" },
  { code: "EROFS", stays: true },
  { code: "VANISH" },
];

/** How many writes fail: `each` once, in the ways by turns; or so many in each way, fewer than there are: some of them at random. */
export type FaultCount = number | "each";

/** Lets writes of a job fail, and the job run again after each. */
export async function failWrites(
  job: Job,
  inputs: string,
  { artefacts }: Reference,
  most: FaultCount,
  random: RandomStream,
): Promise<FaultTally> {
  const writes = await countWrites(job, inputs);
  const tally: FaultTally = { writes, tried: 0, told: 0, survived: 0, problems: [] };
  for (const fault of faultsOf(writes, most, random)) await failOne(job, inputs, artefacts, fault, tally);
  return tally;
}

async function countWrites(job: Job, inputs: string): Promise<number> {
  const folder = newFolder();
  provide(job, inputs, folder);
  const { writes } = await run(job.words, folder, { fault: {} });
  rmSync(folder, { recursive: true });
  return writes;
}

function faultsOf(writes: number, most: FaultCount, random: RandomStream): Fault[] {
  if (most !== "each") return kinds.flatMap((kind) => chosen(writes, most, random).map((at) => ({ ...kind, at })));
  const first = Math.floor(random.uniform() * kinds.length);
  return Array.from({ length: writes }, (_, k) => ({ ...kinds[(first + k) % kinds.length]!, at: k + 1 }));
}

/** From 1 to `writes`: all, or one in each of `most` equal parts. */
function chosen(writes: number, most: number, random: RandomStream): number[] {
  if (most >= writes) return Array.from({ length: writes }, (_, i) => i + 1);
  return Array.from({ length: most }, (_, i) => 1 + Math.floor(((i + random.uniform()) * writes) / most));
}

async function failOne(
  job: Job,
  inputs: string,
  wanted: ReadonlyMap<string, string>,
  fault: Fault,
  tally: FaultTally,
): Promise<void> {
  const folder = newFolder();
  provide(job, inputs, folder);
  const problem = (text: string): unknown =>
    tally.problems.push(`${job.name}, ${fault.code} at write ${fault.at} in ${folder}: ${text}`);
  const before = tally.problems.length;
  const hurt = await run(job.words, folder, { fault });
  tally.tried += 1;
  if (hurt.code === 0) tally.survived += 1;
  else if (hurt.code === 3 || hurt.code === 4) tally.told += 1;
  else problem(`ended with ${hurt.code}: ${hurt.stderr.slice(0, 600)}`);
  const isGone = fault.code === "VANISH";
  if (!isGone) for (const name of leftovers(folder)) problem(`${name} is left`);
  // The autoencoder may have vanished with its folder after the last step: weights come without a calibration then, and with a word.
  const isCalibrated = !hurt.stderr.includes("warning: not calibrated");
  for (const text of await notWhole(job, folder, wanted, isCalibrated)) problem(text);
  // What has vanished with its folder has to be brought back first.
  provide(job, inputs, folder);
  const healed = hurt.code === 0 && !isGone && isCalibrated ? hurt : await run([...job.words, ...job.resume], folder);
  if (healed.code !== 0) problem(`ran again and ended with ${healed.code}: ${healed.stderr.slice(0, 600)}`);
  for (const text of differences(await artefactsOf(job, folder), wanted)) problem(text);
  for (const name of leftovers(folder)) problem(`${name} is left at the end`);
  if (tally.problems.length === before) rmSync(folder, { recursive: true });
}
