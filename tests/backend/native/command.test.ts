import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { main } from "../../../src/commands/main.ts";
import { testContext } from "../../commands/buffers.ts";
import { testFolder } from "../../helpers/folder.ts";
import { fakeTools } from "./fake-tools.ts";

const folder = testFolder();

/** What `astrochem backend …` prints, with the folder's path left out. */
async function backend(words: string[], env: Record<string, string> = {}) {
  const context = testContext({ cwd: folder, env: { HOME: folder, ...env } });
  const code = await main(["backend", ...words], context);
  const shown = (text: string): string => text.replaceAll(folder, "…");
  return { code, stdout: shown(context.stdout.text), stderr: shown(context.stderr.text) };
}

describe("astrochem backend", () => {
  it("lists what runs here and the remedy for the rest", async () => {
    const { stdout } = await backend(["--json"]);
    const { backends, auto, cache } = JSON.parse(stdout);
    expect(backends.map(({ name }: { name: string }) => name)).toEqual([
      "cuda",
      "compiled",
      "cpu",
      "wasm",
      "native-c",
      "webgpu",
    ]);
    expect(backends[2]).toEqual({
      name: "cpu",
      request: "device=cpu engine=eager",
      runs: false,
      why: "no native TensorFlow for cpu is installed",
      fix: "astrochem backend install cpu",
    });
    expect(backends.find(({ name }: { name: string }) => name === auto).runs).toBe(true);
    expect(cache).toBe("…/.cache/astrochem");
    expect((await backend([])).stdout).toContain(`device=auto takes ${auto}\n`);
  });

  it("installs, finds it again and removes it", async () => {
    const { env } = fakeTools(folder);
    const words = ["cpu", "--prefix", "own"];
    const first = await backend(["install", ...words], env);
    expect(first).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("building the addon against TensorFlow 2.21.0"),
    });
    expect(first.stdout).toContain("runs find it with ASTROCHEM_CACHE=…/own\n");
    expect((await backend(["install", ...words], env)).stdout).toMatch(/^it is there and fits: TensorFlow 2\.21\.0/);
    expect((await backend(["list"], { ASTROCHEM_CACHE: join(folder, "own") })).stdout).toMatch(/cpu +yes +device=cpu/);
    expect((await backend(["remove", ...words])).stdout).toBe("removed …/own/native/cpu\n");
    expect((await backend(["remove", ...words])).stdout).toBe("nothing is installed in …/own/native/cpu\n");
  });

  it("says what is wrong with the words, and with the folder", async () => {
    writeFileSync(join(folder, "file"), "");
    const wrong = [
      ["instal", "cpu"],
      ["install"],
      ["install", "gpu"],
      ["list", "cpu"],
      ["remove", "cpu", "--tensorflow", "x"],
    ];
    wrong.push(["install", "cpu", "--prefix", "file"]);
    const told: string[] = [];
    for (const words of wrong) {
      const { code, stderr } = await backend(words);
      told.push(`${code} ${stderr}`);
    }
    expect(told.join("")).toMatchInlineSnapshot(`
      "2 error: unknown action \`instal\`
        fix  did you mean \`install\`?
      2 error: which one is to be installed?
        fix  astrochem backend install cpu, cuda or kernels
      2 error: unknown kind \`gpu\`
        fix  did you mean \`cpu\`?
      2 error: \`list\` shows all kinds
        fix  astrochem backend
      2 error: --tensorflow is for \`install\`
        fix  leave it out
      2 error: the folder cannot be made: ENOTDIR: not a directory, mkdir '…/file/native/cpu/stages'
        at   …/file/native/cpu
        fix  give another folder with --prefix
      "
    `);
  });
});
