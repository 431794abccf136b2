import { expect, it } from "vitest";
import { TensorBoardLog } from "../../src/commands/tensorboard-log.ts";
import type { EpochRecord } from "../../src/training/observer.ts";
import { readEvents } from "../helpers/event-files.ts";
import { temporaryFolder } from "./buffers.ts";

const now = () => new Date(2026, 10, 27);

function recordOf(epoch: number, member: number): EpochRecord {
  const train_loss = { total: Number.NaN, reconstruction: 0.5, worst: 0, conservation: 0 };
  return { epoch, member, dex: 0.25, mean: 1, learning_rate: 1e-3, improved: true, train_loss } as EpochRecord;
}

it("has every number of the epochs once, those of an ensemble's members one after the other, whatever is done again", () => {
  const folder = temporaryFolder();
  const config = { model: { name: "a|b", betas: [0.9, 0.99] }, seed: 0 };
  const first = new TensorBoardLog(folder, config, now);
  for (const [epoch, member] of [
    [0, 0],
    [1, 0],
    [0, 1],
    [1, 1],
  ] as const)
    first.add(recordOf(epoch, member));
  // In the same second, which the names do not show.
  const second = new TensorBoardLog(folder, config, now);
  second.goOn(2);
  second.goOn(3);
  second.add(recordOf(1, 1));
  const events = readEvents(folder);
  const scalars = events.filter((event) => Object.keys(event.scalars).length > 0);
  expect(scalars.map(({ step, scalars: { "training/member": member } }) => [step, member])).toEqual([
    [1, 0],
    [2, 0],
    [3, 1],
    [4, 1],
  ]);
  expect(scalars[0]!.scalars).toEqual({
    "training/member": 0,
    "validation/dex": 0.25,
    "validation/mean": 1,
    "training/learning_rate": Math.fround(1e-3),
    "train_loss/total": Number.NaN,
    "train_loss/reconstruction": 0.5,
    "train_loss/worst": 0,
    "train_loss/conservation": 0,
  });
  expect(events.filter(({ isStart }) => isStart).map(({ step }) => step)).toEqual([1, 4]);
  expect(new Set(events.map(({ file }) => file)).size).toBe(2);
  expect(events.find(({ texts }) => texts.hyperparameters)!.texts.hyperparameters).toBe(
    "| key | value |\n|---|---|\n| model.name | a\\|b |\n| model.betas | [0.9,0.99] |\n| seed | 0 |",
  );
});
