import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Tensor } from "onnxruntime-node";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { chooseEngine } from "../../src/backend/choose-engine.ts";
import { CompiledEngine } from "../../src/backend/compiled-engine.ts";
import { EagerEngine } from "../../src/backend/eager-engine.ts";
import { type Engine, hostTensor, scalar } from "../../src/backend/engine.ts";
import { loadOnnxRuntime, type OnnxRuntime } from "../../src/backend/onnx-runtime.ts";
import { tf } from "../../src/backend/tf.ts";
import { adapters, WebGpu } from "../../src/backend/webgpu.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { engineNamed, engines, expectClose, useWasm } from "../helpers/tensors.ts";

const folder = testFolder();
beforeAll(useWasm);
afterEach(() => vi.unstubAllEnvs());

describe("device=webgpu", () => {
  it.runIf(process.platform === "linux")("is refused without a driver, and the remedy named", async () => {
    vi.stubEnv("VK_DRIVER_FILES", join(folder, "none.json"));
    expect(await thrownBy(() => chooseEngine({ device: "webgpu" }), folder)).toMatchInlineSnapshot(`
      "ConfigError: no GPU driver for Vulkan is on this machine
        at   device
        fix  a GPU with a Vulkan driver, and the loader libvulkan.so.1 (Debian, Ubuntu: \`apt-get install libvulkan1 mesa-vulkan-drivers\`; NVIDIA's driver wants libgl1, libegl1 and libxext6 besides, and in containers NVIDIA_DRIVER_CAPABILITIES=all), or device=cpu"
    `);
  });

  it("runs compiled steps only", async () => {
    const asked = () => chooseEngine({ device: "webgpu", engine: "eager" });
    expect(await thrownBy(asked, folder)).toMatchInlineSnapshot(`
      "ConfigError: device=webgpu runs compiled steps only, not engine=eager
        at   engine
        fix  leave engine out, or device=cpu"
    `);
  });

  it.runIf(process.platform === "linux")("finds the manifests of drivers", () => {
    writeFileSync(join(folder, "some_icd.json"), "{}");
    const files = ["some_icd.json", "none.json"].map((name) => join(folder, name));
    expect(adapters({ VK_DRIVER_FILES: files.join(":") })).toEqual(["some_icd.json"]);
    expect(adapters({ VK_DRIVER_FILES: files[1] })).toEqual([]);
  });
});

/** What runs on a GPU is as here, but for who computes: ONNX Runtime's CPU provider stands for it, and may be lost. */
async function standIn(lastRun = Number.POSITIVE_INFINITY): Promise<Engine> {
  const real = (await loadOnnxRuntime()) as OnnxRuntime;
  let runs = 0;
  const create = async (model: Uint8Array, { graphOptimizationLevel }: { graphOptimizationLevel?: "all" }) => {
    const session = await real.InferenceSession.create(model, {
      graphOptimizationLevel: graphOptimizationLevel ?? "all",
    });
    const run = async (feeds: Record<string, Tensor>, fetches: Record<string, Tensor | null>) => {
      runs += 1;
      if (runs > lastRun) throw new Error("source.cc:1 status was false. Device is lost.\nand more");
      return session.run(feeds, fetches);
    };
    return { inputNames: session.inputNames, outputNames: session.outputNames, run, release: () => session.release() };
  };
  const runtime = { ...real, Tensor: real.Tensor, InferenceSession: { create } } as unknown as OnnxRuntime;
  vi.stubEnv("VK_DRIVER_FILES", import.meta.filename);
  const device = await WebGpu.start(runtime);
  if ("why" in device) throw new Error(device.why);
  const fallback = async (): Promise<Engine> => new EagerEngine("wasm");
  return new CompiledEngine(runtime, { threads: 1, device, fallback, note: () => {} });
}

