import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { inspectCommand } from "../../../src/commands/inspect.ts";
import { testContext } from "../../commands/buffers.ts";
import { testFolder, thrownBy } from "../../helpers/folder.ts";

const folder = testFolder();
const records = [
  { format_version: 1, epoch: 0, dex: 0.25, train_loss: { total: 2e-3, worst: 1 }, improved: true },
  { format_version: 1, epoch: 1, dex: null, train_loss: { total: null, worst: 1 }, improved: false, later: "a, b" },
];
const nonfinite = { dex: "NaN", "train_loss.total": "Infinity" };

async function csv(path: string, json = false): Promise<string> {
  const context = testContext({ cwd: folder, args: { file: path, csv: true }, overrides: [], json });
  await inspectCommand.run(context);
  return context.stdout.text;
}

it("prints every key of every epoch, numbers that are none by their names", async () => {
  mkdirSync(join(folder, "run"));
  const lines = [records[0], { ...records[1], nonfinite }].map((record) => JSON.stringify(record));
  // The run goes on: its last line is cut.
  writeFileSync(join(folder, "run/epochs.jsonl"), `${lines.join("\n")}\n{"epo`);
  const expected = [
    "format_version,epoch,dex,train_loss.total,train_loss.worst,improved,later",
    "1,0,0.25,0.002,1,true,",
    '1,1,NaN,Infinity,1,false,"a, b"',
    "",
  ].join("\n");
  expect(await csv("run")).toBe(expected);
  expect(await csv("run/epochs.jsonl")).toBe(expected);
  writeFileSync(join(folder, "autoencoder.json"), JSON.stringify([records[0]]));
  expect((await csv("autoencoder.json")).split("\n")[1]).toBe("1,0,0.25,0.002,1,true");
});

it("says what has no log of epochs", async () => {
  writeFileSync(join(folder, "other.json"), "{}");
  for (const path of ["nowhere", "other.json"]) expect(await thrownBy(() => csv(path), folder)).toMatch(/^DataError/);
  expect(await thrownBy(() => csv("run", true), folder)).toMatch(/^ConfigError: --csv and --json/);
});
