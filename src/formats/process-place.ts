import { readFileSync, readlinkSync } from "node:fs";
import { hostname } from "node:os";

/** A set of processes that see each other by their ids: one machine since it was started, one process name space of it. */
export interface ProcessPlace {
  readonly host: string;
  /** Null where the system does not tell. */
  readonly boot: string | null;
  /** Containers of one machine may share its name, and count their processes each from 1. */
  readonly pid_namespace: string | null;
}

/** The place of this process. */
export const here: ProcessPlace = {
  host: hostname(),
  boot: absentIfUnreadable(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()),
  pid_namespace: absentIfUnreadable(() => readlinkSync("/proc/self/ns/pid")),
};

/** Whether process ids of that place mean our processes. Linux without `/proc` does not tell: then they do not. */
export function isHere({
  host,
  boot,
  pid_namespace,
}: { readonly [K in keyof ProcessPlace]?: ProcessPlace[K] | undefined }): boolean {
  if (process.platform === "linux" && here.pid_namespace === null) return false;
  return host === here.host && boot === here.boot && pid_namespace === here.pid_namespace;
}

/** Whether a process of this place is there. */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function absentIfUnreadable(read: () => string): string | null {
  try {
    return read();
  } catch {
    return null;
  }
}
