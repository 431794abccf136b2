import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { RandomStream } from "../../src/data/random.ts";
import { readCheckpoint } from "../../src/training/checkpoint.ts";
import { artefactsOf, differences, leftovers, notWhole } from "./artefacts.ts";
import { type Ended, run } from "./child.ts";
import { type Job, newFolder, provide } from "./jobs.ts";

/** What an undisturbed run of a job makes, and how long it takes. */
export interface Reference {
  readonly artefacts: ReadonlyMap<string, string>;
  readonly ms: number;
  /** Of the steps of a training; null for other commands. */
  readonly work_ms: number | null;
}

/** What was tried on a job, and what came of it. */
export interface KillTally {
  /** Runs that SIGKILL ended. */
  kills: number;
  /** Kills after which there was a checkpoint, and one from within an epoch. */
  withCheckpoint: number;
  withinEpoch: number;
  /** Runs that went on, or ran again, to the end. */
  finished: number;
  readonly problems: string[];
}

/** Runs a job once, in peace. */
export async function reference(job: Job, inputs: string): Promise<Reference> {
  const folder = newFolder();
  provide(job, inputs, folder);
  const { code, stderr, ms, work_ms } = await run(job.words, folder);
  const artefacts = await artefactsOf(job, folder);
  if (code !== 0 || artefacts.size !== job.artefacts.length || leftovers(folder).length > 0)
    throw new Error(`${job.name} does not even run in peace: exit code ${code}, ${leftovers(folder)}\n${stderr}`);
  rmSync(folder, { recursive: true });
  return { artefacts, ms, work_ms };
}

/**
 * Kills a job again and again at random moments, each time going on with what is left, until it has been killed `kills` times; then
 * lets it end and compares. @param most kills of one life
 */
export async function killAndResume(
  job: Job,
  inputs: string,
  undisturbed: Reference,
  kills: number,
  random: RandomStream,
): Promise<KillTally> {
  const { artefacts } = undisturbed;
  const tally: KillTally = { kills: 0, withCheckpoint: 0, withinEpoch: 0, finished: 0, problems: [] };
  while (tally.kills < kills) {
    const folder = newFolder();
    provide(job, inputs, folder);
    const lives = 1 + Math.floor(random.uniform() * 3);
    let words = job.words;
    let ended: Ended | undefined;
    for (let life = 0; life < lives && tally.kills < kills; life++) {
      ended = await run(words, folder, { kill: moment(undisturbed, random) });
      if (ended.code !== null) break;
      tally.kills += 1;
      countCheckpoint(folder, tally);
      const problems = await notWhole(job, folder, artefacts);
      tally.problems.push(...problems.map((problem) => `${job.name}, killed: ${problem}`));
      words = [...job.words, ...job.resume];
    }
    if (ended?.code === null) ended = await run(words, folder);
    tally.finished += 1;
    const wrong = differences(await artefactsOf(job, folder), artefacts);
    if (ended?.code !== 0) wrong.push(`ended with ${ended?.code}: ${ended?.stderr.slice(-2000)}`);
    wrong.push(...leftovers(folder).map((name) => `${name} is left`));
    tally.problems.push(
      ...wrong.map((problem) => `${job.name}, finished after ${lives} kills in ${folder}: ${problem}`),
    );
    if (wrong.length === 0) rmSync(folder, { recursive: true });
  }
  return tally;
}

/** When to kill: a little beyond the end too, for the last writes; of trainings mostly within their steps, not their start. */
function moment({ ms, work_ms }: Reference, random: RandomStream): { ms: number; sinceWork: boolean } {
  if (work_ms !== null && random.uniform() < 0.7) return { ms: 1.1 * random.uniform() * work_ms, sinceWork: true };
  return { ms: 1.1 * random.uniform() * ms, sinceWork: false };
}

function countCheckpoint(folder: string, tally: KillTally): void {
  const path = join(folder, "run/checkpoints/last.safetensors");
  if (!existsSync(path)) return;
  tally.withCheckpoint += 1;
  if (readCheckpoint(path).state.values.position !== null) tally.withinEpoch += 1;
}

/** A stream of random numbers for a job, so that each repeats alone. */
export function streamOf(seed: number, index: number): RandomStream {
  return new RandomStream(seed * 1000 + index);
}
