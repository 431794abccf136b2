import { z } from "zod";
import { DatasetConfig } from "./schema-dataset.ts";
import { LauncherConfig } from "./schema-launcher.ts";
import { models } from "./schema-models.ts";
import { AutoencoderRecipe, EmulatorRecipe } from "./schema-recipes.ts";
import { type RootName, rootSchemas } from "./schemas.ts";

/** The parts of a JSON Schema that are changed here. */
interface Schema {
  type?: string;
  required?: unknown;
  default?: unknown;
  properties?: Record<string, Schema>;
  oneOf?: Schema[];
  anyOf?: Schema[];
  [key: string]: unknown;
}

/**
 * JSON Schemas for editors, by file name: of every kind of YAML file. A file may leave keys to those that it is merged with, may have a
 * `defaults` list, and may interpolate any value.
 */
export function editorSchemas(): Record<string, string> {
  const any = (members: Readonly<Record<string, z.ZodType>>) => z.union(Object.values(members) as never);
  const schemas: Record<string, z.ZodType> = {
    dataset: DatasetConfig,
    model: any({ ...models.compressors, ...models.evolvers }),
    recipe_autoencoder: AutoencoderRecipe,
    recipe_emulator: EmulatorRecipe,
    launcher: z.union(LauncherConfig.options),
    ...(rootSchemas as Readonly<Record<RootName, z.ZodType>>),
  };
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => {
      const json = z.toJSONSchema(schema, { io: "input", target: "draft-07", unrepresentable: "any" }) as Schema;
      const members = json.anyOf ?? [json];
      for (const member of members) withInterpolation(member);
      for (const { properties } of members)
        properties!.defaults = { type: "array", description: "Files that this one is laid upon." };
      for (const [key, file] of Object.entries(groupsOf(name))) {
        if (json.properties && key in json.properties) json.properties[key] = { $ref: `${file}.json` };
      }
      return [`${name}.json`, `${JSON.stringify({ title: `astrochem: ${name}`, ...json }, null, 1)}\n`];
    }),
  );
}

/** Keys of a root's schema that have a schema of their own. */
function groupsOf(root: string): Record<string, string> {
  if (!Object.hasOwn(rootSchemas, root)) return {};
  const recipe = root === "config_emulator" ? "recipe_emulator" : "recipe_autoencoder";
  // In config_evaluate, the models are paths.
  const models = root === "config_evaluate" ? {} : { autoencoder: "model", model: "model" };
  return { dataset: "dataset", launcher: "launcher", recipe, ...models };
}

/** Any value may be an interpolation, and no key is required of one file. */
function withInterpolation(schema: Schema): void {
  delete schema.required;
  if (schema.oneOf) {
    schema.anyOf = schema.oneOf;
    delete schema.oneOf;
  }
  const below = [
    ...(schema.anyOf ?? []),
    ...Object.values(schema.properties ?? {}),
    schema.items,
    schema.additionalProperties,
  ];
  for (const each of below.flat()) if (typeof each === "object" && each !== null) withInterpolation(each as Schema);
  for (const [key, value] of Object.entries(schema.properties ?? {})) {
    if (value.type === "string" && value.pattern === undefined && value.enum === undefined) continue;
    const { description, default: usual, ...rest } = value;
    const kept = {
      ...(description === undefined ? {} : { description }),
      ...(usual === undefined ? {} : { default: usual }),
    };
    schema.properties![key] = { ...kept, anyOf: [rest, { type: "string", pattern: "^\\$\\{" }] };
  }
}
