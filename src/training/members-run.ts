import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { CheckpointError, NumericsError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic-file.ts";
import { checkedJson, soundFile } from "../formats/checked-content.ts";
import { joinMembers } from "../models/members.ts";
import { readEmulator, writeEmulator } from "../models/weights-file.ts";
import { checkpointPaths } from "./checkpoint-keeper.ts";
import { epochLogPath, epochRecord, versioned } from "./epoch-log.ts";
import type { EpochRecord } from "./observer.ts";
import { type RunTools, type TrainingReport, withWeightsLock } from "./run-tools.ts";
import type { TrainingJob } from "./run-training.ts";

/** The training of an ensemble. */
interface MembersJob extends TrainingJob {
  readonly members: number;
  /** Which of them is trained, counted from 0. */
  readonly member: number;
}

/** A member that was trained: what its training told and its epochs. */
interface Trained {
  readonly report: TrainingReport;
  readonly epochs: readonly EpochRecord[];
}

const fix = "restore what the run wrote, or begin a new run";
const storedReport = z.strictObject({
  weights: z.string(),
  epochs: z.int(),
  steps: z.int(),
  best_epoch: z.int(),
  best_metric: z.number(),
  metric: z.enum(["relative", "dex"]),
  parameters: z.int(),
  reason: z.string(),
});
/** What of a run's summary and environment an ensemble keeps. */
const endedAlone = z
  .object({ ...storedReport.shape, outcome: z.literal("completed") })
  .transform(({ outcome: _, ...report }) => report);
const madeFrom = z.object({ inputs: z.record(z.string(), z.unknown()).optional() });

/**
 * Trains the members of an ensemble, one after the other, each as a training by itself of seed `seed + member`, and joins their weights.
 * What is done lies in `members` beside the checkpoints, which are those of the member under way: a run that goes on begins with it.
 * @param trainOne  trains one
 * @throws NumericsError where a member ends without weights; CheckpointError where members do not belong together
 */
export function trainMembers<Job extends MembersJob>(
  job: Job,
  tools: RunTools,
  trainOne: (job: Job, tools: RunTools) => Promise<TrainingReport | null>,
): Promise<TrainingReport | null> {
  return withWeightsLock(job, async () => {
    const trained: Trained[] = [];
    if (tools.joined) takeMembers(job, tools, tools.joined);
    for (let member = 0; member < job.members; member++) {
      const weights = memberPath(tools.checkpoints.folder, member);
      const seed = job.seed + member;
      const before = trained.flatMap(({ epochs }) => epochs);
      const which = `member ${member + 1} of ${job.members}, seed ${seed}`;
      if (existsSync(reportPath(weights))) {
        trained.push(readTrained(weights, member));
        tools.done?.([...before, ...trained.at(-1)!.epochs]);
        tools.log(`${which}: trained before`);
        continue;
      }
      tools.log(which);
      const own = { ...job, member, seed, weights, model: { ...job.model, save_model: true } };
      const report = await trainOne(own, toolsOf(tools, own, job.seed, before));
      if (report === null) return null;
      if (report.reason === "interrupted")
        return { ...joinedReport([...trained, { report, epochs: [] }]), weights: report.weights };
      if (report.best_epoch === null) {
        throw new NumericsError(`${which} ended without weights: ${report.reason}`, {
          where: weights,
          fix: "give each member more time (model.max_minutes), then go on: --resume",
        });
      }
      writeFileAtomic(reportPath(weights), JSON.stringify(report));
      trained.push(readTrained(weights, member));
    }
    return { ...joinedReport(trained), weights: await writeJoined(job, tools, trained) };
  });
}

/** Marks a member's training as done. */
function reportPath(weights: string): string {
  return epochLogPath(weights).replace(/json$/, "report.json");
}

function readTrained(weights: string, member: number): Trained {
  const [where, log] = [reportPath(weights), epochLogPath(weights)];
  const report = checkedJson(storedReport, readFileSync(where, "utf8"), { where, fix });
  const records = checkedJson(z.array(z.unknown()), readFileSync(log, "utf8"), { where: log, fix });
  // The run may have been moved since.
  return { report: { ...report, weights }, epochs: records.map((record) => ({ ...epochRecord(record, log), member })) };
}

/**
 * Puts members that were trained alone where those of this run lie.
 * @param runs  their run folders, one for each member
 * @throws CheckpointError where one is missing, did not end, or is another member
 */
function takeMembers(
  { members, seed }: MembersJob,
  { checkpoints, describe }: RunTools,
  runs: readonly string[],
): void {
  if (runs.length !== members) {
    throw new CheckpointError(`${runs.length} runs are joined, and the ensemble has ${members} members`, {
      where: "--join",
      fix: `give the run of each member, or members=${runs.length}`,
    });
  }
  for (const [member, run] of runs.entries()) {
    const [summary, best] = [join(run, "summary.json"), checkpointPaths(join(run, "checkpoints")).best];
    const weights = memberPath(checkpoints.folder, member);
    const refuse = (what: string): CheckpointError =>
      new CheckpointError(`member ${member + 1} of ${members}, seed ${seed + member}: ${what}`, {
        where: run,
        fix: `train it again: the same words with member=${member}`,
      });
    const report = soundFile(endedAlone, summary);
    if (report === null) throw refuse("its run has not completed");
    const { provenance } = readEmulator(best);
    if (provenance.seed !== seed + member) throw refuse(`its run has the seed ${provenance.seed}`);
    const lines = readFileSync(join(run, "epochs.jsonl"), "utf8").trimEnd().split("\n");
    writeFileAtomic(weights, readFileSync(best));
    writeFileAtomic(epochLogPath(weights), `[${lines.join(",\n")}]\n`);
    writeFileAtomic(reportPath(weights), JSON.stringify(report));
    if (member > 0) continue;
    const inputs = soundFile(madeFrom, join(run, "environment.json"))?.inputs;
    if (inputs) describe?.({ ...inputs, seed, members });
  }
}

const memberPath = (folder: string, member: number): string => join(folder, "members", `${member}.safetensors`);

/** What a member's training works with: its own seed in what it belongs to, its number in the epochs that it tells. */
function toolsOf(
  tools: RunTools,
  { member, members, seed }: MembersJob,
  first: number,
  before: readonly EpochRecord[],
): RunTools {
  const { observer, describe, expected, done, checkpoints } = tools;
  const { resumed } = checkpoints;
  const numbered = (record: EpochRecord): EpochRecord => ({ ...record, member });
  const { members: _, ...origin } = expected ?? {};
  return {
    ...tools,
    // The ensemble is calibrated, not a member.
    calibrate: undefined,
    observer: { ...observer, epochEnded: (record) => observer.epochEnded?.(numbered(record)) },
    done: (epochs) => done?.([...before, ...epochs.map(numbered)]),
    describe: (own) => describe?.({ ...own, seed: first, members }),
    expected: expected ? { ...origin, seed } : null,
    checkpoints: { ...checkpoints, resumed: resumed?.checkpoint.origin.seed === seed ? resumed : null },
  };
}

/** @returns where the ensemble is */
async function writeJoined(job: MembersJob, tools: RunTools, trained: readonly Trained[]): Promise<string> {
  const paths = trained.map(({ report }) => report.weights!);
  const joined = joinMembers(paths.map(readEmulator), paths);
  const trust = await tools.calibrate?.(joined);
  const ensemble = trust ? { ...joined, trust } : joined;
  const { best } = checkpointPaths(tools.checkpoints.folder);
  writeEmulator(best, ensemble);
  if (!job.model.save_model) return best;
  writeFileAtomic(
    epochLogPath(job.weights),
    `${JSON.stringify(trained.flatMap(({ epochs }) => epochs).map(versioned), null, 1)}\n`,
  );
  writeEmulator(job.weights, ensemble);
  return job.weights;
}

function joinedReport(trained: readonly Trained[]): Omit<TrainingReport, "weights"> {
  const reports = trained.map(({ report }) => report);
  const sum = (of: (report: TrainingReport) => number): number => reports.reduce((total, each) => total + of(each), 0);
  return {
    epochs: sum(({ epochs }) => epochs),
    steps: sum(({ steps }) => steps),
    best_epoch: null,
    best_metric: null,
    metric: reports[0]!.metric,
    parameters: sum(({ parameters }) => parameters),
    reason: [...new Set(reports.map(({ reason }) => reason))].join("; "),
    members: reports.map(({ weights: _, parameters: __, metric: ___, ...report }) => report),
  };
}
