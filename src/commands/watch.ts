import { existsSync, fstatSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { isatty } from "node:tty";
import { counted } from "../counted.ts";
import { ConfigError } from "../errors.ts";
import { runFoldersIn } from "../formats/run-folders.ts";
import type { Command, CommandContext } from "./command.ts";

/** Shows runs in a browser while they go on. */
export const watchCommand: Command = {
  describe:
    "Serves a page with the live curves, state, time left and log of all runs below a folder: a run, `outputs`, a sweep. It listens on " +
    "127.0.0.1 only, below a path that nobody can guess, and changes nothing. It ends with Ctrl-C, and with its terminal (docs/runs.md).",
  positionals: { folder: "the folder (default: the newest day of outputs and multirun)" },
  options: { port: { type: "number", describe: "port to listen on (default: any that is free)" } },
  examples: [
    ["astrochem watch", "the runs of the newest day, in a browser"],
    ["astrochem watch outputs --port 8765", "all runs, on a port that an `ssh -L` names already"],
  ],
  async run(context) {
    const port = portOf(context.args.port);
    const { folders, base, shown } = placesOf(context);
    const [{ serve }, { watchPage }, { WatchedRuns }] = await Promise.all([
      import("./watching/serve.ts"),
      import("./watching/watch-page.ts"),
      import("./watching/watched-runs.ts"),
    ]);
    const runs = new WatchedRuns(folders, base, () => context.now().getTime());
    await runs.search();
    const served = await serve(runs, watchPage(shown), port);
    tell(
      served,
      `${shown}: ${runs.count > 0 ? counted(runs.count, "run") : "no run is there yet, waiting for one"}`,
      context,
    );
    await untilTheEnd(context.signal);
    await served.close();
  },
};

/** @throws ConfigError where it is none */
function portOf(value: unknown): number {
  const port = value === undefined ? 0 : Number(value);
  if (Number.isInteger(port) && port >= 0 && port < 65_536) return port;
  throw new ConfigError(`\`--port\` must be a port, got ${value}`, { fix: "give a number from 1024 to 65535" });
}

/** What is watched, now and later: without a folder, what is newest then. @throws ConfigError for a folder that is not there */
function placesOf({ args, cwd }: CommandContext): { folders: () => readonly string[]; base: string; shown: string } {
  if (typeof args.folder === "string") {
    const folder = resolve(cwd, args.folder);
    if (!existsSync(folder)) {
      throw new ConfigError(`there is no folder ${folder}`, {
        fix: "give a run's folder, one with runs below it, or none for the newest runs",
      });
    }
    return { folders: () => [folder], base: folder, shown: args.folder };
  }
  const roots = ["outputs", "multirun"].map((name) => join(cwd, name));
  const newestDay = (): string[] => {
    const days = roots.flatMap((root) => runFoldersIn(root).slice(0, 1).map(dirname));
    const newest = days
      .map((day) => basename(day))
      .sort()
      .at(-1);
    return days.filter((day) => basename(day) === newest);
  };
  return { folders: newestDay, base: cwd, shown: "outputs and multirun (newest day)" };
}

function tell(served: { url: string; port: number }, what: string, { stdout, json }: CommandContext): void {
  const { url, port } = served;
  const tunnel = `ssh -L ${port}:127.0.0.1:${port} ${hostname()}`;
  if (json) stdout.write(`${JSON.stringify({ url, port, tunnel })}\n`);
  else {
    stdout.write(`watching ${what}\nopen ${url}\n`);
    stdout.write(`from another machine, type there first: ${tunnel}\nCtrl-C ends it\n`);
  }
}

const terminalCheck_ms = 1000;

/**
 * Until a signal, or the end of the terminal. That comes with SIGHUP, which ends the process by itself, but for jobs that a shell let go of;
 * these lose the terminal. Behind `ssh` without a terminal stdin is a pipe, which ends. Of a file or /dev/null the end says nothing.
 */
function untilTheEnd(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) return done();
    signal.addEventListener("abort", () => done(), { once: true });
    if (isatty(0)) {
      // It is not read: that would stop a job in the background.
      const timer = setInterval(() => isatty(0) || done(), terminalCheck_ms);
      signal.addEventListener("abort", () => clearInterval(timer), { once: true });
    } else if (isPipe()) {
      for (const event of ["end", "close", "error"]) process.stdin.once(event, () => done());
      process.stdin.resume();
    }
  });
}

function isPipe(): boolean {
  try {
    const kind = fstatSync(0);
    return kind.isFIFO() || kind.isSocket();
  } catch {
    return false;
  }
}
