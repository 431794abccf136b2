import { expect, it } from "vitest";
import { differingKeys } from "../../src/config/difference.ts";

it("names the keys in which two configurations differ, lists as a whole, but for those of no account", () => {
  const a = { seed: 0, run_dir: "a", model: { lr: 1, betas: [0.9, 0.99], name: "x" } };
  const b = { seed: 0, run_dir: "b", model: { lr: 1, betas: [0.9, 0.999], extra: null } };
  expect(differingKeys(a, a, () => false)).toEqual([]);
  expect(differingKeys(a, b, (key) => key === "run_dir")).toEqual(["model.betas", "model.extra", "model.name"]);
  expect(differingKeys({ model: { lr: 1 } }, { model: 1 }, () => false)).toEqual(["model"]);
});
