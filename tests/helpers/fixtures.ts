import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type NamedTensor, readSafetensors } from "../../src/formats/safetensors.ts";

const folder = new URL("../fixtures/golden/", import.meta.url);

/** The reference numbers of that name: arrays, and the scalars beside them. */
export function golden<T>(name: string): { tensors: Map<string, NamedTensor>; json: T } {
  const { tensors } = readSafetensors(fileURLToPath(new URL(`${name}.safetensors`, folder)));
  const scalars = new URL(`${name}.json`, folder);
  return { tensors, json: (existsSync(scalars) ? goldenJson<T>(name) : undefined) as T };
}

/** The reference scalars of that name. */
export function goldenJson<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));
}

/** Path of a file in tests/fixtures. */
export function fixture(path: string): string {
  return fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url));
}

/** A file of the shared material beside the checkout, or undefined: tests that need it skip then. */
export function sharedFile(path: string): string | undefined {
  const file = fileURLToPath(new URL(`../../../shared/${path}`, import.meta.url));
  return existsSync(file) ? file : undefined;
}
