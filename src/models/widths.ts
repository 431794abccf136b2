import { z } from "zod";

/** A key of a model's YAML that sizes it. */
export function width(usual: number, meaning: string): z.ZodDefault<z.ZodInt> {
  return z.int().min(1).default(usual).describe(meaning);
}