describe("a graph for a GPU", () => {
  const x = hostTensor(
    Float32Array.from({ length: 60 }, (_, k) => Math.sin(k)),
    [3, 20],
  );

  it("has trees of narrow nodes, and the largest entry without int64", async () => {
    const step = (_: tf.NamedTensorMap, { x }: { x?: tf.Tensor }) => {
      const columns = tf.unstack(x!, 1);
      const firsts = tf.cast(tf.oneHot(tf.argMax(x!, 1) as tf.Tensor1D, 20), "float32");
      return { outputs: { sum: tf.addN(columns), again: tf.stack(columns.toReversed(), 1), firsts } };
    };
    const made = await Promise.all(
      [new EagerEngine("wasm"), await standIn()].map((engine) =>
        engine.program("trees", step).run(engine.state({}), { x }),
      ),
    );
    for (const [name, { data, shape }] of Object.entries(made[0]!)) {
      expect(made[1]![name]!.shape).toEqual(shape);
      expectClose(made[1]![name]!.data, data, { relative: 1e-6, what: name });
    }
  });

  it("takes small inputs and the state as they were given, in any order and shape", async () => {
    const engine = await standIn();
    const state = engine.state({ total: hostTensor(Float32Array.of(1, 2), [2]), fixed: scalar(3) });
    const program = engine.program("sums", ({ total, fixed }, { a, b }) => ({
      state: { total: tf.add(total!, tf.mul(fixed!, tf.sum(b!, 0))) },
      outputs: { a: tf.mul(a!, 2), b: tf.transpose(b!) },
    }));
    const b = hostTensor(Float32Array.of(1, 2, 3, 4), [2, 2]);
    for (const inputs of [
      { a: scalar(5), b },
      { b, a: scalar(5) },
    ]) {
      const made = await program.run(state, inputs);
      expect(made).toEqual({ a: scalar(10), b: hostTensor(Float32Array.of(1, 3, 2, 4), [2, 2]) });
    }
    // 1 + 2 · 3 · (1 + 3), 2 + 2 · 3 · (2 + 4): by hand.
    expect((await state.read("total")).data).toEqual(Float32Array.of(25, 38));
    state.write("total", hostTensor(Float32Array.of(0, 0), [2]));
    await program.run(state, { a: scalar(5), b });
    expect((await state.read("total")).data).toEqual(Float32Array.of(12, 18));
    expect((await state.read("fixed")).data).toEqual(Float32Array.of(3));
    state.dispose();
    await program.dispose();
  });
});

it("a GPU that is lost ends the step with an error that says so", async () => {
  const engine = await standIn(5);
  const state = engine.state({ n: scalar(0) });
  const program = engine.program("count", ({ n }) => ({ state: { n: tf.add(n!, 1) }, outputs: { n: n! } }));
  const steps = async (): Promise<void> => {
    for (let k = 0; k < 5; k++) await program.run(state, {});
  };
  expect(await thrownBy(steps, folder)).toMatchInlineSnapshot(`
    "ConfigError: the GPU was lost: Device is lost.
      at   device=webgpu
      fix  go on from the last checkpoint with --resume (and device=cpu if the GPU does not come back); the driver's log (\`dmesg\`) may tell why: where its memory was full, make batches smaller"
  `);
  state.dispose();
});

describe.runIf(engines.includes("webgpu"))("on a GPU", () => {
  it("the state changes on the device, and memory stays as it is over 200 steps", async () => {
    const engine = await engineNamed("webgpu");
    const size = 2 ** 18; // 1 MB
    const state = engine.state({ n: hostTensor(new Float32Array(size), [size]), one: scalar(1) });
    const program = engine.program("count", ({ n, one }, { by }) => {
      const next = tf.add(n!, tf.mul(one!, by!));
      return { state: { n: next }, outputs: { largest: tf.max(next) } };
    });
    let early = 0;
    for (let k = 1; k <= 200; k++) {
      const { largest } = await program.run(state, { by: scalar(2) });
      expect(largest!.data[0]).toBe(2 * k);
      if (k === 20) early = process.memoryUsage().rss;
    }
    // 180 copies of the state would be 180 MB.
    expect(process.memoryUsage().rss - early).toBeLessThan(60e6);
    expect((await state.read("n")).data.at(-1)).toBe(400);
    state.dispose();
    await program.dispose();
  });
});
