import { describe, expect, it } from "vitest";
import { chooseThreads } from "../../src/backend/threads.ts";

/** A machine of 16 cores with these variables and files. */
function choose(env: Record<string, string>, wanted: number | null = null, files: Record<string, string> = {}) {
  const notes: string[] = [];
  const machine = { env, cores: 16, read: (path: string) => files[path] ?? null };
  return { ...chooseThreads(wanted, (message) => notes.push(message), machine), notes };
}

describe("the number of threads", () => {
  it("is the least of the cores, SLURM_CPUS_PER_TASK and OMP_NUM_THREADS, and says which", () => {
    expect(choose({})).toEqual({ threads: 16, reason: "16 threads: the cores of this process", notes: [] });
    expect(choose({ SLURM_CPUS_PER_TASK: "4" }).reason).toBe("4 threads: SLURM_CPUS_PER_TASK");
    expect(choose({ SLURM_CPUS_PER_TASK: "4", OMP_NUM_THREADS: "2" }).reason).toBe("2 threads: OMP_NUM_THREADS");
    expect(choose({ SLURM_CPUS_PER_TASK: "1", OMP_NUM_THREADS: "2" }).reason).toBe("1 thread: SLURM_CPUS_PER_TASK");
    expect(choose({ SLURM_CPUS_PER_TASK: "64", OMP_NUM_THREADS: "32" }).threads).toBe(16);
    expect(choose({ OMP_NUM_THREADS: " 3, 2" }).threads).toBe(3);
  });

  it.each(["0", "-1", "2.5", "1e3", "many", "4 cores", "0x4", ",2", "Infinity"])("ignores %j, with a line", (value) => {
    for (const name of ["SLURM_CPUS_PER_TASK", "OMP_NUM_THREADS"]) {
      const { threads, notes } = choose({ [name]: value });
      expect(threads).toBe(16);
      expect(notes).toEqual([`warning: ${name} is \`${value}\`, not a whole number from 1: it is ignored`]);
    }
  });

  it("takes an empty variable for none", () => {
    expect(choose({ SLURM_CPUS_PER_TASK: "", OMP_NUM_THREADS: "  " })).toMatchObject({ threads: 16, notes: [] });
  });

  it("as asked for wins, with a line where there are fewer cores", () => {
    expect(choose({ OMP_NUM_THREADS: "2" }, 8)).toEqual({ threads: 8, reason: "8 threads: asked for", notes: [] });
    expect(choose({}, 32).notes).toEqual([
      "warning: threads=32 is more than 16 (the cores of this process): computing may be slower for it",
    ]);
  });

  it("keeps within a container's quota, of its own group or of one above", () => {
    const unified = { "/proc/self/cgroup": "0::/a/b\n" };
    const by = "the CPU quota of the container";
    const under = (files: Record<string, string>) => choose({}, null, { ...unified, ...files });
    expect(under({ "/sys/fs/cgroup/a/b/cpu.max": "250000 100000\n" }).reason).toBe(`2 threads: ${by}`);
    expect(under({ "/sys/fs/cgroup/a/cpu.max": "50000 100000\n" }).reason).toBe(`1 thread: ${by}`);
    expect(under({ "/sys/fs/cgroup/cpu.max": "300000 100000\n" }).threads).toBe(3);
    expect(under({ "/sys/fs/cgroup/a/b/cpu.max": "max 100000\n" }).threads).toBe(16);
    const old = {
      "/proc/self/cgroup": "4:memory:/m\n3:cpu,cpuacct:/c\n",
      "/sys/fs/cgroup/cpu/c/cpu.cfs_period_us": "100000",
    };
    const quota = (value: string) =>
      choose({}, null, { ...old, "/sys/fs/cgroup/cpu/c/cpu.cfs_quota_us": value }).threads;
    expect([quota("400000\n"), quota("-1\n")]).toEqual([4, 16]);
  });

  it.each([0, -2, 1.5, Number.NaN])("that is %d is refused", (wanted) => {
    expect(() => choose({}, wanted)).toThrow(`threads is ${wanted}, not a whole number from 1`);
  });
});
