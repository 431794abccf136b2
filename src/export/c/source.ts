import { type Models, type PartPort, partOf } from "../onnx-parts.ts";
import { type Description, describe } from "./description.ts";
import { cFloat } from "./elementwise.ts";
import { cFunction, Tables, type Width, wrapped } from "./emit.ts";
import { queries } from "./header.ts";
import { kernels, mathsOf, vectors } from "./prelude.ts";
import { type CellProgram, cellProgram } from "./program.ts";

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
    ...(about.carry > 0 ? [carryFunctions(carried)] : []),
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

const movers = `/* Rows of cells to [entry][cell] and back; what is left of a block is filled with its last cell. */
static inline void sg_gather(int width, size_t cells, size_t stride, int count, const float *restrict from, float *restrict to)
{
  size_t row[SG_BLOCK];
  for (int b = 0; b < width; b++) row[b] = ((size_t)b < cells ? (size_t)b : cells - 1) * stride;
  for (int k = 0; k < count; k++) {
    for (int b = 0; b < width; b++) to[k * width + b] = from[row[b] + (size_t)k];
  }
}

static inline void sg_scatter(int width, size_t cells, size_t stride, int count, const float *restrict from, float *restrict to)
{
  for (int k = 0; k < count; k++) {
    for (size_t b = 0; b < cells; b++) to[b * stride + (size_t)k] = from[(size_t)(k * width) + b];
  }
}`;

/** The step and the start with what is remembered in one array, as callers have it. */
function carryFunctions(carried: readonly PartPort[]): string {
  return `#define SG_CARRY ${sizeOfPorts(carried)}`;
}

/** Where each carried array lies in the one that callers have. */
function carryArguments(array: string, carried: readonly PartPort[], { cells }: Width): string {
  let at = 0;
  return carried
    .map((port) => {
      const text = `, ${array} + ${at} * ${cells}`;
      at += sizeOfPorts([port]);
      return text;
    })
    .join("");
}

/** The functions for a block of cells or for one, on rows. */
function oneWidth(
  { species, conditions, latents, carry }: Description,
  width: Width,
  carried: readonly PartPort[],
): string {
  const { word, cells } = width;
  const isOne = word === "one";
  const [S, P, L] = [species.length, conditions.length, latents];
  const load = (stride: string, count: number | string, from: string, to: string): string =>
    isOne
      ? `memcpy(${to}, ${from}, ${count} * sizeof(float));`
      : `sg_gather(${cells}, cells, ${stride}, ${count}, ${from}, ${to});`;
  const store = (stride: string, count: number | string, from: string, to: string): string =>
    isOne
      ? `memcpy(${to}, ${from}, ${count} * sizeof(float));`
      : `sg_scatter(${cells}, cells, ${stride}, ${count}, ${from}, ${to});`;
  const count = isOne ? "" : "size_t cells, ";
  const hasCarry = carry > 0;
  const given = carryArguments("memory", carried, width);
  const made = carryArguments("next_memory", carried, width);
  const stepCall = `sg_step_${word}(x, z${given}, next${made});`;
  const turn = [`memcpy(z, next, sizeof z);`, ...(hasCarry ? ["memcpy(memory, next_memory, sizeof memory);"] : [])];
  const memory = hasCarry ? [`float memory[${carry} * ${cells}];`, `float next_memory[${carry} * ${cells}];`] : [];
  const body = (lines: readonly string[], indent = "  "): string => lines.map((line) => indent + line).join("\n");
  const pass = (name: string, [from, m]: [string, number], [to, n]: [string, number], call: string): string =>
    `static void ${name}_${word}(${count}const float *${from}, float *${to})
{
${body([`float in[${m} * ${cells}];`, `float out[${n} * ${cells}];`, load(`${m}`, m, from, "in"), call, store(`${n}`, n, "out", to)])}
}`;
  return [
    pass("sg_encode_rows", ["abundances", S], ["latents", L], `sg_encode_${word}(in, out);`),
    pass("sg_decode_rows", ["latents", L], ["abundances", S], `sg_decode_${word}(in, out);`),
    ...(hasCarry
      ? [
          pass(
            "sg_start_rows",
            ["latents", L],
            ["carry", carry],
            `sg_start_${word}(in${carryArguments("out", carried, width)});`,
          ),
        ]
      : []),
    `static void sg_step_rows_${word}(${count}const float *physical, float *latents${hasCarry ? ", float *carry" : ""})
{
${body([
  `float x[${P} * ${cells}];`,
  `float z[${L} * ${cells}];`,
  `float next[${L} * ${cells}];`,
  ...memory,
  load(`${P}`, P, "physical", "x"),
  load(`${L}`, L, "latents", "z"),
  ...(hasCarry ? [load(`${carry}`, carry, "carry", "memory")] : []),
  stepCall,
  store(`${L}`, L, "next", "latents"),
  ...(hasCarry ? [store(`${carry}`, carry, "next_memory", "carry")] : []),
])}
}`,
    `static void sg_emulate_rows_${word}(${count}size_t steps, const float *physical, const float *abundances, float *evolved)
{
${body([
  `float rows[${S} * ${cells}];`,
  `float x[${P} * ${cells}];`,
  `float z[${L} * ${cells}];`,
  `float next[${L} * ${cells}];`,
  ...memory,
  load(`${S}`, S, "abundances", "rows"),
  `sg_encode_${word}(rows, z);`,
  ...(hasCarry ? [`sg_start_${word}(z${given});`] : []),
  "for (size_t t = 0; t < steps; t++) {",
  `  ${load(`steps * ${P}`, P, `physical + t * ${P}`, "x")}`,
  `  ${stepCall}`,
  ...turn.map((line) => `  ${line}`),
  `  sg_decode_${word}(z, rows);`,
  `  ${store(`steps * ${S}`, S, "rows", `evolved + t * ${S}`)}`,
  "}",
])}
}`,
  ].join("\n\n");
}

