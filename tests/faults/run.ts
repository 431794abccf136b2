import { rmSync } from "node:fs";
import { parseArgs } from "node:util";
import { type FaultCount, failWrites } from "./fail-writes.ts";
import { type Job, jobs, prepare } from "./jobs.ts";
import { killAndResume, reference, streamOf } from "./kill.ts";

/**
 * Disturbs each command that writes files, lets it go on or run again, and compares what it made with an undisturbed run:
 * `npm run test:faults -- [--short] [--kills N] [--faults N|each|all] [--seed S] [--only COMMAND]`.
 */
const { values } = parseArgs({
  options: {
    short: { type: "boolean", default: false },
    kills: { type: "string" },
    faults: { type: "string" },
    seed: { type: "string" },
    only: { type: "string" },
  },
});
// Of each command; `--faults each` lets every write fail once, `all` in each way, which takes hours.
const kills = Math.ceil(Number(values.kills ?? (values.short ? 24 : 240)) / jobs.length);
const wanted = values.faults ?? (values.short ? "1" : "25");
const faults: FaultCount = wanted === "each" ? "each" : wanted === "all" ? Number.POSITIVE_INFINITY : Number(wanted);
const seed = Number(values.seed ?? Math.floor(Math.random() * 1e6));
const problems: string[] = [];
const say = (line: string): unknown => process.stdout.write(`${line}\n`);
let [killed, failed] = [0, 0];

const inputs = await prepare();
say(`seed ${seed}`);
const left = [...jobs.entries()].filter(([, { name }]) => values.only === undefined || values.only === name);
// Two at a time: a child waits for the disk as much as it computes.
await Promise.all([1, 2].map(work));

async function work(): Promise<void> {
  for (let next = left.shift(); next !== undefined; next = left.shift()) await disturb(...next);
}

async function disturb(index: number, job: Job): Promise<void> {
  const undisturbed = await reference(job, inputs);
  const random = streamOf(seed, index);
  const tally = await killAndResume(job, inputs, undisturbed, kills, random);
  const writes = await failWrites(job, inputs, undisturbed, faults, random);
  killed += tally.kills;
  failed += writes.tried;
  problems.push(...tally.problems, ...writes.problems);
  const checkpoints =
    job.resume.length > 0
      ? `, ${tally.withCheckpoint} with a checkpoint (${tally.withinEpoch} from within an epoch)`
      : "";
  say(
    `${job.name}: ${tally.kills} kills${checkpoints}, ${tally.finished} finished; ` +
      `${writes.tried} faults at ${writes.writes} writes (${writes.told} told as an error, ${writes.survived} harmless); ` +
      `${tally.problems.length + writes.problems.length} problems`,
  );
}
rmSync(inputs, { recursive: true });
for (const problem of problems) say(`PROBLEM ${problem}`);
say(`${killed} kills, ${failed} faults, ${problems.length} problems`);
process.exitCode = problems.length > 0 ? 1 : 0;
