import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A Slurm of one node on this machine: munged, slurmctld and slurmd, all that they write in a temporary folder. */
export interface Cluster {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Kills a daemon as a crash does, and starts it again after a while. */
  crash(daemon: "slurmctld" | "slurmd", ms: number): Promise<void>;
  /** Takes the node back into service, as an administrator does, where Slurm drained it. @returns why it had; null where it had not */
  undrain(): string | null;
  /** Its queue, its node and the last lines of its logs, for whoever looks for what went wrong. */
  describe(): string;
  /** One of Slurm's programs; what it says. */
  run(program: string, ...words: string[]): string;
  stop(): Promise<void>;
}

/** Why there can be no cluster here; null where there can. */
export function whyNoCluster(): string | null {
  const missing = ["munged", "slurmctld", "slurmd", "sbatch"].filter((name) => spawnSync("which", [name]).status !== 0);
  if (missing.length > 0) return `no ${missing.join(", ")} (Debian: apt-get install slurm-wlm munge)`;
  return process.getuid?.() === 0 ? null : "slurmd wants to be started by root";
}

export async function startCluster(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), "astrochem-slurm-"));
  const at = (name: string): string => join(folder, name);
  for (const name of ["state", "spool"]) mkdirSync(at(name));
  execFileSync("chmod", ["755", folder]);
  const node = hostname().split(".")[0]!;
  // Ports of its own: two tests of one machine do not meet; below those that the system gives to whoever asks for any.
  const port = 20_000 + 2 * (process.pid % 6000);
  writeFileSync(
    at("slurm.conf"),
    [
      ...["ClusterName=test", `SlurmctldHost=${node}(127.0.0.1)`, "SlurmUser=root", "SlurmdUser=root"],
      // A task that is requeued waits until its credential expires.
      ...["AuthType=auth/munge", "CryptoType=crypto/munge", `AuthInfo=socket=${at("munge.sock")},cred_expire=5`],
      ...["ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none", "MpiDefault=none", "SwitchType=switch/none"],
      ...["SelectType=select/cons_tres", "SelectTypeParameters=CR_Core", "SchedulerParameters=batch_sched_delay=1"],
      ...[`StateSaveLocation=${at("state")}`, `SlurmdSpoolDir=${at("spool")}`],
      ...[`SlurmctldPidFile=${at("slurmctld.pid")}`, `SlurmdPidFile=${at("slurmd.pid")}`],
      ...[`SlurmctldLogFile=${at("slurmctld.log")}`, `SlurmdLogFile=${at("slurmd.log")}`],
      ...[`SlurmctldPort=${port}`, `SlurmdPort=${port + 1}`, "ReturnToService=2", "JobRequeue=1"],
      ...["SlurmctldTimeout=10", "SlurmdTimeout=10", "KillWait=5", "MaxArraySize=1001"],
      `NodeName=${node} NodeAddr=127.0.0.1 CPUs=${availableParallelism()} RealMemory=1000 State=UNKNOWN`,
      ...["PreemptType=preempt/partition_prio", "PreemptMode=REQUEUE"],
      `PartitionName=main Nodes=${node} Default=YES MaxTime=INFINITE State=UP PriorityTier=1`,
      `PartitionName=urgent Nodes=${node} MaxTime=INFINITE State=UP PriorityTier=10`,
    ].join("\n"),
  );
  writeFileSync(at("munge.key"), Buffer.from(crypto.getRandomValues(new Uint8Array(1024))), { mode: 0o600 });
  const env = { ...(process.env as Record<string, string>), SLURM_CONF: at("slurm.conf") };
  const run = (program: string, ...words: string[]): string =>
    execFileSync(program, words, { env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
  /** As `run`, where it may be refused. */
  const ask = (program: string, ...words: string[]) => spawnSync(program, words, { env, encoding: "utf8" });
  const kill = (name: string, signal: NodeJS.Signals): void => {
    if (!existsSync(at(`${name}.pid`))) return;
    try {
      process.kill(Number(readFileSync(at(`${name}.pid`), "utf8")), signal);
    } catch {
      // It is gone already.
    }
  };
  const cluster: Cluster = {
    folder,
    env,
    run,
    async crash(daemon, ms) {
      kill(daemon, "SIGKILL");
      await sleep(ms);
      run(daemon);
    },
    undrain() {
      const { status, stdout } = ask("sinfo", "--noheader", "--format=%T %E");
      const reason = /^drain\S* (.+)$/m.exec(status === 0 ? stdout : "")?.[1];
      if (reason === undefined) return null;
      ask("scontrol", "update", `nodename=${node}`, "state=resume");
      return reason;
    },
    describe() {
      const said = [ask("squeue", "--array", "--format=%i %j %T %r"), ask("sinfo", "--format=%P %T %E")];
      const logs = ["slurmctld", "slurmd"].map((name) =>
        read(at(`${name}.log`))
          .split("\n")
          .slice(-20)
          .join("\n"),
      );
      return [...said.map(({ stdout, stderr }) => `${stdout}${stderr}`), ...logs].join("\n");
    },
    async stop() {
      for (const name of ["slurmd", "slurmctld", "munged"]) kill(name, "SIGKILL");
      for (const pid of tasksOf(folder)) killPid(pid);
      await sleep(500);
      rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 200 });
    },
  };
  run(
    "munged",
    ...["--force", `--key-file=${at("munge.key")}`, `--socket=${at("munge.sock")}`],
    ...[`--pid-file=${at("munged.pid")}`, `--log-file=${at("munged.log")}`, `--seed-file=${at("munge.seed")}`],
  );
  try {
    run("slurmctld");
    run("slurmd");
    // A controller that has just begun does not answer yet.
    const state = () => ask("sinfo", "--noheader", "--format=%T").stdout;
    for (let wait = 0; !state().startsWith("idle"); wait++) {
      if (wait > 150) throw new Error(`the node does not come up:\n${readFileSync(at("slurmctld.log"), "utf8")}`);
      await sleep(200);
    }
  } catch (error) {
    await cluster.stop();
    throw error;
  }
  return cluster;
}

/** Processes whose command line names the folder, or something in it: batch shells (of the spool), or points of a sweep. */
export function tasksOf(folder: string): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && /^[/\0]/.test(read(`/proc/${pid}/cmdline`).split(folder)[1] ?? ""));
}

/** Its parent: of a batch shell, Slurm's step daemon. */
export function parentOf(pid: number): number | null {
  const parent = Number(/^PPid:\s*(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1]);
  return parent > 1 ? parent : null;
}

export function killPid(pid: number, signal: NodeJS.Signals = "SIGKILL"): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
