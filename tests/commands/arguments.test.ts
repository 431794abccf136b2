import { spawn } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { writeNpy } from "../../src/formats/npy.ts";
import { temporaryFolder } from "./buffers.ts";
import { program, run } from "./child.ts";

it("compare names what is missing before it works", async () => {
  expect((await run(["compare", "+a=1"])).stderr).toContain("1 argument is missing");
  expect((await run(["compare", "one", "a=1"])).stderr).toContain("a comparison needs two runs or more");
});

it.each([
  [["watch", ""], "`folder` is empty"],
  [["emulate", ""], "`input` is empty"],
  [["compare", "a", "", "b"], "`runs` is empty"],
  [["emulate", "a.h5", "--output", ""], "`--output` is empty"],
  [["compare", ""], "1 argument is missing"],
])("an empty word is none to guess from: %j", async (words, message) => {
  const { code, stderr } = await run(words);
  expect(code).toBe(2);
  expect(stderr).toContain(`error: ${message}`);
});

it.each(["SIGTERM", "SIGINT"] as const)("%s ends what computes without a turn of the event loop", async (signal) => {
  const cwd = temporaryFolder();
  writeNpy(join(cwd, "big.npy"), { shape: [2 ** 25], data: new Float32Array(2 ** 25) });
  const child = spawn(process.execPath, [...program, "inspect", "big.npy"], { cwd });
  const ended = new Promise<unknown>((done) => child.on("close", (code, by) => done(by ?? code)));
  setTimeout(() => child.kill(signal), 400);
  // By the signal itself, by our own handler, or done before.
  expect(await ended).toBeOneOf([signal, 130, 143, 0]);
});
