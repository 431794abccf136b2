import { cFloat } from "../../backend/c/elementwise.ts";
import { block, cPrograms, one, Tables, widths, wrapped } from "../../backend/c/emit.ts";
import { movers } from "../../backend/c/prelude.ts";
import { type CellProgram, cellProgram } from "../../backend/c/program.ts";
import { recordStep } from "../../backend/recorder.ts";
import { inputShapes, type Models, type Part, type PartPort, partOf } from "../onnx-parts.ts";
import { conserveFunctions, conserveTables } from "./conserve.ts";
import { type Description, describe } from "./description.ts";
import { publicFunctions } from "./functions.ts";
import { queries } from "./header.ts";
import { oneWidth } from "./rows.ts";

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
  const programs = Object.fromEntries(parts.map(([word, part]) => [word, partProgram(part)]));
  const source = [
    `/* ${about.provenance.join("\n * ")} */`,
    `#include "${name}.h"\n\n#include <math.h>\n#include <string.h>`,
    ...cPrograms(programs, new Tables()),
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

/** The computation of a part, of one cell. */
export function partProgram(part: Part): CellProgram {
  const shapes = Object.fromEntries(Object.entries(part.weights).map(([name, { shape }]) => [name, shape]));
  const { graph } = recordStep(part.kind, part.step, shapes, inputShapes(part, 1));
  const state = Object.fromEntries(Object.entries(part.weights).map(([name, value]) => [`state:${name}`, value]));
  const inputs = part.inputs.map(({ name, shape }) => ({ key: `input:${name}`, name, shape: [1, ...shape] }));
  return cellProgram(
    part.kind,
    graph,
    state,
    inputs,
    part.outputs.map(({ name }) => ({ key: `output:${name}`, name })),
  );
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
