import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { chooseEngine } from "../../../src/backend/choose-engine.ts";
import { hostTensor } from "../../../src/backend/engine.ts";
import { cacheFolder } from "../../../src/backend/native/paths.ts";
import { tf } from "../../../src/backend/tf.ts";
import { testFolder, thrownBy } from "../../helpers/folder.ts";
import { fakeTools } from "./fake-tools.ts";

const folder = testFolder();
afterEach(() => vi.unstubAllEnvs());

it("installs below the user's cache", () => {
  expect(cacheFolder({ HOME: "/home/x" })).toBe("/home/x/.cache/astrochem");
  expect(cacheFolder({ HOME: "/home/x", XDG_CACHE_HOME: "/c" })).toBe("/c/astrochem");
  expect(cacheFolder({ HOME: "/home/x", XDG_CACHE_HOME: "relative" })).toBe("/home/x/.cache/astrochem");
  expect(cacheFolder({ XDG_CACHE_HOME: "/c", ASTROCHEM_CACHE: "/own" })).toBe("/own");
  expect(cacheFolder({ ASTROCHEM_CACHE: "/own" }, "/given")).toBe("/given");
});

it("refuses what is not installed, with the command that installs it", async () => {
  vi.stubEnv("ASTROCHEM_CACHE", join(folder, "none"));
  expect(await thrownBy(() => chooseEngine({ device: "cpu", engine: "eager" }), folder)).toMatchInlineSnapshot(`
    "ConfigError: no native TensorFlow for cpu is installed
      at   engine
      fix  astrochem backend install cpu"
  `);
  expect(await thrownBy(() => chooseEngine({ device: "cuda" }), folder)).toMatchInlineSnapshot(`
    "ConfigError: no native TensorFlow for cuda is installed
      at   device
      fix  astrochem backend install cuda"
  `);
  expect(await thrownBy(() => chooseEngine({ device: "cuda", engine: "compiled" }), folder)).toMatchInlineSnapshot(`
    "ConfigError: the compiled engine runs on the CPU or by WebGPU, not on CUDA
      at   engine
      fix  device=cpu, device=webgpu or engine=eager"
  `);
  expect((await chooseEngine({ engine: "eager" })).choice).toMatchObject({
    device: "wasm",
    reason: "engine=eager was asked for; no native TensorFlow for cpu is installed",
  });
});

it("runs on the one that is installed, taking turns with WASM", async () => {
  const tools = fakeTools(folder);
  await tools.install();
  vi.stubEnv("ASTROCHEM_CACHE", join(folder, "cache"));
  const wasm = await chooseEngine({ device: "wasm" });
  const native = await chooseEngine({ device: "cpu", engine: "eager" });
  // Loading it does not change what is current.
  expect(tf.getBackend()).toBe("wasm");
  expect(native.choice).toMatchObject({ device: "cpu", engine: "eager" });
  expect((await chooseEngine({ engine: "eager" })).choice.device).toBe("cpu");
  expect((await chooseEngine()).choice.engine).toBe("compiled");

  const seen: string[] = [];
  const before = tf.memory().numTensors;
  const made = [native, wasm].map(({ engine }) => ({
    state: engine.state({ x: hostTensor(Float32Array.of(1, 2), [2]) }),
    program: engine.program("twice", ({ x }) => {
      seen.push(tf.getBackend());
      const gradient = tf.grad((y) => tf.sum(tf.square(y)))(x!);
      return { state: { x: gradient }, outputs: { sum: tf.sum(gradient) } };
    }),
  }));
  for (let round = 1; round <= 2; round++) {
    for (const { state, program } of made) {
      const { sum } = await program.run(state, {});
      expect(sum!.data[0]).toBe(3 * 2 ** round);
    }
  }
  expect(seen).toEqual(["tensorflow", "wasm", "tensorflow", "wasm"]);
  for (const { state } of made) {
    expect([...(await state.read("x")).data]).toEqual([4, 8]);
    state.dispose();
  }
  expect(tf.memory().numTensors).toBe(before);
});