/** The functions of the header that compute. */
function publicFunctions({ name, species, conditions, latents, carry }: Description): string {
  const upper = name.toUpperCase();
  const [S, P, L] = [species.length, conditions.length, latents];
  const made = (word: string, head: string, arrays: [string, string][], flags: string, first = ""): string => {
    const rows = arrays.map(([array, stride]) => `${array} + cell * ${stride}`).join(", ");
    return `int ${name}_${word}(size_t n, ${head})
{
  size_t cell = 0;
  if (n == 0) return ${upper}_OK;
  if (${arrays.map(([array]) => `${array} == NULL`).join(" || ")}) return ${upper}_NULL_ARRAY;
${flags}  while (n - cell > SG_NARROW) {
    const size_t cells = (n - cell < SG_BLOCK) ? n - cell : SG_BLOCK;
    sg_${word}_rows_block(cells, ${first}${rows});
    cell += cells;
  }
  if (n - cell >= SG_FEW) {
    sg_${word}_rows_narrow(n - cell, ${first}${rows});
    cell = n;
  }
  for (; cell < n; cell++) sg_${word}_rows_one(${first}${rows});
  return ${upper}_OK;
}`;
  };
  const told = (value: string): string => `  if (flags != NULL) {
    for (size_t i = 0; i < n; i++) flags[i] = ${value};
  }
`;
  const carried = carry > 0 ? ", float *carry" : "";
  const carriedRows: [string, string][] = carry > 0 ? [["carry", `${carry}`]] : [];
  return [
    made(
      "encode",
      "const float *abundances, float *latents, uint32_t *flags",
      [
        ["abundances", `${S}`],
        ["latents", `${L}`],
      ],
      told(`sg_flags_of_abundances(abundances + i * ${S})`),
    ),
    made(
      "decode",
      "const float *latents, float *abundances, uint32_t *flags",
      [
        ["latents", `${L}`],
        ["abundances", `${S}`],
      ],
      told(`sg_not_finite(${L}, latents + i * ${L})`),
    ),
    ...(carry > 0
      ? [
          made(
            "start",
            "const float *latents, float *carry",
            [
              ["latents", `${L}`],
              ["carry", `${carry}`],
            ],
            "",
          ),
        ]
      : []),
    made(
      "step",
      `const float *physical, float *latents${carried}, uint32_t *flags`,
      [["physical", `${P}`], ["latents", `${L}`], ...carriedRows],
      told(`sg_flags_of_physical(physical + i * ${P}) | sg_not_finite(${L}, latents + i * ${L})`),
    ),
    made(
      "emulate",
      "size_t steps, const float *physical, const float *abundances, float *evolved, uint32_t *flags",
      [
        ["physical", `steps * ${P}`],
        ["abundances", `${S}`],
        ["evolved", `steps * ${S}`],
      ],
      `  if (flags != NULL) {
    for (size_t i = 0; i < n; i++) {
      flags[i] = sg_flags_of_abundances(abundances + i * ${S});
      for (size_t t = 0; t < steps; t++) flags[i] |= sg_flags_of_physical(physical + (i * steps + t) * ${P});
    }
  }
`,
      "steps, ",
    ),
  ].join("\n\n");
}
