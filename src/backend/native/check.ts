import { tf } from "../tf.ts";
import { loadNative } from "./load.ts";
import { type NativeKind, nativeFolder } from "./paths.ts";
import type { CheckResult } from "./stages.ts";

/**
 * A program of its own: loads an installation and computes a product and a gradient on it, the result as JSON on stdout. In its
 * own process because a library that does not fit the machine ends the process that loads it.
 */
async function check(cache: string, kind: NativeKind): Promise<CheckResult> {
  const start = performance.now();
  const backend = await loadNative(nativeFolder(cache, kind));
  if (backend instanceof Error) throw backend;
  const loadSeconds = Math.round(performance.now() - start) / 1000;
  await tf.setBackend(backend.name);
  const square = tf.tensor2d([1, 2, 3, 4], [2, 2]);
  expectValues("a product of matrices", tf.matMul(square, square), [7, 10, 15, 22]);
  const gradient = tf.grad((x) => tf.sum(tf.tanh(tf.matMul(x as tf.Tensor2D, square))))(
    tf.tensor2d([0, 0, 0, 0], [2, 2]),
  );
  expectValues("a gradient", gradient, [3, 7, 3, 7]);
  return { usesGpu: backend.usesGpu, loadSeconds };
}

function expectValues(what: string, tensor: tf.Tensor, expected: readonly number[]): void {
  const actual = [...tensor.dataSync()];
  if (actual.every((value, i) => Math.abs(value - expected[i]!) < 1e-5)) return;
  throw new Error(`${what} gave ${actual.join(", ")} for ${expected.join(", ")}`);
}

const [cache, kind] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(await check(cache!, kind as NativeKind))}\n`);
