import { expect, it } from "vitest";
import { expandAliases } from "../../src/commands/aliases.ts";

const aliases = { train_split: "dataset.preprocessing.train_split" };

it.each([
  ["train_split=0.8", "dataset.preprocessing.train_split=0.8"],
  ["+train_split=0.8", "+dataset.preprocessing.train_split=0.8"],
  ["++train_split=", "++dataset.preprocessing.train_split="],
  ["~train_split", "~dataset.preprocessing.train_split"],
  ["~train_split=0.8", "~dataset.preprocessing.train_split=0.8"],
])("replaces the short name in %s", (short, full) => {
  expect(expandAliases([short], aliases)).toEqual([full]);
});

it.each(["model.train_split=1", "train_splits=1", "a=train_split=1", "train_split.x=1", "constructor=1", "", "="])(
  "leaves %j alone",
  (override) => {
    expect(expandAliases([override], aliases)).toEqual([override]);
  },
);

it("leaves everything alone where a command has no short names", () => {
  expect(expandAliases(["train_split=1"], undefined)).toEqual(["train_split=1"]);
});
