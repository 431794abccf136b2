import { z } from "zod";
import { printValue } from "./override-values.ts";
import { DatasetConfig } from "./schema-dataset.ts";
import { LauncherConfig } from "./schema-launcher.ts";
import { models } from "./schema-models.ts";
import { AutoencoderRecipe, EmulatorRecipe, phaseSchemas } from "./schema-recipes.ts";
import { describeType } from "./schema-text.ts";
import { childrenOfSchema, defaultOfSchema, membersOf, valueBelow } from "./schema-walk.ts";
import { evaluationKeys, rootSchemas } from "./schemas.ts";

/** A key as the documentation shows it. */
export interface KeyDescription {
  /** Dotted path within its section: `preprocessing.seed`. */
  readonly key: string;
  readonly type: string;
  /** As it would be written; "required" or "derived" (from other keys or the data) where there is none. */
  readonly default: string;
  readonly meaning: string;
}

/** Keys that belong together, with the place where they stand. */
export interface Section {
  readonly title: string;
  readonly keys: readonly KeyDescription[];
}

/** Every key of the configuration, by section. */
export function describeConfig(): Section[] {
  const { dataset: _dataset, model: _model, recipe: _recipe, launcher: _launcher, ...top } = rootSchemas.config.shape;
  const { members, member, calibrate } = rootSchemas.config_emulator.shape;
  const modelSections = [models.compressors, models.evolvers].flatMap(sectionsOfModels);
  const recipeSections = Object.entries({ autoencoder: AutoencoderRecipe, emulator: EmulatorRecipe }).flatMap(
    ([name, schema]) => [
      { title: `\`recipe\`: ${name} (configs/recipes/${name}/*.yaml)`, keys: describeKeys(schema) },
      {
        title: `\`recipe\`: ${name}, each of the \`phases\``,
        keys: describeKeys(phaseSchemas[name as keyof typeof phaseSchemas]),
      },
    ],
  );
  return [
    { title: "Top level (configs/config.yaml, configs/config_emulator.yaml)", keys: describeKeys(z.strictObject(top)) },
    { title: "`dataset` (configs/datasets/*.yaml)", keys: describeKeys(DatasetConfig) },
    {
      title: "Emulators (configs/config_emulator.yaml)",
      keys: describeKeys(z.strictObject({ members, member, calibrate })),
    },
    ...modelSections,
    ...recipeSections,
    { title: "`launcher` (configs/launchers/*.yaml)", keys: describeKeys(LauncherConfig) },
    {
      title: "`astrochem evaluate` (configs/config_evaluate.yaml)",
      keys: describeKeys(z.strictObject(evaluationKeys)),
    },
  ];
}

/** The first model in full, of the others what is their own. */
function sectionsOfModels(schemas: Readonly<Record<string, z.ZodType>>): Section[] {
  const all = Object.entries(schemas).map(([name, schema]) => ({ name, keys: describeKeys(schema) }));
  const [first, ...others] = all as [(typeof all)[0], ...typeof all];
  const known = new Set(first.keys.map((each) => JSON.stringify(each)));
  const own = others.map(({ name, keys }) => ({
    title: `\`model\`: ${name} (configs/models/${name}.yaml), beside the keys of ${first.name} that are not its widths`,
    keys: keys.filter((each) => each.key !== "model_name" && !known.has(JSON.stringify(each))),
  }));
  return [
    { title: `\`model\`: ${first.name} (configs/models/${first.name}.yaml)`, keys: first.keys },
    ...own.filter(({ keys }) => keys.length > 0),
  ];
}

/** The keys of a schema, those of nested mappings with dots. */
export function describeKeys(schema: z.ZodType, prefix = ""): KeyDescription[] {
  const union = membersOf(schema);
  if (union) return describeUnion(union.members, schema, prefix);
  const children = childrenOfSchema(schema, undefined);
  if (children.kind !== "names") return [];
  return [...children.schemas].flatMap(([name, child]) => {
    const key = `${prefix}${name}`;
    const nested = describeKeys(child, `${key}.`);
    return nested.length > 0
      ? nested
      : [{ key, type: describeType(child), default: defaultOf(child), meaning: child.description ?? "" }];
  });
}

/** The keys of all members of a union: what is the same once, what is not with whose it is. */
function describeUnion(
  members: readonly (readonly [string, z.ZodType])[],
  union: z.ZodType,
  prefix: string,
): KeyDescription[] {
  const all = members.flatMap(([name, schema]) => describeKeys(schema, prefix).map((row) => ({ name, row })));
  return [...new Set(all.map(({ row }) => row.key))].map((key) => {
    const rows = all.filter(({ row }) => row.key === key);
    const first = rows[0]!.row;
    const names = rows.map(({ name }) => name);
    const meanings = new Set(rows.map(({ row }) => row.meaning));
    const given = valueBelow(defaultOfSchema(union), key.slice(prefix.length));
    return {
      key,
      type: [...new Set(rows.flatMap(({ row }) => row.type.split(" | ")))].join(" | "),
      default: given === undefined ? first.default : printValue(given),
      meaning:
        meanings.size > 1
          ? `${union.description} ${rows.map(({ name, row }) => `${name}: ${row.meaning}`).join("; ")}.`
          : names.length < members.length
            ? `Of ${names.join(", ")}: ${first.meaning[0]!.toLowerCase()}${first.meaning.slice(1)}`
            : first.meaning,
    };
  });
}

/** The tables of docs/configuration.md: key, type, default, meaning. */
export function configTables(): string {
  return describeConfig()
    .map(({ title, keys }) => `### ${title}\n\n${table(keys)}`)
    .join("\n\n");
}

function table(keys: readonly KeyDescription[]): string {
  const rows = keys.map(({ key, type, default: value, meaning }) =>
    [`\`${key}\``, type, value === "required" || value === "derived" ? value : `\`${value}\``, meaning]
      .map(cell)
      .join(" | "),
  );
  return ["| key | type | default | meaning |", "|---|---|---|---|", ...rows.map((row) => `| ${row} |`)].join("\n");
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function defaultOf(schema: z.ZodType): string {
  const value = defaultOfSchema(schema);
  if (value !== undefined) return printValue(value);
  return schema.isOptional() ? "derived" : "required";
}
