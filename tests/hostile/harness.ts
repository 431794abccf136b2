import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { TargetName } from "./targets.ts";

/** What came of a number of cases. */
export interface Report {
  accepted: number;
  refused: number;
  /** Crashes, hangs, errors of the wrong class, wrong results, too much memory; with what is needed to see them again. */
  faults: string[];
}

/** A case takes milliseconds; a machine that others use takes its time. */
const longestCase = 60_000;
/** Issue 7's limit. */
const mostKilobytes = 2 ** 20;
const mostFaults = 12;

interface Told {
  readonly index: number;
  readonly outcome?: "accepted" | "refused" | "fault";
  readonly what?: string;
  readonly kilobytes?: number;
}

/** Attacks the target of that name with `count` cases, drawn from `seed`. */
export async function attack(name: TargetName, seed: number, count: number): Promise<Report> {
  const report: Report = { accepted: 0, refused: 0, faults: [] };
  let next = 0;
  while (next < count && report.faults.length < mostFaults) next = await runChild(name, seed, count, next, report);
  return report;
}

/** Runs one process until it is through or has to be given up. @returns the case to go on with */
function runChild(name: string, seed: number, count: number, skip: number, report: Report): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      "--import",
      import.meta.resolve("tsx"),
      fileURLToPath(new URL("child.ts", import.meta.url)),
      name,
      `${seed}`,
      `${count}`,
      `${skip}`,
    ],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  let [current, errors, text] = [skip - 1, "", ""];
  let ending: string | undefined;
  const fault = (what: string): void => {
    report.faults.push(`${name}, seed ${seed}, case ${current} of ${count}: ${what}`);
  };
  const giveUp = (what: string): void => {
    ending ??= what;
    child.kill("SIGKILL");
  };
  let timer = setTimeout(giveUp, longestCase, "it did not start");
  const hear = ({ index, outcome, what, kilobytes = 0 }: Told): void => {
    current = index;
    clearTimeout(timer);
    timer = setTimeout(giveUp, longestCase, "it hangs");
    if (outcome === "fault") fault(what ?? "");
    else if (outcome !== undefined) report[outcome] += 1;
    if (kilobytes > mostKilobytes) giveUp(`${kilobytes} kB of memory`);
    if (report.faults.length >= mostFaults) child.kill("SIGKILL");
  };
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (text + chunk).split("\n");
    text = lines.pop()!;
    for (const line of lines) hear(JSON.parse(line) as Told);
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    errors = (errors + chunk).slice(-2000);
  });
  return new Promise((done) => {
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (code === 0) return done(count);
      if (report.faults.length < mostFaults)
        fault(ending ?? `it ended the process: ${signal ?? code} ${errors.slice(-600)}`);
      done(current + 1);
    });
  });
}
