import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { median } from "../src/analysis/prediction-metrics.ts";

/** What two timings have to share to be compared. */
const sameSetup = ["case", "path", "threads", "clock", "cpu", "cores", "node"] as const;

/** One case of one run: a line of the history. */
export interface HistoryEntry {
  readonly time: string;
  /** Null where no git tells it. */
  readonly commit: string | null;
  /** Files differed from the commit. */
  readonly dirty: boolean;
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly clock: string;
  readonly case: string;
  /** What computes: `compiled`, `native`, `wasm`, `native-c` or `C`. */
  readonly path: string;
  readonly threads: number;
  /** Milliseconds, one number a round. */
  readonly rounds: readonly number[];
  /** The peer's median in the same rounds: it shows whether the machine itself was slower. */
  readonly peer_milliseconds: number | null;
}

/** Fewer rounds have no spread to compare with. */
const fewestRounds = 3;
/** Below it no difference is told: other processes and the placement of memory make as much. */
const leastShare = 0.05;

/** Appends in one write, so that two runs at once do not mix their lines. */
export function appendHistory(path: string, entries: readonly HistoryEntry[]): void {
  // A run that was killed while it wrote leaves half a line, which must not spoil the next one.
  const text = existsSync(path) ? readFileSync(path, "utf8") : "";
  const start = text === "" || text.endsWith("\n") ? "" : "\n";
  appendFileSync(path, start + entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
}

/** Entries, oldest first. Lines that are none are counted and passed over. */
export function readHistory(path: string): { entries: HistoryEntry[]; unreadable: number } {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];
  const entries = lines.flatMap((line): HistoryEntry[] => {
    try {
      const entry: HistoryEntry = JSON.parse(line);
      return Array.isArray(entry?.rounds) && entry.rounds.length > 0 ? [entry] : [];
    } catch {
      return [];
    }
  });
  return { entries, unreadable: lines.length - entries.length };
}

/**
 * Lines for people: which cases became slower than the last time on such a machine. A difference of medians counts where it exceeds 3
 * standard errors, told by the median deviation within the rounds of both runs, and 5 % of the earlier time.
 */
export function slowerThanBefore(earlier: readonly HistoryEntry[], now: readonly HistoryEntry[]): string[] {
  const pairs = now.map((entry) => {
    const before = earlier.findLast((old) => sameSetup.every((key) => old[key] === entry[key]));
    return { entry, before };
  });
  const comparable = pairs.flatMap(({ entry, before }) =>
    before && Math.min(before.rounds.length, entry.rounds.length) >= fewestRounds ? [{ entry, before }] : [],
  );
  const slower = comparable.flatMap(({ entry, before }) => {
    const [was, is] = [median(before.rounds), median(entry.rounds)];
    const noise = 3 * Math.hypot(standardError(before.rounds), standardError(entry.rounds));
    return is - was > Math.max(noise, leastShare * was) ? [told(entry, before, noise)] : [];
  });
  const left = now.length - comparable.length;
  return [
    `history: ${slower.length} of ${comparable.length} cases slower than the last run on such a machine`,
    ...slower,
    ...(left > 0 ? [`${left} not compared: no earlier run like it, or fewer than ${fewestRounds} rounds`] : []),
  ];
}

function told(entry: HistoryEntry, before: HistoryEntry, noise: number): string {
  const [was, is] = [median(before.rounds), median(entry.rounds)];
  const { peer_milliseconds: peerIs } = entry;
  const { peer_milliseconds: peerWas } = before;
  const peer = peerIs && peerWas ? `; the peer took ${(peerIs / peerWas).toFixed(2)} times as long` : "";
  const at = `${before.commit?.slice(0, 9) ?? "no commit"}${before.dirty ? " with changes" : ""}, ${before.time}`;
  const figures = `${was.toPrecision(3)} → ${is.toPrecision(3)} ms (${(is / was).toFixed(2)} times; noise ${noise.toPrecision(2)} ms${peer})`;
  return `  slower: ${entry.case}, ${entry.path}, ${entry.threads} threads: ${figures}, since ${at}`;
}

/** Of the median of some rounds, as if they were normal: outliers of a busy machine do not widen it. */
function standardError(rounds: readonly number[]): number {
  const middle = median(rounds);
  const deviation = 1.4826 * median(rounds.map((time) => Math.abs(time - middle)));
  return (Math.sqrt(Math.PI / 2) * deviation) / Math.sqrt(rounds.length);
}
