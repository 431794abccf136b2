import type { z } from "zod";
import type { ConfigValue, Path } from "./tree.ts";

/** What may stand below a key: known names, any names or items of one kind, items each of its own kind, or nothing. */
export type Children =
  | { readonly kind: "names"; readonly schemas: ReadonlyMap<string, z.ZodType> }
  | { readonly kind: "any"; readonly schema: z.ZodType }
  | { readonly kind: "items"; readonly schemas: readonly z.ZodType[] }
  | { readonly kind: "none" };

/** A schema without what wraps it: defaults, optional, nullable, transforms. */
function unwrap(schema: z.ZodType): z.ZodType {
  const def = definition(schema);
  switch (def.type) {
    case "default":
    case "prefault":
    case "optional":
    case "nullable":
      return unwrap(def.innerType as z.ZodType);
    case "pipe":
      return unwrap(def.in as z.ZodType);
    default:
      return schema;
  }
}

/** @param value what stands there; picks the member of a union */
export function childrenOfSchema(schema: z.ZodType, value: ConfigValue | undefined): Children {
  const inner = unwrap(schema);
  const def = definition(inner);
  switch (def.type) {
    case "object":
      return { kind: "names", schemas: new Map(Object.entries(def.shape as Record<string, z.ZodType>)) };
    case "record":
      return { kind: "any", schema: def.valueType as z.ZodType };
    case "array":
      return { kind: "any", schema: def.element as z.ZodType };
    case "tuple":
      return { kind: "items", schemas: def.items as readonly z.ZodType[] };
    case "union":
      // Without a discriminator: a value or a list of them.
      if (!("discriminator" in def)) {
        const list = (def.options as readonly z.ZodType[]).find((option) => definition(option).type === "array");
        return Array.isArray(value) && list !== undefined ? childrenOfSchema(list, value) : { kind: "none" };
      }
      return childrenOfSchema(pickMember(def as z.core.$ZodDiscriminatedUnionDef, value), value);
    default:
      return { kind: "none" };
  }
}

/** The schema of a key; undefined for a key that the schema does not know. */
export function schemaAt(root: z.ZodType, path: Path, value: ConfigValue | undefined): z.ZodType | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return root;
  const schema = schemaBelow(childrenOfSchema(root, value), key);
  return schema && schemaAt(schema, rest, valueBelow(value, key));
}

/** What stands one key down, or at an index. */
export function valueBelow(value: ConfigValue | undefined, key: string): ConfigValue | undefined {
  if (Array.isArray(value)) return value[Number(key)];
  return isMapping(value) ? value[key] : undefined;
}

/** The members of a union by name, by its discriminator; undefined for another schema. */
export function membersOf(schema: z.ZodType): { by: string; members: [string, z.ZodObject][] } | undefined {
  const def = definition(unwrap(schema));
  if (def.type !== "union") return undefined;
  const { discriminator: by, options } = def as z.core.$ZodDiscriminatedUnionDef;
  const members = options as unknown as readonly z.ZodObject[];
  return by === undefined
    ? undefined
    : { by, members: members.map((each) => [String((each.shape[by] as z.ZodLiteral).value), each]) };
}

function schemaBelow(children: Children, key: string): z.ZodType | undefined {
  switch (children.kind) {
    case "names":
      return children.schemas.get(key);
    case "any":
      return children.schema;
    case "items":
      return children.schemas[Number(key)];
    case "none":
      return undefined;
  }
}

/** Every key that the schema knows by name, with its schema, in order; a union gives the keys of the member in use. */
export function knownKeys(root: z.ZodType, value: ConfigValue | undefined, path: Path = []): [Path, z.ZodType][] {
  const children = childrenOfSchema(root, value);
  if (children.kind !== "names") return [];
  return [...children.schemas].flatMap(([key, schema]) => {
    const here = [...path, key];
    return [[here, schema] as [Path, z.ZodType], ...knownKeys(schema, isMapping(value) ? value[key] : undefined, here)];
  });
}

/** What a key without a value gets; undefined where it has no default. */
export function defaultOfSchema(schema: z.ZodType): ConfigValue | undefined {
  const def = definition(schema);
  return def.type === "default" || def.type === "prefault" ? (def.defaultValue as ConfigValue) : undefined;
}

function isMapping(value: ConfigValue | undefined): value is { readonly [key: string]: ConfigValue } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** zod's own description of a schema, by which it can be walked. */
function definition(schema: z.ZodType): z.core.$ZodTypes["_zod"]["def"] {
  return (schema as unknown as z.core.$ZodTypes)._zod.def;
}

/** The member whose discriminator the value has; the first where it has none that fits. */
function pickMember(def: z.core.$ZodDiscriminatedUnionDef, value: ConfigValue | undefined): z.ZodType {
  const options = def.options as readonly z.ZodObject[];
  const wanted = isMapping(value) ? value[def.discriminator] : undefined;
  const fits = (option: z.ZodObject) => option.shape[def.discriminator]!.safeParse(wanted).success;
  return options.find(fits) ?? options[0]!;
}
