import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { appendHistory, type HistoryEntry, readHistory, slowerThanBefore } from "../../bench/history.ts";
import { testFolder } from "../helpers/folder.ts";

const folder = testFolder();

function entry(rounds: number[], change: Partial<HistoryEntry> = {}): HistoryEntry {
  const machine = { cpu: "A", cores: 2, node: "22.1.0", clock: "wall", dirty: false };
  const run = { time: "2026-01-01T00:00:00.000Z", commit: "0123456789abcdef", peer_milliseconds: null };
  return { ...machine, ...run, case: "encode, batch 8192", path: "compiled", threads: 2, rounds, ...change };
}

it("tells a case that became slower than its rounds scatter, with commit and both times", () => {
  const before = entry([10, 10.1, 9.9], { peer_milliseconds: 20 });
  const lines = slowerThanBefore([entry([30, 30, 30]), before], [entry([12, 12.1, 11.9], { peer_milliseconds: 22 })]);
  expect(lines).toMatchInlineSnapshot(`
    [
      "history: 1 of 1 cases slower than the last run on such a machine",
      "  slower: encode, batch 8192, compiled, 2 threads: 10.0 → 12.0 ms (1.20 times; noise 0.46 ms; the peer took 1.10 times as long), since 012345678, 2026-01-01T00:00:00.000Z",
    ]
  `);
});

it("tells nothing of what is faster, within 5 %, or within the noise of either run", () => {
  const quiet = entry([10, 10.1, 9.9]);
  for (const rounds of [
    [8, 8, 8],
    [10.4, 10.4, 10.4],
    [9, 13, 17],
  ]) {
    expect(slowerThanBefore([quiet], [entry(rounds)])).toEqual([expect.stringContaining("0 of 1 cases slower")]);
  }
  expect(slowerThanBefore([entry([6, 10, 14])], [entry([13, 13, 13])])[0]).toContain("0 of 1");
});

it("compares with the last run of the same machine, engine, threads, clock and Node only", () => {
  const slow = entry([20, 20, 20]);
  const others = [{ cpu: "B" }, { cores: 4 }, { path: "C" }, { threads: 1 }, { clock: "cpu" }, { node: "24.0.0" }];
  const lines = slowerThanBefore(
    others.map((change) => entry([10, 10, 10], change)),
    [slow, entry([20], { case: "one round" })],
  );
  expect(lines).toEqual([
    "history: 0 of 0 cases slower than the last run on such a machine",
    "2 not compared: no earlier run like it, or fewer than 3 rounds",
  ]);
});

it("keeps a line a case, and half a line of a killed run spoils no other", () => {
  const path = join(folder, "history.jsonl");
  expect(readHistory(path)).toEqual({ entries: [], unreadable: 0 });
  const [first, second] = [entry([1, 2, 3]), entry([4, 5, 6], { case: "decode" })];
  appendHistory(path, [first]);
  appendFileSync(path, '{"time":"2026');
  appendHistory(path, [second]);
  expect(readHistory(path)).toEqual({ entries: [first, second], unreadable: 1 });
});
