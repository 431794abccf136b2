import { z } from "zod";
import {
  boundOf,
  boundText,
  scaleOf,
  scaleText,
  timestepColumn,
  unknownUnits,
  unusedColumns,
  usualParameters,
} from "../chemistry/physical-parameters.ts";
import { nearest } from "../errors.ts";
import { isMap } from "./difference.ts";

const name = z.string().min(1);
const names = z
  .array(name)
  .min(1)
  .refine((list) => new Set(list).size === list.length, {
    error: ({ input }) => {
      const list = input as readonly string[];
      return `names \`${list.find((item, index) => list.indexOf(item) !== index)}\` twice`;
    },
  });

/** Largest seed of NumPy's legacy generator. */
const maximumSeed = 2 ** 32 - 1;

/** A seed: 0 to 2^32 − 1. */
export const Seed = z.int().min(0).max(maximumSeed);

/** A count that is at least one. */
export const PositiveInteger = z.int().min(1);

/** The keys of a command whose work is shared out among processes. @param what  that is shared out */
export function shardKeys(what: string) {
  return {
    shards: PositiveInteger.nullable()
      .default(null)
      .describe(
        `Shards that ${what} are shared out among: with -m all are made and joined; with \`shard\` one is made; else those that are there are joined.`,
      ),
    shard: z.int().min(0).nullable().default(null).describe("Which of the `shards` to make, from 0; null: join them."),
  };
}

type ShardKeys = z.output<z.ZodObject<ReturnType<typeof shardKeys>>>;

/** What `refine` takes for them. */
export const isShardOfShards: [check: (value: ShardKeys) => boolean, problem: { path: string[]; message: string }] = [
  ({ shards, shard }) => shard === null || (shards !== null && shard < shards),
  { path: ["shard"], message: "must be below `shards`" },
];

const Range = z.tuple([z.number(), z.number()]).refine(([lower, upper]) => lower < upper, {
  message: "must have its lower bound first: [lower, upper], lower < upper",
});

const AbundancesClipping = z
  .strictObject({
    lower: z.number().gt(0).default(1e-20).describe("Abundances below are raised to it; 0 on the scaled axis."),
    upper: z.number().gt(0).default(1).describe("Abundances above are lowered to it; 1 on the scaled axis."),
  })
  .refine(({ lower, upper }) => lower < upper, { message: "must have lower < upper" });

/** What a dataset, and the folder of its weights, may be called. */
export const FolderName = name.refine((text) => /^\w[\w.-]{0,99}$/.test(text), {
  message:
    "must be a folder's name of letters, digits, `.`, `_`, `-`: give dataset.name=…, or rename the dataset's file",
});

const Preprocessing = z
  .strictObject({
    input_path: z
      .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
      .describe(
        "Raw data: a pandas frame in HDF5, UCLCHEM's text or HDF5 output, or a table of text; several of one kind by a pattern (`runs/*.dat`) or a list.",
      ),
    output_path: z
      .string()
      .min(1)
      .optional()
      .describe("Clean HDF5 file to write, with `/train`, `/val` and `/test`. Derived: `dataset.dataset_path`."),
    input_key: z.string().min(1).default("df").describe("Key of the frame in the raw file."),
    columns_to_drop: z
      .array(name)
      .default([...unusedColumns])
      .describe("Columns of the raw file to leave out; absent ones are ignored."),
    train_split: z.number().min(0).lt(1).default(0.75).describe("Share of the tracers for training."),
    test_split: z
      .number()
      .min(0)
      .max(1)
      .default(0)
      .describe(
        "Share of the tracers that choose nothing, for `evaluate split=test`; what neither trains nor tests validates.",
      ),
    seed: Seed.default(42).describe("Seed of the split of the tracers."),
    min_radfield: z.number().gt(0).default(1e-4).describe("Radiation fields below are raised to it (Habing)."),
    uneven_steps: z
      .enum(["error", "allow"])
      .default("error")
      .describe("Rows that are not one step apart, by more than 1 % of the median: an error, or taken as they are."),
    ...shardKeys("the raw files, or the tracers of fewer frames than shards,"),
  })
  .refine(...isShardOfShards)
  .refine(({ train_split, test_split }) => (train_split === 0 ? test_split === 1 : train_split + test_split < 1), {
    path: ["train_split"],
    error: ({ input }) => {
      const { train_split, test_split } = input as { train_split: number; test_split: number };
      return `and test_split (${train_split} + ${test_split}) must leave tracers to validate: below 1 together; 0 and 1 make a file of test tracers alone`;
    },
  });

