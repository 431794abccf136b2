import { cFloat } from "../../backend/c/elementwise.ts";
import { cPrograms, Tables, wrapped } from "../../backend/c/emit.ts";
import { movers, widths } from "../../backend/c/prelude.ts";
import { conserveFunctions, conserveTables, totalsFunction } from "../../models/conserve-c.ts";
import type { Models } from "../onnx-parts.ts";
import type { Description } from "./description.ts";
import { publicFunctions } from "./functions.ts";
import { queries } from "./header.ts";
import { partProgram, surrogateParts } from "./parts.ts";
import { oneWidth } from "./rows.ts";
import { trustFunctions } from "./trust.ts";

/** A surrogate as C, and what it is. */
export interface CSurrogate {
  readonly about: Description;
  /** The text of the source file. */
  readonly source: string;
}

/** @throws AstrochemError for an operation that has no translation */
export function cSurrogate(name: string, models: Models): CSurrogate {
  const { about, parts, carried } = surrogateParts(name, models);
  const programs = Object.fromEntries(parts.map(([word, part]) => [word, partProgram(part)]));
  const { conserved, clipping } = about;
  const conserving = conserved.names.length > 0 ? conserveFunctions(conserved) : "";
  const source = [
    `/* ${about.provenance.join("\n * ")} */`,
    `#include "${name}.h"\n\n#include <math.h>\n#include <string.h>`,
    ...cPrograms(programs, new Tables(), conserving),
    flagged(about),
    movers,
    ...(conserving ? [conserveTables(conserved), conserving, totalsFunction(conserved, clipping)] : []),
    trustFunctions(about),
    ...widths.map((width) => oneWidth(about, width, carried)),
    publicFunctions(about),
    queries(about),
  ];
  return { about, source: `${source.flatMap((each) => each.trim() || []).join("\n\n")}\n` };
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
