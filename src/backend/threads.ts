import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { counted } from "../counted.ts";
import { ConfigError } from "../errors.ts";

/** How many threads compute, and by what. */
export interface ThreadChoice {
  readonly threads: number;
  /** "2 threads: SLURM_CPUS_PER_TASK" */
  readonly reason: string;
}

/** What a process may learn of its machine; an argument for the tests. */
export interface Machine {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Cores that the process may run on. */
  readonly cores: number;
  /** The text of a file; null where it cannot be read. */
  readonly read: (path: string) => string | null;
}

/**
 * The number of threads: as asked for, else the least that the cores, the container's share of them and the job's variables allow.
 * @param note  told of variables that say nothing of use, and of more threads than there are cores
 * @throws ConfigError for a number that is none
 */
export function chooseThreads(
  wanted: number | null | undefined,
  note: (message: string) => void,
  machine: Machine = thisMachine(),
): ThreadChoice {
  const limits = [{ threads: machine.cores, by: "the cores of this process" }, ...ofContainer(machine)];
  const least = (all: typeof limits) => all.reduce((a, b) => (b.threads < a.threads ? b : a));
  if (wanted === null || wanted === undefined) {
    const { threads, by } = least([...limits, ...ofJob(machine.env, note)]);
    return { threads, reason: `${inWords(threads)}: ${by}` };
  }
  if (!Number.isSafeInteger(wanted) || wanted < 1) {
    throw new ConfigError(`threads is ${wanted}, not a whole number from 1`, {
      where: "threads",
      fix: "give a whole number, or leave it out to take what there is",
    });
  }
  const there = least(limits);
  if (wanted > there.threads) {
    note(`warning: threads=${wanted} is more than ${there.threads} (${there.by}): computing may be slower for it`);
  }
  return { threads: wanted, reason: `${inWords(wanted)}: asked for` };
}

function thisMachine(): Machine {
  const read = (path: string): string | null => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return null;
    }
  };
  return { env: process.env, cores: availableParallelism(), read };
}

function inWords(threads: number): string {
  return counted(threads, "thread");
}

type Limit = { threads: number; by: string };

/** What a batch system or the user has set aside. OMP_NUM_THREADS may list a number for each level of nesting: the first counts. */
function ofJob(env: Machine["env"], note: (message: string) => void): Limit[] {
  return ["SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"].flatMap((by) => {
    const text = env[by]?.trim() ?? "";
    if (text === "") return [];
    const threads = Number(/^\+?(\d+)\s*(,|$)/.exec(text)?.[1] ?? 0);
    if (threads >= 1) return [{ threads, by }];
    note(`warning: ${by} is \`${text.slice(0, 40)}\`, not a whole number from 1: it is ignored`);
    return [];
  });
}

/** The CPU quota of the process's control group and of those above it: Node 20 asks for the cores alone. */
function ofContainer({ read }: Machine): Limit[] {
  const quotas = (read("/proc/self/cgroup") ?? "").split("\n").flatMap((line) => {
    const [, controllers, path = ""] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === "") return ancestors(path).map((each) => ofUnified(read, join("/sys/fs/cgroup", each)));
    if (!controllers?.split(",").includes("cpu")) return [];
    return ancestors(path).map((each) => ofController(read, join("/sys/fs/cgroup/cpu", each)));
  });
  const found = quotas.filter((quota) => quota > 0 && Number.isFinite(quota));
  if (found.length === 0) return [];
  return [{ threads: Math.max(1, Math.floor(Math.min(...found))), by: "the CPU quota of the container" }];
}

/** Cores by cgroup v2; NaN without a quota, which reads "max". */
function ofUnified(read: Machine["read"], folder: string): number {
  const [quota, period] = (read(join(folder, "cpu.max")) ?? "").split(/\s+/).map(Number);
  return quota! / period!;
}

/** Cores by cgroup v1; negative or NaN without a quota. */
function ofController(read: Machine["read"], folder: string): number {
  const [quota, period] = ["quota", "period"].map((name) =>
    Number(read(join(folder, `cpu.cfs_${name}_us`)) ?? Number.NaN),
  );
  return quota! / period!;
}

/** A folder and those above it, up to "/", which is where a container's own group may be mounted. */
function ancestors(path: string): string[] {
  return path === "/" ? ["/"] : [path, ...ancestors(dirname(path))];
}
