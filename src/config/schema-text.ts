import { z } from "zod";
import { printValue } from "./override-values.ts";
import type { ConfigValue } from "./tree.ts";

/** The parts of a JSON Schema that our schemas use. */
interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly ConfigValue[];
  readonly const?: ConfigValue;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly items?: JsonSchema | readonly JsonSchema[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
}

/** What may stand at a key, in words: `number > 0`, `integer ≥ 1 or null`, `auto | cpu`, `[number, number]`. */
export function describeType(schema: z.ZodType): string {
  return describe(z.toJSONSchema(schema, { io: "input", target: "draft-07" }) as JsonSchema);
}

function describe(schema: JsonSchema): string {
  if (schema.enum) return schema.enum.map(printValue).join(" | ");
  if (schema.const !== undefined) return printValue(schema.const);
  if (schema.anyOf) return schema.anyOf.map(describe).join(" or ");
  if (Array.isArray(schema.type)) return schema.type.map((type) => describe({ ...schema, type })).join(" or ");
  switch (schema.type) {
    case "string":
      return "text";
    case "boolean":
      return "true | false";
    case "number":
    case "integer":
      return [schema.type, ...bounds(schema)].join(" ");
    case "array":
      if (isList(schema.items)) return `[${schema.items.map(describe).join(", ")}]`;
      return schema.items ? `list of ${describe(schema.items)}` : "list";
    case "object":
      return typeof schema.additionalProperties === "object"
        ? `mapping of name to ${describe(schema.additionalProperties)}`
        : "mapping";
    default:
      return schema.type === undefined ? "mapping" : String(schema.type);
  }
}

function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string[] {
  const texts: string[] = [];
  if (minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER) texts.push(`≥ ${minimum}`);
  if (exclusiveMinimum !== undefined) texts.push(`> ${exclusiveMinimum}`);
  if (maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER) texts.push(`≤ ${maximum}`);
  if (exclusiveMaximum !== undefined) texts.push(`< ${exclusiveMaximum}`);
  return texts.length > 0 ? [texts.join(", ")] : [];
}

function isList(items: JsonSchema | readonly JsonSchema[] | undefined): items is readonly JsonSchema[] {
  return Array.isArray(items);
}
