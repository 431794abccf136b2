import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { inspectTensorFlow } from "../../../src/backend/native/locate.ts";
import { removeNative } from "../../../src/backend/native/remove.ts";
import { readInstallation } from "../../../src/backend/native/stages.ts";
import { messageOf, testFolder, thrownBy } from "../../helpers/folder.ts";
import { fakeTensorFlow, fakeTools } from "./fake-tools.ts";

const folder = testFolder();
let count = 0;
const fresh = (): string => join(folder, String(count++));

describe("installing", () => {
  it("fetches, builds and checks; a second call finds it done", async () => {
    const tools = fakeTools(fresh());
    expect(await tools.install()).toMatchObject({
      kind: "cpu",
      tensorflow: { version: "2.21.0", source: "pip" },
      check: { usesGpu: false },
      done: { package: expect.any(Number), tensorflow: expect.any(Number), addon: expect.any(Number) },
    });
    expect(tools.calls()).toEqual(["npm install", "pip install", "build"]);
    const { addon, python, root } = tools.folder;
    expect(readlinkSync(join(addon, "deps", "lib"))).toBe(join(python, "tensorflow"));
    // tfjs-node's own tfjs would be a second copy.
    expect(readdirSync(join(root, "npm", "node_modules", "@tensorflow"))).toEqual(["tfjs-node-gpu"]);
    expect(readdirSync(root).sort()).toEqual(["install.log", "npm", "python", "stages"]);

    tools.forget();
    expect((await tools.install()).done).toEqual({});
    expect(tools.calls()).toEqual([""]);
    expect(readInstallation(tools.folder)).toMatchObject({ tensorflow: { version: "2.21.0" } });
  });

  it("names everything that is missing at once, before anything is fetched", async () => {
    const root = fresh();
    const tools = fakeTools(root, ["python3", "npm"]);
    expect(await thrownBy(() => tools.install(), root)).toMatchInlineSnapshot(`
      "ConfigError: the native backend \`cpu\` cannot be installed yet:
        - g++ (a C++ compiler) was not found
          install the package g++ or gcc-c++; on a cluster \`module load gcc\`
        - make was not found
          install the package make
        fix  mend that and call \`astrochem backend install cpu\` again; nothing was downloaded"
    `);
    expect(tools.calls()).toEqual([]);
    expect(existsSync(tools.folder.lock)).toBe(false);
  });

  it("names the network, asked through the tools' own settings", async () => {
    const root = fresh();
    const tools = fakeTools(root);
    const thrown = await thrownBy(() => tools.install({ env: { OFFLINE: "1" } }), root);
    expect(thrown).toContain("npm cannot reach @tensorflow/tfjs-node-gpu: npm error code ENOTFOUND");
    expect(thrown).toContain("pip cannot reach tensorflow-cpu: ERROR: no such host");
    expect(tools.calls()).toEqual([]);
  });

  it("uses an existing TensorFlow, and builds anew for another", async () => {
    const root = fresh();
    const tools = fakeTools(root);
    const existing = fakeTensorFlow(join(root, "site"), "2.20.0");
    const report = await tools.install({ tensorflow: join(root, "site") });
    expect(report.tensorflow).toEqual({ folder: existing, version: "2.20.0", source: "existing" });
    expect(tools.said).toContain("note: TensorFlow 2.20.0 is used; 2.21 is the version that this was tried with");
    expect((await tools.install()).done).toEqual({});
    expect(tools.calls()).toEqual(["npm install", "build"]);

    const other = fakeTensorFlow(join(root, "other"));
    expect((await tools.install({ tensorflow: other })).done).not.toHaveProperty("package");
    expect(tools.calls()).toEqual(["npm install", "build", "build"]);

    rmSync(other, { recursive: true });
    expect(readInstallation(tools.folder)).toMatchObject({ message: `the TensorFlow that it uses, ${other}, is gone` });
    expect((await tools.install()).tensorflow.source).toBe("pip");
  });

  it("refuses a folder that is no TensorFlow, or not ours to use", async () => {
    const root = fresh();
    const tools = fakeTools(root);
    expect(await thrownBy(() => tools.install({ tensorflow: root }), root)).toContain("no TensorFlow is in …");
    const other = fakeTools(fresh());
    mkdirSync(other.folder.root, { recursive: true });
    writeFileSync(join(other.folder.root, "thesis.txt"), "");
    expect(await thrownBy(() => other.install(), folder)).toContain("the folder holds something else");
    expect(readdirSync(other.folder.root)).toEqual(["thesis.txt"]);
  });

  it.each(["pip", "build"])("does a stage again that was interrupted: %s", async (stage) => {
    const tools = fakeTools(fresh());
    const abort = new AbortController();
    const running = tools.install({ signal: abort.signal, env: { HANG: stage } });
    const failed = expect(running).rejects.toThrow("stop");
    await expect.poll(() => tools.calls(), { timeout: 20_000 }).toContain("hanging");
    abort.abort(new Error("stop"));
    await failed;
    expect(readInstallation(tools.folder)).toBeNull();
    expect(existsSync(tools.folder.lock)).toBe(false);

    tools.forget();
    // What a killed process leaves, which cleans up nothing.
    mkdirSync(`${tools.folder.python}.1.part`);
    const { done } = await tools.install();
    expect(tools.calls()).toEqual(stage === "pip" ? ["pip install", "build"] : ["build"]);
    expect(done).not.toHaveProperty("package");
    expect(readdirSync(tools.folder.root).filter((name) => name.endsWith(".part"))).toEqual([]);
  });

  it("takes no TensorFlow for CUDA that says it was built without; one that says nothing may have it", () => {
    const existing = fakeTensorFlow(join(fresh(), "site"));
    expect(inspectTensorFlow(existing, "cuda")).toMatchObject({ version: "2.21.0" });
    mkdirSync(join(existing, "python", "platform"), { recursive: true });
    const info = (isCuda: string): string => `build_info = collections.OrderedDict([('is_cuda_build', ${isCuda})])\n`;
    writeFileSync(join(existing, "python", "platform", "build_info.py"), info("False"));
    expect(inspectTensorFlow(existing, "cuda")).toMatchObject({ message: expect.stringMatching(/without CUDA/) });
    expect(inspectTensorFlow(existing, "cpu")).toMatchObject({ version: "2.21.0" });
    writeFileSync(join(existing, "python", "platform", "build_info.py"), info("True"));
    expect(inspectTensorFlow(existing, "cuda")).toMatchObject({ version: "2.21.0" });
  });

  it("names the log where the compiler fails", async () => {
    const tools = fakeTools(fresh());
    const error = await tools.install({ env: { BROKEN: "1" } }).catch((thrown: unknown) => thrown);
    expect(messageOf(error, tools.folder.root)).toMatch(
      /^npm run build-addon-from-source failed: exit code 1\n {2}at {3}…\/install\.log\n/,
    );
    expect(readFileSync(tools.folder.log, "utf8")).toContain("tfjs_binding.cc:1: error: no");
    expect(readInstallation(tools.folder)).toBeNull();
  });
});

describe("removing", () => {
  it("deletes what install made, and nothing else", async () => {
    const root = fresh();
    const tools = fakeTools(root);
    const existing = fakeTensorFlow(join(root, "site"));
    await tools.install({ tensorflow: existing });
    writeFileSync(join(tools.folder.root, "thesis.txt"), "");
    expect(await removeNative(tools.folder)).toMatchObject({ removed: true, left: ["thesis.txt"] });
    expect(readdirSync(tools.folder.root)).toEqual(["thesis.txt"]);
    expect(existsSync(join(existing, "libtensorflow_cc.so.2"))).toBe(true);
    expect(await removeNative(tools.folder)).toMatchObject({ removed: false, left: ["thesis.txt"] });
  });

  it("leaves no empty folder behind", async () => {
    const tools = fakeTools(fresh());
    await tools.install();
    expect(await removeNative(tools.folder)).toMatchObject({ removed: true, left: [] });
    expect(existsSync(dirname(tools.folder.root))).toBe(false);
  });
});
