import { expect } from "vitest";
import { chooseEngine } from "../../src/backend/choose-engine.ts";
import type { Engine } from "../../src/backend/engine.ts";
import { tf } from "../../src/backend/tf.ts";

/** Makes the embedded backend ready; for `beforeAll`. */
export async function useWasm(): Promise<void> {
  await chooseEngine({ device: "wasm" });
}

/** The engines that every parity test runs on. */
export const engines = ["eager", "compiled"] as const;

/** The engine of that name, one thread; there is no falling back. */
export async function engineNamed(name: (typeof engines)[number]): Promise<Engine> {
  const { engine, choice } = await chooseEngine({ engine: name, threads: 1 });
  expect(choice.engine).toBe(name);
  return engine;
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
