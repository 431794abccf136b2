#!/usr/bin/env node
import { reportFailure } from "./commands/failure.ts";
import { Interruption } from "./commands/interruption.ts";
import { main } from "./commands/main.ts";
import { packageVersion } from "./version.ts";

const { stdout, stderr } = process;
const interruption = new AbortController();

/** The first signal lets the command end well; the second, from an impatient user, ends it here. */
const signals = ["SIGINT", "SIGTERM"] as const;
function interrupt(signal: (typeof signals)[number]): void {
  const reason = new Interruption(signal);
  if (interruption.signal.aborted) process.exit(reason.exitCode);
  stderr.write(`\n${signal}: ending after this step; once more to quit at once\n`);
  interruption.abort(reason);
}
for (const signal of signals) process.on(signal, interrupt);

/** Schedulers send it some time before they end a job: the state is written down, and the work goes on. */
let isCheckpointWanted = false;
process.on("SIGUSR1", () => {
  isCheckpointWanted = true;
});

/** Whoever reads our output may stop reading (`| head`): what is left unsaid is not an error. */
for (const stream of [stdout, stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

process.on("uncaughtException", (error) => {
  process.exit(reportFailure(error, { stderr, debug: true, version: packageVersion }));
});

const exitCode = await main(process.argv.slice(2), {
  cwd: process.cwd(),
  env: process.env,
  now: () => new Date(),
  stdout,
  stderr,
  signal: interruption.signal,
  whileBlocking(action) {
    // A handler is called between two turns of the event loop; without one the system ends the process.
    for (const signal of signals) process.off(signal, interrupt);
    try {
      return action();
    } finally {
      for (const signal of signals) process.on(signal, interrupt);
    }
  },
  takeCheckpointRequest() {
    const isWanted = isCheckpointWanted;
    isCheckpointWanted = false;
    return isWanted;
  },
});
// Pipes are written in the background; a worker or an open handle must not keep the process alive afterwards.
await Promise.all([stdout, stderr].map((stream) => new Promise((done) => stream.write("", done))));
process.exit(exitCode);
