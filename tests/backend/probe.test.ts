import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { type ChosenEngine, chooseEngine } from "../../src/backend/choose-engine.ts";
import type { ComputeChoice } from "../../src/backend/compute.ts";
import type { Engine } from "../../src/backend/engine.ts";
import { engineByProbe, type ProbePreparation } from "../../src/backend/probe.ts";
import { mayHaveGpu } from "../../src/backend/webgpu.ts";
import { testFolder } from "../helpers/folder.ts";

const folder = testFolder();
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

function chosen(device: "cpu" | "webgpu", reason: string): ChosenEngine {
  return { engine: { name: device } as Engine, choice: { device, engine: "compiled", threads: 2, reason } };
}

/** A job whose steps take so many milliseconds of a clock that only they move. */
function job(
  cpuTime: number,
  gpuTime: number | Error,
  rival: ChosenEngine["rival"] = async () => chosen("webgpu", "A"),
) {
  let clock = 0;
  vi.spyOn(performance, "now").mockImplementation(() => clock);
  const events: string[] = [];
  const told: ComputeChoice[] = [];
  const prepare: ProbePreparation = ({ name }) => ({
    run: async () => {
      events.push(name);
      const time = name === "cpu" ? cpuTime : gpuTime;
      if (time instanceof Error) throw time;
      clock += time;
    },
    dispose: async () => void events.push(`${name} disposed`),
  });
  const choose = engineByProbe({ ...chosen("cpu", "2 threads"), rival }, (choice) => told.push(choice));
  return { events, told, choose: () => choose(prepare) };
}

const five = (name: string): string[] => [...new Array(6).fill(name), `${name} disposed`];

describe("device=auto takes", () => {
  it("a GPU whose step is faster, once for all trainings of a job, and tells both times", async () => {
    const { events, told, choose } = job(30, 12);
    expect((await choose()).name).toBe("webgpu");
    expect((await choose()).name).toBe("webgpu");
    expect(events).toEqual([...five("cpu"), ...five("webgpu")]);
    expect(told).toEqual([
      {
        device: "webgpu",
        engine: "compiled",
        threads: 2,
        reason: "a step takes 12 ms on the GPU (A), 30 ms on the CPU",
      },
    ]);
  });

  it("the CPU where the GPU's step is slower, which two steps tell where it is much slower", async () => {
    const { events, told, choose } = job(10, 500);
    expect((await choose()).name).toBe("cpu");
    expect(events).toEqual([...five("cpu"), "webgpu", "webgpu", "webgpu", "webgpu disposed"]);
    const reason = "a step takes 500 ms on the GPU (A), 10 ms on the CPU; 2 threads";
    expect(told).toEqual([{ device: "cpu", engine: "compiled", threads: 2, reason }]);
  });

  it("the CPU where the GPU gains less than a tenth", async () => {
    expect((await job(100, 95).choose()).name).toBe("cpu");
    expect((await job(100, 85).choose()).name).toBe("webgpu");
  });

  it("fewer steps where they are slow", async () => {
    const { events, choose } = job(4000, 3000);
    expect((await choose()).name).toBe("webgpu");
    expect(events).toEqual(["cpu", "cpu", "cpu", "cpu disposed", "webgpu", "webgpu", "webgpu", "webgpu disposed"]);
  });

  it("the CPU where the GPU fails, and says why", async () => {
    const failing = job(10, new Error("no more memory\nat x"));
    expect((await failing.choose()).name).toBe("cpu");
    expect(failing.told[0]!.reason).toBe("the GPU cannot take this job's step: no more memory; 2 threads");
    expect(failing.events.at(-1)).toBe("webgpu disposed");
    const absent = job(10, 1, async () => ({ why: "ONNX Runtime finds no GPU: none", fix: "" }));
    expect((await absent.choose()).name).toBe("cpu");
    expect([absent.told[0]!.reason, absent.events]).toEqual(["ONNX Runtime finds no GPU: none; 2 threads", []]);
  });
});

describe.runIf(process.platform === "linux")("a GPU is looked for", () => {
  it("only where a driver and a card are, or a driver is named", () => {
    const home = join(folder, "home");
    mkdirSync(join(home, ".local/share/vulkan/icd.d"), { recursive: true });
    writeFileSync(join(home, ".local/share/vulkan/icd.d/a.json"), "{}");
    for (const [name, node] of [
      ["none", "null"],
      ["amd", "dri/renderD128"],
      ["nvidia", "nvidia0"],
      ["control", "nvidiactl"],
    ]) {
      mkdirSync(join(folder, name!, "dri"), { recursive: true });
      writeFileSync(join(folder, name!, node!), "");
    }
    const found = ["none", "amd", "nvidia", "control"].map((name) => mayHaveGpu({ HOME: home }, join(folder, name)));
    expect(found).toEqual([false, true, true, false]);
    const named = { VK_DRIVER_FILES: join(home, ".local/share/vulkan/icd.d/a.json") };
    expect(mayHaveGpu(named, join(folder, "none"))).toBe(true);
    expect(mayHaveGpu({ VK_DRIVER_FILES: join(folder, "absent.json") }, join(folder, "amd"))).toBe(false);
  });

  it("for trainings that ask for no device", async () => {
    vi.stubEnv("VK_DRIVER_FILES", import.meta.filename);
    expect((await chooseEngine()).rival).toBeDefined();
    expect((await chooseEngine({ engine: "compiled" })).rival).toBeDefined();
    expect((await chooseEngine({ device: "cpu" })).rival).toBeUndefined();
    expect((await chooseEngine({}, () => {}, { isInference: true })).rival).toBeUndefined();
    vi.stubEnv("VK_DRIVER_FILES", join(folder, "absent.json"));
    expect((await chooseEngine()).rival).toBeUndefined();
  });
});
