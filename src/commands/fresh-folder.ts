import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { guarded } from "../formats/atomic-file.ts";
import { removeDeadLock } from "../formats/lock.ts";
import { runFoldersIn } from "../formats/run-folders.ts";

/** Makes a folder and its parents. */
export function makeFolder(folder: string): string {
  guardedRun(folder, () => mkdirSync(folder, { recursive: true }));
  return folder;
}

/**
 * Makes `<outputs>/<date>/<time>-<command>`, in local time; of a sweep, which has no command there, `<outputs>/<date>/<time>`. Two runs may start in the same second: the one whose `mkdir` comes
 * second gets a number behind its name.
 */
export function makeFreshFolder(outputs: string, started: Date, command?: string): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const date = [started.getFullYear(), two(started.getMonth() + 1), two(started.getDate())].join("-");
  const time = [started.getHours(), started.getMinutes(), started.getSeconds()].map(two).join("-");
  const parent = makeFolder(join(outputs, date));
  for (let attempt = 1; ; attempt++) {
    const name = [time, command, attempt > 1 && attempt].filter(Boolean).join("-");
    const folder = join(parent, name);
    const isOurs = guardedRun(folder, () => {
      try {
        mkdirSync(folder);
        return true;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
        throw error;
      }
    });
    if (isOurs) return folder;
  }
}

/** The file that a process holds while it works in a run folder. */
export function runLock(folder: string): string {
  return join(folder, ".lock");
}

/** So many of the newest run folders are looked through: more would be slow on a network disk. */
const newest = 200;

/** Removes the locks that killed runs left in their folders. */
export function removeDeadRunLocks(outputs: string): void {
  for (const folder of runFoldersIn(outputs).slice(0, newest)) {
    try {
      removeDeadLock(runLock(folder));
    } catch {
      // Somebody else's folder, read-only perhaps: the lock does no harm there.
    }
  }
}

/** `guarded` for a run's file or folder. */
export function guardedRun<T>(path: string, action: () => T): T {
  return guarded(path, action, "`run_dir=…` puts the run elsewhere");
}
