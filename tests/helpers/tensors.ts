import { expect, vi } from "vitest";
import { chooseEngine } from "../../src/backend/choose-engine.ts";
import { CompiledEngine } from "../../src/backend/compiled-engine.ts";
import type { ComputeRequest } from "../../src/backend/compute.ts";
import type { Engine } from "../../src/backend/engine.ts";
import { loadOnnxRuntime } from "../../src/backend/onnx-runtime.ts";
import { tf } from "../../src/backend/tf.ts";

/** Makes the embedded backend ready; for `beforeAll`. */
export async function useWasm(): Promise<void> {
  await chooseEngine({ device: "wasm" });
}

/** What asks for each engine, one thread, without falling back. */
const requests = {
  eager: { device: "wasm", engine: "eager", threads: 1 },
  compiled: { device: "cpu", engine: "compiled", threads: 1 },
  native: { device: "cpu", engine: "eager", threads: 1 },
  webgpu: { device: "webgpu", engine: "compiled", threads: 1 },
} as const;

export type EngineName = keyof typeof requests;

/** The folder of an installed native TensorFlow that the tests may use: `astrochem backend install cpu --prefix …`. */
const nativeCache = process.env.ASTROCHEM_TEST_CACHE;

/** The tests run on a GPU where this is set. A software GPU does, and takes minutes. */
const hasGpu = Boolean(process.env.ASTROCHEM_TEST_GPU);

/** The engines that every parity test runs on; the native one and the GPU where the tests are told of them. */
export const engines: readonly EngineName[] = [
  "eager",
  "compiled",
  ...(nativeCache ? (["native"] as const) : []),
  ...(hasGpu ? (["webgpu"] as const) : []),
];

/** The engine of that name, one thread; there is no falling back. */
export async function engineNamed(name: EngineName): Promise<Engine> {
  const { engine, choice } = await chooseEngine(engineRequest(name));
  expect(choice).toMatchObject({ device: requests[name].device, engine: requests[name].engine });
  return engine;
}

/**
 * The compiled engine, whose steps may make so many numbers for one part of their batch: few, and every batch is taken in parts.
 * A step that it cannot compile fails the test.
 */
export async function partingEngine(numbersAtOnce?: number): Promise<Engine> {
  const runtime = await loadOnnxRuntime();
  if (runtime instanceof Error) throw runtime;
  const refused = (message: string): never => expect.fail(message);
  const fallback = (): never => refused("a step runs eagerly");
  const partSize = numbersAtOnce && { partSize: { numbers: numbersAtOnce, items: 1 } };
  return new CompiledEngine(runtime, { threads: 1, fallback, note: refused, ...partSize });
}

/** The request that chooses that engine; for `native` the installation that the tests may use is made known. */
export function engineRequest(name: EngineName): ComputeRequest {
  if (name === "native") vi.stubEnv("ASTROCHEM_CACHE", nativeCache);
  return requests[name];
}

/** Runs `f` in a tidy and checks that no tensor is left behind. `f` returns plain values. */
export function withoutLeak<T>(f: () => T): T {
  const before = tf.memory().numTensors;
  let result!: T;
  tf.tidy(() => {
    result = f();
  });
  expect(tf.memory().numTensors).toBe(before);
  return result;
}

/** Checks every entry against `relative` of the expected array's largest entry, or against `absolute`. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { relative = 0, absolute = 0, what = "" }: { relative?: number; absolute?: number; what?: string },
): void {
  expect(actual.length, what).toBe(expected.length);
  let largest = 0;
  for (let i = 0; i < expected.length; i++) largest = Math.max(largest, Math.abs(expected[i]!));
  const tolerance = Math.max(relative * largest, absolute);
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= tolerance)) {
      expect.fail(`${what}[${i}] = ${actual[i]}, expected ${expected[i]} within ${tolerance}`);
    }
  }
}
