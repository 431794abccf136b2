import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { dump, load } from "js-yaml";
import { z } from "zod";
import { LauncherConfig } from "../config/schema-launcher.ts";
import { ConfigError, DataError } from "../errors.ts";
import { writeFileAtomic } from "../formats/atomic-file.ts";
import { checkedContent, soundFile } from "../formats/checked-content.ts";
import { checkVersion, type FileFormat, latestVersion } from "../formats/format-version.ts";
import { lockState } from "../formats/lock.ts";
import { isCompletedRun } from "../formats/run-folders.ts";

/** multirun.yaml, points/<n>.json, slurm.json and sweep.json. */
const sweepFormat: FileFormat = { name: "sweep format", migrations: [] };
export const sweepVersion = latestVersion(sweepFormat);

const Plan = z.object({
  command: z.string(),
  command_line: z.array(z.string()),
  created_at: z.string(),
  cwd: z.string(),
  config_dirs: z.array(z.string()),
  flags: z.array(z.string()),
  launcher: LauncherConfig,
  points: z.array(z.object({ overrides: z.array(z.string()), values: z.record(z.string(), z.string()) })),
});

/** A sweep as multirun.yaml has it: what every point runs. */
export type SweepPlan = z.output<typeof Plan>;

const State = z.object({
  state: z.enum(["running", "completed", "failed", "interrupted"]),
  /** How often it was begun. */
  attempt: z.number(),
  /** Of Slurm, `123_4`; null elsewhere. */
  job: z.string().nullable(),
  host: z.string(),
  pid: z.number(),
  started_at: z.string(),
  ended_at: z.string().nullable(),
  exit_code: z.number().nullable(),
  /** When the checkpoint was written that it went on from (ms); null without one. */
  checkpoint: z.number().nullable(),
  /** Starts in a row that found no newer checkpoint than the one before. */
  stalled: z.number(),
});

/** What a point's file says: written by the process that works on it, whole. */
export type PointState = z.output<typeof State>;

/**
 * Where a point stands. `lost`: it was running, and its process is gone; `waiting`: nothing was begun; `queued`: Slurm has it; `paused`: a
 * trial of a tuning that was trained as far as its rung goes.
 */
export type PointStage = PointState["state"] | "lost" | "waiting" | "queued" | "paused";

/** A point as found by its files. */
export interface FoundPoint {
  readonly index: number;
  readonly stage: PointStage;
  readonly state: PointState | null;
}

/** The files of a sweep, all below its folder. */
export const sweepPaths = {
  plan: (folder: string): string => join(folder, "multirun.yaml"),
  run: (folder: string, index: number): string => join(folder, String(index)),
  log: (folder: string, index: number): string => join(folder, "logs", `${index}.log`),
  state: (folder: string, index: number): string => join(folder, "points", `${index}.json`),
  claim: (folder: string, index: number): string => join(folder, "points", `${index}.lock`),
  /** The run that joins the shards of a preprocessing, or the members of an ensemble. */
  joining: (folder: string, index: number): string => join(folder, `joined-${index}`),
  results: (folder: string): string => join(folder, "sweep.json"),
  cancel: (folder: string): string => join(folder, "cancelled"),
  /** When a tuning is to end, as ISO 8601. */
  deadline: (folder: string): string => join(folder, "deadline"),
};

/** Why no point is begun any more, and those that run end; null where nothing ends them. Files are heard on every machine. */
export function whyStopped(folder: string): "cancelled" | "out of time" | null {
  if (existsSync(sweepPaths.cancel(folder))) return "cancelled";
  const deadline = sweepPaths.deadline(folder);
  return existsSync(deadline) && Date.now() >= Date.parse(readFileSync(deadline, "utf8")) ? "out of time" : null;
}

export function writePlan(folder: string, plan: SweepPlan): void {
  writeFileAtomic(
    sweepPaths.plan(folder),
    dump({ format_version: sweepVersion, ...plan }, { lineWidth: 120, noRefs: true }),
  );
}

/** @throws ConfigError where there is no sweep; DataError where its file is damaged, or newer */
export function readPlan(folder: string): SweepPlan {
  const where = sweepPaths.plan(folder);
  const fix = "give the folder of a sweep: multirun/<date>/<time>";
  if (!existsSync(where)) throw new ConfigError(`${folder} holds no sweep`, { where, fix });
  let value: unknown;
  try {
    value = load(readFileSync(where, "utf8"));
  } catch (cause) {
    throw new DataError(`${where} is damaged: ${(cause as Error).message}`, { where, fix: "restore it", cause });
  }
  checkVersion(
    sweepFormat,
    (value as { format_version?: unknown } | null)?.format_version,
    where,
    (what, hint) => new DataError(what, hint),
  );
  return checkedContent(Plan, value, { where, fix: "restore it" });
}

export function writeState(folder: string, index: number, state: PointState): void {
  writeFileAtomic(sweepPaths.state(folder, index), `${JSON.stringify({ format_version: sweepVersion, ...state })}\n`);
}

/** Null where nothing was begun. A state that is no state, which only a failing disk leaves, counts as none. */
export function readState(folder: string, index: number): PointState | null {
  return soundFile(State, sweepPaths.state(folder, index));
}

/** A process that does not see the claim's holder believes it dead after this silence (ms). */
const silence_ms = 180_000;

/**
 * Where a point stands. That its run has completed is told by the run's own summary, which is written before the point's state: a
 * process that is killed in between has done its work.
 */
function findPoint(folder: string, index: number): FoundPoint {
  // The claim is given up last: whoever finds none finds all that its holder wrote.
  const isHeld = lockState(sweepPaths.claim(folder, index), silence_ms) === "held";
  const state = readState(folder, index);
  const stage = (): PointStage => {
    if (isHeld) return "running";
    if (isCompleted(folder, index)) return "completed";
    if (state === null) return "waiting";
    if (state.state === "interrupted" && state.exit_code === 0) return "paused";
    return state.state === "failed" || state.state === "interrupted" ? state.state : "lost";
  };
  return { index, stage: stage(), state };
}

export function isCompleted(folder: string, index: number): boolean {
  return isCompletedRun(sweepPaths.run(folder, index));
}

export function findPoints(folder: string, { points }: Pick<SweepPlan, "points">): FoundPoint[] {
  return points.map((_, index) => findPoint(folder, index));
}

/** The run folders of the points that are done, with what is swept over; null where the folder holds no sweep. */
export function completedRuns(
  folder: string,
): { readonly path: string; readonly values: SweepPlan["points"][number]["values"] }[] | null {
  if (!existsSync(sweepPaths.plan(folder))) return null;
  const { points } = readPlan(folder);
  return points.flatMap(({ values }, index) =>
    isCompleted(folder, index) ? [{ path: sweepPaths.run(folder, index), values }] : [],
  );
}

/** When the last checkpoint of a point's run was written (ms); null where there is none. */
export function checkpointTime(folder: string, index: number): number | null {
  const path = join(sweepPaths.run(folder, index), "checkpoints", "last.safetensors");
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? null;
}
