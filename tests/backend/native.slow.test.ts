import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { chooseEngine } from "../../src/backend/choose-engine.ts";
import { hostTensor } from "../../src/backend/engine.ts";
import { type InstallReport, installNative } from "../../src/backend/native/install.ts";
import { nativeFolder } from "../../src/backend/native/paths.ts";
import { removeNative } from "../../src/backend/native/remove.ts";
import { missingRequirements } from "../../src/backend/native/requirements.ts";
import { stageNames } from "../../src/backend/native/stages.ts";
import { tf } from "../../src/backend/tf.ts";
import { testFolder } from "../helpers/folder.ts";

const cache = testFolder();
const folder = nativeFolder(cache, "cpu");
const surroundings = { env: process.env, signal: AbortSignal.timeout(3_000_000) };
const problems = await missingRequirements({ kind: "cpu", root: folder.root, stages: stageNames }, surroundings);
if (problems.length > 0) process.stderr.write(`skipped: ${problems.map(({ what }) => what).join("; ")}\n`);

// That it computes what the other engines do is what the parity tests say: `ASTROCHEM_TEST_CACHE=… npm test`.
describe.skipIf(problems.length > 0)("native TensorFlow on the CPU, installed from the network", () => {
  let report: InstallReport;

  beforeAll(async () => {
    const say = (message: string): void => void process.stderr.write(`${message}\n`);
    report = await installNative({ ...surroundings, folder, say });
    vi.stubEnv("ASTROCHEM_CACHE", cache);
  }, 3_000_000);
  afterAll(async () => {
    expect(await removeNative(folder)).toMatchObject({ removed: true, left: [] });
  });

  it("was installed, and a second call finds it", async () => {
    process.stderr.write(`${JSON.stringify(report)}\n`);
    expect(report.check.usesGpu).toBe(false);
    expect(Object.keys(report.done).sort()).toEqual(expect.arrayContaining(["addon", "check", "package"]));
    const again = await installNative({ ...surroundings, folder, say: () => {} });
    expect(again).toEqual({ ...report, done: {} });
  });

  it("computes", async () => {
    const { engine, choice } = await chooseEngine({ device: "cpu", engine: "eager", threads: 1 });
    expect(choice).toMatchObject({ device: "cpu", engine: "eager", threads: 1 });
    const state = engine.state({ x: hostTensor(Float32Array.of(1, 2), [2]) });
    const program = engine.program("gradient", ({ x }) => {
      expect(tf.getBackend()).toBe("tensorflow");
      return { state: {}, outputs: { gradient: tf.grad((y) => tf.sum(tf.square(y)))(x!) } };
    });
    const { gradient } = await program.run(state, {});
    expect([...gradient!.data]).toEqual([2, 4]);
    state.dispose();
  });
});
