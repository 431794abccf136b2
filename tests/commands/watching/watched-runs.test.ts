import { appendFileSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { WatchedRuns } from "../../../src/commands/watching/watched-runs.ts";
import { temporaryFolder } from "../buffers.ts";
import { endRun, epochTo, logTo, writeRun } from "./run-files.ts";

function watch(folder: string, now = Date.now): WatchedRuns {
  return new WatchedRuns(() => [folder], folder, now);
}

describe("the runs below a folder", () => {
  it("are found at the places of single runs, days and sweeps, as they come and go", async () => {
    const base = temporaryFolder();
    const runs = watch(base);
    expect((await runs.poll()).runs).toEqual([]);
    const places = ["outputs/2026-11-27/10-15-00-train-emulator", "multirun/2026-11-27/11-00-00/3", "own"];
    for (const place of places) writeRun(join(base, place));
    writeRun(join(base, "own/below"));
    mkdirSync(join(base, "empty"));
    symlinkSync(base, join(base, "circle"));
    for (let look = 0; look < 5; look++) await runs.poll();
    expect(runs.all.runs.map(({ name }) => name).sort()).toEqual(places.toSorted());
    const own = runs.all.runs.find(({ name }) => name === "own")!;
    rmSync(join(base, "own"), { recursive: true });
    const gone: number[] = [];
    for (let look = 0; look < 5; look++) gone.push(...(await runs.poll()).gone);
    expect(gone).toEqual([own.id]);
    const single = watch(join(base, places[1]!));
    await single.poll();
    expect(single.all.runs).toMatchObject([{ name: "3", command: "train-emulator" }]);
  });
});

describe("a run", () => {
  it("tells what it is told to do, and each epoch once", async () => {
    const folder = temporaryFolder();
    const runs = watch(folder);
    writeRun(folder, { overrides: ["seed=1", "model.lr=\u001b[31m"], maxEpochs: 10 });
    const [first] = (await runs.poll()).runs;
    expect(first).toMatchObject({
      command: "train-emulator",
      overrides: ["seed=1", "model.lr=\\u001b[31m"],
      unit: "windows",
      maxEpochs: 10,
      state: "running",
      left: null,
      log: [expect.stringMatching(/^\d\d:15:00 run started$/)],
    });
    epochTo(folder, 0);
    epochTo(folder, 1, { dex: null, metric: null, nonfinite: { dex: "NaN" } });
    appendFileSync(join(folder, "epochs.jsonl"), 'no JSON\n[]\n{"epoch":"x"}\n{"epoch": 2, "train_lo');
    const [change] = (await runs.poll()).runs;
    expect(change).toMatchObject({
      isWhole: false,
      metric: "dex",
      points: [
        [1, 1, 0.5, 2, 1e-3, 1200, 2],
        [2, 0.5, null, 1, 1e-3, 1201, 4],
      ],
      left: 16,
    });
    expect(await runs.poll()).toMatchObject({ runs: [], gone: [] });
    appendFileSync(join(folder, "epochs.jsonl"), 'ss": {}}\n');
    expect((await runs.poll()).runs[0]!.points).toEqual([[3, null, null, null, null, null, 4]]);
  });

  it("begins again where its epochs do: a resumed run writes them anew, or does some again", async () => {
    const folder = temporaryFolder();
    const runs = watch(folder);
    writeRun(folder);
    for (const epoch of [0, 1, 2]) epochTo(folder, epoch);
    endRun(folder, "interrupted");
    expect((await runs.poll()).runs).toMatchObject([{ state: "interrupted", best: 0.5 / 3, metric: "dex" }]);
    rmSync(join(folder, "summary.json"));
    rmSync(join(folder, "epochs.jsonl"));
    writeRun(folder, { maxEpochs: 4 });
    epochTo(folder, 0);
    const [again] = (await runs.poll()).runs;
    expect(again).toMatchObject({
      isWhole: true,
      points: [expect.arrayContaining([1, 0.5])],
      maxEpochs: 4,
      state: "running",
      best: 0.5,
    });
    epochTo(folder, 1);
    epochTo(folder, 1, { dex: 0.125, metric: 0.125 });
    const [twice] = (await runs.poll()).runs;
    expect(twice).toMatchObject({ isWhole: true, best: 0.125 });
    expect(twice!.points.map(([epoch]) => epoch)).toEqual([1, 2]);
  });

  it.each([
    ["completed", "ended"],
    ["failed", "failed"],
    ["interrupted", "interrupted"],
  ])("that says %s is %s", async (outcome, state) => {
    const folder = temporaryFolder();
    writeRun(folder);
    logTo(folder, "<b>no room</b>", 50);
    endRun(folder, outcome);
    const runs = watch(folder);
    expect((await runs.poll()).runs).toMatchObject([{ state }]);
    expect(runs.all.runs[0]!.log.at(-1)).toContain("error: <b>no room</b>");
  });

  it("is silent where no process works in it, or nothing is written for long", async () => {
    const folder = temporaryFolder();
    writeRun(folder, { isHeld: false });
    expect((await watch(folder).poll()).runs).toEqual([expect.objectContaining({ state: "silent" })]);
    writeRun(folder);
    expect((await watch(folder).poll()).runs).toMatchObject([{ state: "running" }]);
    const later = Date.now() + 600_000;
    expect((await watch(folder, () => later).poll()).runs).toMatchObject([{ state: "silent" }]);
    // Its process touches its lock.
    utimesSync(join(folder, ".lock"), later / 1000, later / 1000);
    expect((await watch(folder, () => later).poll()).runs).toMatchObject([{ state: "running" }]);
  });

  it("estimates the time left by its last epochs, and by its limit of time", async () => {
    const folder = temporaryFolder();
    writeRun(folder, { maxEpochs: 40, maxMinutes: 1 });
    for (let epoch = 0; epoch < 10; epoch++) epochTo(folder, epoch, { seconds_training: 0.25, seconds_validation: 0 });
    const runs = watch(folder);
    await runs.poll();
    expect(runs.all.runs[0]!.left).toBe(8); // 30 epochs of 0.25 s, rounded
    for (let epoch = 10; epoch < 20; epoch++) epochTo(folder, epoch, { seconds_training: 4, seconds_validation: 0 });
    await runs.poll();
    expect(runs.all.runs[0]!.left).toBe(18); // of 60 s, not 20 epochs of 4 s
  });

  it("counts the epochs of an ensemble's members on", async () => {
    const folder = temporaryFolder();
    writeRun(folder, { maxEpochs: 3, members: 2 });
    const runs = watch(folder);
    for (const epoch of [0, 1, 2]) epochTo(folder, epoch, { member: 0 });
    epochTo(folder, 0, { member: 1 });
    await runs.poll();
    for (const epoch of [1, 1]) epochTo(folder, epoch, { member: 1 });
    await runs.poll();
    expect(runs.all.runs[0]).toMatchObject({ maxEpochs: 6, left: 2 });
    expect(runs.all.runs[0]!.points.map(([epoch]) => epoch)).toEqual([1, 2, 3, 4, 5]);
  });

  it("keeps long trainings short, and the best of them", async () => {
    const folder = temporaryFolder();
    writeRun(folder, { maxEpochs: null });
    const lines = Array.from({ length: 5000 }, (_, epoch) => {
      const dex = epoch === 1233 ? 0.001 : 1;
      return JSON.stringify({ epoch, mean: 2, dex, metric: dex, train_loss: { total: 1 } });
    });
    writeFileSync(join(folder, "epochs.jsonl"), `${lines.join("\n")}\n`);
    const runs = watch(folder);
    await runs.poll();
    const [run] = runs.all.runs;
    expect(run).toMatchObject({ best: 0.001, left: null });
    expect(run!.points.length).toBeLessThanOrEqual(2500);
    expect(run!.points.at(-1)![0]).toBe(5000);
  });

  it("is read to its end where it has ended and its log is long", async () => {
    const folder = temporaryFolder();
    writeRun(folder);
    const text = "x".repeat(1500);
    const lines = Array.from({ length: 5000 }, (_, epoch) => JSON.stringify({ epoch, metric: 5000 - epoch, text }));
    writeFileSync(join(folder, "epochs.jsonl"), `${lines.join("\n")}\n`);
    endRun(folder, "completed");
    const runs = watch(folder);
    for (let look = 0; look < 3; look++) await runs.poll();
    expect(runs.all.runs[0]).toMatchObject({ best: 1 });
  });
});
