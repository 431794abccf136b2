import { z } from "zod";

const Text = z.string().min(1).nullable().default(null);
const Amount = z
  .union([z.string().min(1), z.int().min(1)])
  .nullable()
  .default(null);

const Local = z.strictObject({
  name: z.literal("local").describe("Where the points of a sweep (-m) run."),
  jobs: z
    .int()
    .min(1)
    .nullable()
    .default(null)
    .describe("Points at a time; null: as many as there are cores, slurm: no limit."),
});

const Slurm = z.strictObject({
  name: z.literal("slurm").describe("Where the points of a sweep (-m) run."),
  jobs: Local.shape.jobs,
  cpus: z.int().min(1).default(1).describe("Cores of a task, `--cpus-per-task`; so many threads compute."),
  time: Amount.describe("Time limit of a task, `--time`: minutes, or HH:MM:SS. Trainings go on in a next task."),
  partition: Text.describe("`--partition`."),
  account: Text.describe("`--account`."),
  qos: Text.describe("`--qos`."),
  mem: Amount.describe("Memory of a task, `--mem`: MB, or with a unit, 4G."),
  lines: z
    .array(z.string().min(1))
    .default([])
    .describe("Lines of the batch script before the run: `#SBATCH --gres=gpu:1`, `module load nodejs`."),
  signal_seconds: z
    .int()
    .min(10)
    .max(65_535)
    .default(60)
    .describe("Seconds before the time limit at which a task saves its checkpoint and is queued again."),
});

/** Where the points of a sweep run: a file of configs/launchers. */
export const LauncherConfig = z.discriminatedUnion("name", [Local, Slurm]);
export type LauncherConfig = z.output<typeof LauncherConfig>;
export type SlurmConfig = z.output<typeof Slurm>;
