import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { openRun } from "../../src/commands/run-folder.ts";
import { observeRun } from "../../src/commands/run-observer.ts";
import type { EpochRecord } from "../../src/training/observer.ts";
import { testContext } from "./buffers.ts";

it("tells each epoch and note on stderr, in epochs.jsonl and in the log", () => {
  const context = testContext();
  const run = openRun("train", { config: { seed: 1 }, toYaml: () => "" }, context);
  const observer = observeRun(run, context, { unit: "windows", maxMinutes: null });
  const train_loss = { total: 2e-3, reconstruction: 1, worst: 1, conservation: 0 };
  const record = {
    epoch: 0,
    mean: 0.5,
    dex: 0.25,
    learning_rate: 1e-3,
    train_loss,
    items_per_second: 7,
  } as EpochRecord;
  observer.epochStarted?.(0, 1, null);
  observer.batchDone?.(5, 2e-3);
  observer.validationStarted?.(1);
  observer.epochEnded?.(record);
  observer.note?.("dropout lowered", { dropout: 0.25 });
  observer.note?.("caches are read");
  run.finish("completed");

  expect(context.stderr.text).toBe(
    "epoch 1 train_loss 2.00e-3 val_mre 5.00e-1 val_dex 0.250 lr 1.00e-3 7 windows/s\ndropout lowered: dropout 0.25\ncaches are read\n",
  );
  expect(JSON.parse(readFileSync(join(run.folder, "epochs.jsonl"), "utf8"))).toEqual({ format_version: 1, ...record });
  expect(readFileSync(join(run.folder, "run.log"), "utf8")).toContain('"dropout":0.25');
});