/** Every dataset's keys (`configs/datasets/*.yaml`). */
export const DatasetConfig = z
  .strictObject({
    name: FolderName.optional().describe(
      "Name of the folder of its weights, `weights/<name>`: letters, digits, `.`, `_`, `-`. Derived: the file of the group `datasets` that is chosen (`sample`).",
    ),
    dataset_path: z.string().min(1).describe("Clean HDF5 file to train on."),
    physical_parameter_ranges: z
      .record(name, Range)
      .refine((ranges) => offTheirScales(ranges).length === 0, {
        when: ({ value }) => isMap(value),
        error: ({ input }) => `must begin ${offTheirScales(input).join(", and ")}`,
      })
      .describe(
        "Physical parameter → [lower, upper] in its own unit: what is scaled to 0 and 1, by log10 or as its role says.",
      ),
    abundances_clipping: AbundancesClipping.prefault({}).describe("Bounds of the abundances (relative to H nuclei)."),
    metadata: names.default(["Index", "Model", "Time"]).describe("Columns of row, tracer and time (yr)."),
    phys: names
      .default([...usualParameters])
      .describe("Physical parameters in the order the emulator takes them; `parameters` is another name of this key."),
    columns: z
      .record(name, name)
      .default({})
      .describe("What the raw file calls a column, where it has another name: {Time: t_yr, Density: nH}."),
    units: z
      .record(name, name)
      .default({})
      .refine((units) => unknownUnits(units).length === 0, {
        error: ({ input }) => unknownUnits(input as Record<string, string>).join("; "),
      })
      .describe(
        "Units of the raw file's columns, where they are not yr, cm^-3, Habing, mag and K: {Time: kyr, Density: g cm^-3}; they are converted.",
      ),
    time_step: z
      .enum(["constant", "input"])
      .default("constant")
      .describe(
        "constant: rows are one step apart; input: steps vary, and each is a condition of the emulator, `Timestep` (yr), derived from the times.",
      ),
    start: z
      .enum(["auto", "configured", "first_row"])
      .default("auto")
      .describe(
        "Where tracers start: the configured abundances at time 0, their own first row, or auto: the first row where it is at time 0, is not one step after it, or holds other totals of elements (by 1 %).",
      ),
    initial_abundances_path: z
      .string()
      .min(1)
      .default("utils/initial_abundances.npy")
      .describe("Abundances at time 0, in the order of the species file."),
    stoichiometric_matrix_path: z
      .string()
      .min(1)
      .nullable()
      .default("utils/stoichiometric_matrix.npy")
      .describe(
        "Atoms [species, elements], perhaps with a column of charges: H HE C N O S SI MG CL, then `elements`, then others that occur; " +
          "checked against the names' formulas, and wins. null: computed from the names.",
      ),
    elements: z
      .array(
        z.string().regex(/^\d{0,3}[A-Za-z]{1,8}(=.+)?$/, {
          error: "must be elements such as K, 18O, or D=T (another spelling)",
        }),
      )
      .default([])
      .describe(
        "Elements and isotopes of the species beside the known ones (H HE C N O S SI MG CL P F NA FE D AR NE LI AL CA TI): [13C, 18O, K].",
      ),
    names: z
      .enum(["auto", "uclchem", "kida", "alchemic"])
      .default("auto")
      .describe(
        "Prefixes of ice in the names: uclchem # and @ (read in all), kida J and K, alchemic g; auto: as kida where the rest is a formula.",
      ),
    species_path: z.string().min(1).default("utils/species.txt").describe("Names of the species, one a line."),
    preprocessing: Preprocessing.describe("How the raw file becomes the clean one."),
  })
  .refine((dataset) => withoutRange(dataset).length === 0, {
    path: ["phys"],
    // Compared even where another key is wrong: all problems are told at once.
    when: ({ value }) =>
      names.safeParse(field(value, "phys")).success && isMap(field(value, "physical_parameter_ranges")),
    error: ({ input }) => describeMissingRanges(input as Ranges),
  })
  .refine(({ phys, time_step }) => time_step === "input" || !phys.includes(timestepColumn), {
    path: ["phys"],
    message: `names \`${timestepColumn}\`, which is derived from the times: give dataset.time_step=input`,
  })
  .transform(({ preprocessing, ...dataset }) => ({
    ...dataset,
    phys:
      dataset.time_step === "input"
        ? [...dataset.phys.filter((name) => name !== timestepColumn), timestepColumn]
        : dataset.phys,
    preprocessing: { ...preprocessing, output_path: preprocessing.output_path ?? dataset.dataset_path },
  }));
export type DatasetConfig = z.output<typeof DatasetConfig>;

/** Ranges whose lower end their scale does not have: `gasTemp above 0, as log10(gasTemp) is scaled`. */
function offTheirScales(ranges: unknown): string[] {
  return Object.entries(isMap(ranges) ? ranges : {}).flatMap(([parameter, range]) => {
    const scale = scaleOf(parameter);
    const isOff = Array.isArray(range) && typeof range[0] === "number" && range[0] <= boundOf(scale);
    return isOff ? [`${parameter} ${boundText(scale)}, as ${scaleText(parameter, scale)} is scaled`] : [];
  });
}

interface Ranges {
  readonly phys: readonly string[];
  readonly physical_parameter_ranges: Readonly<Record<string, unknown>>;
}

function withoutRange({ phys, physical_parameter_ranges }: Ranges): string[] {
  return phys.filter((name) => name !== timestepColumn && !Object.hasOwn(physical_parameter_ranges, name));
}

function describeMissingRanges(dataset: Ranges): string {
  const known = Object.keys(dataset.physical_parameter_ranges);
  const missing = withoutRange(dataset).map((parameter) => {
    const near = nearest(parameter, known);
    return `\`${parameter}\`${near === undefined ? "" : ` (did you mean \`${near}\`?)`}`;
  });
  return `names what dataset.physical_parameter_ranges has no range for: ${missing.join(", ")}`;
}

function field(value: unknown, key: string): unknown {
  return isMap(value) ? value[key] : undefined;
}
