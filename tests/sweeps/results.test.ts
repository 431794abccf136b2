import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { completedRuns, readPlan, writePlan, writeState } from "../../src/sweeps/folder.ts";
import { sweepPage } from "../../src/sweeps/page.ts";
import { collectSweep, writeResults } from "../../src/sweeps/results.ts";
import { temporaryFolder } from "../commands/buffers.ts";

/** Two models with three seeds each; the last point failed. The metrics of the first are 1, 2, 3. */
function sweep(): string {
  const folder = temporaryFolder();
  const points = ["a", "b<i>, c"].flatMap((model) =>
    ["0", "1", "2"].map((seed) => ({ overrides: [], values: { model, seed } })),
  );
  const rest = { command: "train-emulator", command_line: [], created_at: "", cwd: folder, config_dirs: [], flags: [] };
  writePlan(folder, { ...rest, launcher: { name: "local", jobs: null }, points });
  for (const index of [0, 1, 2, 3, 4]) {
    mkdirSync(join(folder, String(index)));
    const summary = { outcome: "completed", best_metric: 1 + index, metric: "dex", reason: "max_epochs" };
    writeFileSync(join(folder, String(index), "summary.json"), JSON.stringify(summary));
  }
  const state = {
    attempt: 2,
    job: null,
    host: "h",
    pid: 1,
    started_at: "",
    ended_at: "",
    checkpoint: null,
    stalled: 0,
  };
  writeState(folder, 5, { ...state, state: "failed", exit_code: 5 });
  return folder;
}

describe("the results of a sweep", () => {
  it("group what differs in seeds alone, with the interval of Student's t", () => {
    const { objective, groups, points } = collectSweep(sweep());
    expect(objective).toBe("best_metric");
    expect(points.map(({ state }) => state)).toEqual([...Array(5).fill("completed"), "failed"]);
    // 2 ± 4.303 · 1 / √3; of 4 and 5: 4.5 ± 12.706 · √0.5 / √2.
    expect(groups[0]).toMatchObject({ values: { model: "a" }, points: [0, 1, 2], mean: 2 });
    expect(groups[0]!.high).toBeCloseTo(4.4844, 3);
    expect(groups[1]).toMatchObject({ values: { model: "b<i>, c" }, points: [3, 4], mean: 4.5 });
    expect(groups[1]!.low).toBeCloseTo(-1.853, 3);
  });

  it("are a table that other programs read, and a page of its own", async () => {
    const folder = sweep();
    const results = collectSweep(folder);
    writeResults(folder, results);
    const rows = readFileSync(join(folder, "sweep.csv"), "utf8").split("\n");
    expect(rows[0]).toBe("point,state,exit_code,attempts,model,seed,best_metric,metric,reason,run");
    expect(rows[1]).toBe(`0,completed,0,0,a,0,1,dex,max_epochs,${folder}/0`);
    expect(rows[6]).toBe(`5,failed,5,2,"b<i>, c",2,,,,${folder}/5`);
    expect(JSON.parse(readFileSync(join(folder, "sweep.json"), "utf8"))).toEqual(results);
    const page = await sweepPage(results);
    expect(page).toContain("5 of 6 points completed");
    expect(page).toContain("b&lt;i&gt;, c");
    expect(page).not.toContain("b<i>");
    expect(page).not.toMatch(/(src|href)="(?!#|data:)/);
  });

  it("of a sweep that has not begun are there, too", async () => {
    const folder = temporaryFolder();
    const rest = { command: "evaluate", command_line: [], created_at: "", cwd: folder, config_dirs: [], flags: [] };
    writePlan(folder, { ...rest, launcher: { name: "local", jobs: null }, points: [{ overrides: [], values: {} }] });
    const results = collectSweep(folder);
    expect(results).toMatchObject({ objective: null, groups: [], points: [{ state: "waiting" }] });
    expect(await sweepPage(results)).toContain("0 of 1 points completed");
  });

  it("give compare the runs that are done", () => {
    const folder = sweep();
    expect(completedRuns(folder)!.map(({ path }) => path)).toEqual([0, 1, 2, 3, 4].map((n) => join(folder, String(n))));
    expect(completedRuns(join(folder, "0"))).toBe(null);
  });
});

describe("multirun.yaml", () => {
  it.each([
    ["format_version: 99\n", "this version reads 1"],
    ["format_version: 1\npoints: 3\n", "is damaged: `command`"],
    ["{", "is damaged"],
  ])("%j is refused: %s", (text, why) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "multirun.yaml"), text);
    expect(() => readPlan(folder)).toThrow(why);
  });
});
