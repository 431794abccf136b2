import { readFileSync } from "node:fs";
import type { z } from "zod";
import { DataError } from "../errors.ts";

/** Where a value was read, and what to do where it is damaged. */
export interface ContentOrigin {
  readonly where: string;
  readonly fix: string;
  /** Default: a DataError. */
  readonly failure?: new (
    what: string,
    hint: { where?: string; fix?: string; cause?: unknown },
  ) => Error;
}

/** What a file holds, once a schema has checked it. @throws `failure` naming the file, each bad key and the remedy */
export function checkedContent<T extends z.ZodType>(
  schema: T,
  value: unknown,
  { where, fix, failure = DataError }: ContentOrigin,
): z.output<T> {
  const { data, error } = schema.safeParse(value);
  if (!error) return data as z.output<T>;
  const faults = error.issues.map(
    ({ path, message }) => `${path.length === 0 ? "it" : `\`${path.join(".")}\``}: ${message}`,
  );
  throw new failure(`${where} is damaged: ${faults.join("; ")}`, { where, fix, cause: error });
}

/** The same of a JSON text. */
export function checkedJson<T extends z.ZodType>(schema: T, text: string, origin: ContentOrigin): z.output<T> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const { where, fix, failure = DataError } = origin;
    throw new failure(`${where} is not JSON: ${(cause as Error).message}`, { where, fix, cause });
  }
  return checkedContent(schema, value, origin);
}

/** What a JSON text holds where it is as the schema says; null where it is not: for what may be damaged without harm. */
export function soundJson<T extends z.ZodType>(schema: T, text: string): z.output<T> | null {
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}

/** The same of a file, which may be absent. */
export function soundFile<T extends z.ZodType>(schema: T, path: string): z.output<T> | null {
  try {
    return soundJson(schema, readFileSync(path, "utf8"));
  } catch {
    return null;
  }
}
