import { type Models, type PartPort, partOf } from "../onnx-parts.ts";
import { conserveFunctions, conserveTables } from "./conserve.ts";
import { type Description, describe } from "./description.ts";
import { cFloat } from "./elementwise.ts";
import { cFunction, Tables, type Width, wrapped } from "./emit.ts";
import { publicFunctions } from "./functions.ts";
import { queries } from "./header.ts";
import { kernels, mathsOf, vectors } from "./prelude.ts";
import { type CellProgram, cellProgram } from "./program.ts";
import { movers, oneWidth } from "./rows.ts";

const block: Width = { word: "block", cells: "SG_BLOCK" };
const narrow: Width = { word: "narrow", cells: "SG_NARROW" };
const one: Width = { word: "one", cells: "1" };
const widths = [block, narrow, one];

/** A surrogate as C, and what it is. */
export interface CSurrogate {
  readonly about: Description;
  /** The text of the source file. */
  readonly source: string;
}

/** @throws AstrochemError for an operation that has no translation */
export function cSurrogate(name: string, models: Models): CSurrogate {
  const options = { scaling: true, steps: 1 };
  const step = partOf("step", models, options);
  const carried = step.inputs.filter(({ quantity }) => quantity === "carry");
  const about = describe(name, models, sizeOfPorts(carried));
  const parts = [
    ["encode", partOf("encoder", models, options)],
    ...(about.carry > 0 ? ([["start", partOf("start", models, options)]] as const) : []),
    ["step", step],
    ["decode", partOf("decoder", models, options)],
  ] as const;
  const tables = new Tables();
  const programs = parts.map(([, part]) => cellProgram(part));
  const functions = parts.map(([word], k) => {
    const program = programs[k]!;
    return widths.map((width) => cFunction(word, program, width, tables)).join("\n\n");
  });
  const text = functions.join("\n\n");
  const used = new Set(Array.from(text.matchAll(/sg_(\w+?)_(?:block|narrow|one)\(/g), ([, word]) => word!));
  const source = [
    `/* ${about.provenance.join("\n * ")} */`,
    `#include "${name}.h"\n\n#include <math.h>\n#include <string.h>`,
    vectors,
    `#define SG_WIDEST ${widest(programs)}`,
    mathsOf(text),
    ...widths.map((width) => kernels(width, used)),
    ...tables.text,
    text,
    flagged(about),
    movers,
    ...(about.conserved.names.length > 0
      ? [conserveTables(about), ...[block, one].map((width) => conserveFunctions(about, width))]
      : []),
    ...widths.map((width) => oneWidth(about, width, carried)),
    publicFunctions(about),
    queries(about),
  ];
  return { about, source: `${source.map((each) => each.trim()).join("\n\n")}\n` };
}

/** The largest layer, of inputs or outputs. */
function widest(programs: readonly CellProgram[]): number {
  const layers = programs.flatMap(({ statements }) => statements.filter(({ kind }) => kind === "dense"));
  return Math.max(1, ...layers.flatMap((layer) => (layer.kind === "dense" ? [layer.inner, layer.columns] : [])));
}

function sizeOfPorts(ports: readonly PartPort[]): number {
  return ports.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

/** What is wrong with the inputs of a cell. */
function flagged({ name, species, conditions, clipping }: Description): string {
  const upper = name.toUpperCase();
  const ends = (k: 0 | 1): string => wrapped(conditions.map(({ range }) => cFloat(range[k])));
  return `static uint32_t sg_not_finite(int count, const float *x)
{
  for (int k = 0; k < count; k++) {
    if (!isfinite(x[k])) return ${upper}_NOT_FINITE;
  }
  return 0;
}

static uint32_t sg_flags_of_abundances(const float *x)
{
  uint32_t flags = sg_not_finite(${species.length}, x);
  for (int k = 0; k < ${species.length}; k++) {
    if (x[k] < ${cFloat(clipping.lower)} || x[k] > ${cFloat(clipping.upper)}) flags |= ${upper}_CLIPPED;
  }
  return flags;
}

static const float sg_lower[] = {
${ends(0)}
};

static const float sg_upper[] = {
${ends(1)}
};

static uint32_t sg_flags_of_physical(const float *x)
{
  uint32_t flags = sg_not_finite(${conditions.length}, x);
  for (int k = 0; k < ${conditions.length}; k++) {
    if (x[k] < sg_lower[k] || x[k] > sg_upper[k]) flags |= ${upper}_OUT_OF_RANGE;
  }
  return flags;
}`;
}
