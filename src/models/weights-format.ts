import type { z } from "zod";
import { type FileFormat, type FileRecord, latestVersion } from "../formats/format-version.ts";

/**
 * The versions of the weights files' metadata (the arrays never changed). What a migration gets is `__metadata__` with every value
 * read from its JSON; `kind` tells an autoencoder from an emulator. A change of the metadata is a named function added here, a line
 * in CHANGELOG.md and a file of the old version in the tests.
 */
export const weightsFormat: FileFormat = {
  name: "weights format",
  migrations: [oneRangeOfLatents, unknownRanges, uncheckedStep],
};

/** The version that this program writes. */
export const weightsFormatVersion = latestVersion(weightsFormat);

/** safetensors knows strings only: one JSON text a key, in the order of the schema, so that the same weights are the same bytes. */
export function encodeMetadata(
  { shape }: z.ZodObject,
  { kind, ...metadata }: { readonly kind: string } & Readonly<Record<string, unknown>>,
): Record<string, string> {
  const ordered = Object.keys(shape).flatMap((key) => (key in metadata ? [[key, metadata[key]] as const] : []));
  const all = { format: "pt", format_version: weightsFormatVersion, kind, ...Object.fromEntries(ordered) };
  return Object.fromEntries(
    Object.entries(all)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}

/**
 * 1 → 2: an emulator may say how each component of its latents is scaled (`latent_scaling`). One of version 1 has the autoencoder's
 * one range for all of them, which is what leaving it out means.
 */
function oneRangeOfLatents(record: FileRecord): FileRecord {
  return record;
}

/** 2 → 3: a file may hold the ranges of the training data (`abundance_range`, `scaled_latent_range`), which bound what comes out. */
function unknownRanges(record: FileRecord): FileRecord {
  return record;
}

/**
 * 3 → 4: what a file may know of its training data besides. An emulator: how its step was found, the start, and the training rows' range
 * of each physical parameter; an autoencoder: what the species are made of; both: what `best_metric` is, and the name of their model. What
 * is left out is not known; the step of older files is a median that nobody checked.
 */
function uncheckedStep(record: FileRecord): FileRecord {
  const { kind, time_step_yr } = record;
  return { ...record, model_name: kind, ...(typeof time_step_yr === "number" ? { time_step_found: "median" } : {}) };
}
