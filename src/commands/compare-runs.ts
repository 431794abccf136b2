import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { splitNames } from "../data/splits.ts";
import { checkedJson } from "../formats/checked-content.ts";
import { readSafetensors } from "../formats/safetensors.ts";
import { epochRecord, metricNames, metricOf } from "../training/epoch-log.ts";
import type { EpochRecord } from "../training/observer.ts";
import type { EarlierEnvironment } from "./environment.ts";

/** How far two runs agree. */
export interface RunComparison {
  /** Why other bits than before are no surprise: another backend, other packages. Empty where the bits must be the same. */
  readonly otherwise: readonly string[];
  readonly results: readonly { readonly what: string; readonly found: string; readonly agrees: boolean }[];
}

/**
 * What agrees between backends, relative. Rounding differs, and training amplifies it. Measured on the sample's autoencoder, ONNX
 * Runtime beside WASM: the loss of the first epoch is 8e-5 off after its 28 steps (recipe=original), 2e-2 after 400 (curriculum);
 * errors of single epochs far from the end differ by half and more.
 */
export const tolerance = { first: 0.05, best: 0.5 };

/** What computes differently in two runs, as people read it. */
export function backendDifferences(before: EarlierEnvironment, now: EarlierEnvironment): string[] {
  const packages = ["onnxruntime-node", "@tensorflow/tfjs", "@tensorflow/tfjs-backend-wasm"];
  const facts = ({ backend, cpu, node, astrochem, packages: versions }: EarlierEnvironment): [string, unknown][] => [
    ["backend", backend?.name],
    ["processor", cpu.model],
    ["Node", node],
    ["astrochem", astrochem],
    ...packages.map((name): [string, unknown] => [name, versions[name]]),
  ];
  const current = facts(now);
  return facts(before).flatMap(([name, value], i) =>
    value === current[i]![1] ? [] : [`${name}: ${value ?? "none"} then, ${current[i]![1] ?? "none"} now`],
  );
}

/** Compares two trainings by what they left in their folders. */
export function compareTrainings(
  before: string,
  now: string,
  { otherwise, followsClock }: { otherwise: readonly string[]; followsClock: boolean },
): RunComparison {
  const reasons = followsClock ? [...otherwise, "the learning rate ran by the clock (model.max_minutes)"] : otherwise;
  const weights = (folder: string) => readSafetensors(join(folder, "checkpoints", "best.safetensors")).tensors;
  const [then, again] = [weights(before), weights(now)];
  const different = [...then]
    .filter(([name, { data }]) => !sameBytes(data, again.get(name)?.data))
    .map(([name]) => name);
  const epochs = [readEpochs(before), readEpochs(now)] as const;
  const sameEpochs = JSON.stringify(epochs[0].map(withoutTimes)) === JSON.stringify(epochs[1].map(withoutTimes));
  const exact = [
    {
      what: "weights",
      found: different.length === 0 ? "the same bits" : `${different.length} of ${then.size} arrays differ`,
      agrees: different.length === 0,
    },
    { what: "epochs", found: sameEpochs ? "the same numbers" : "other numbers", agrees: sameEpochs },
  ];
  if (reasons.length === 0 || exact.every(({ agrees }) => agrees)) return { otherwise: reasons, results: exact };
  const loose = compareLoosely(...epochs);
  return { otherwise: reasons, results: followsClock ? loose.slice(1) : loose };
}

function compareLoosely(then: readonly EpochRecord[], now: readonly EpochRecord[]): RunComparison["results"] {
  const best = (records: readonly EpochRecord[]): number => Math.min(...records.map(({ metric }) => metric));
  const pairs = [
    ["loss of the first epoch", then[0]?.train_loss.total, now[0]?.train_loss.total, tolerance.first],
    [`best ${metricNames[metricOf(then)]}`, best(then), best(now), tolerance.best],
  ] as const;
  return pairs.map(([what, a = Number.NaN, b = Number.NaN, allowed]) => {
    const off = Math.abs(b - a) / Math.abs(a);
    const found = `${a.toPrecision(4)} then, ${b.toPrecision(4)} now: ${(100 * off).toPrecision(2)} % off, ${100 * allowed} % allowed`;
    return { what, found, agrees: off <= allowed };
  });
}

/** Compares two preprocessings by the hashes of their splits, in their summaries. */
export function comparePreprocessings(before: object, now: object): RunComparison {
  const hashes = (summary: object) =>
    splitNames.map((name) => (summary as Record<string, { hash?: string } | undefined>)[name]?.hash);
  const current = hashes(now);
  const results = hashes(before).flatMap((hash, i) => {
    const isAbsent = hash === current[i] && (hash === "" || (hash === undefined && splitNames[i] === "test"));
    if (isAbsent) return [];
    const agrees = hash !== undefined && hash === current[i];
    return { what: `/${splitNames[i]}`, found: agrees ? "the same values" : "other values", agrees };
  });
  return { otherwise: [], results };
}

function readEpochs(folder: string): EpochRecord[] {
  const path = join(folder, "epochs.jsonl");
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n").filter(Boolean) : [];
  const fix = "restore what the run wrote";
  return lines.map((line, i) => epochRecord(checkedJson(z.unknown(), line, { where: `${path}:${i + 1}`, fix }), path));
}

function withoutTimes({ seconds_training, seconds_validation, items_per_second, ...rest }: EpochRecord): object {
  return rest;
}

function sameBytes(a: ArrayBufferView, b: ArrayBufferView | undefined): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => Buffer.from(buffer, byteOffset, byteLength);
  return b !== undefined && bytes(a).equals(bytes(b));
}
