import { cPrograms, Tables } from "../c/emit.ts";
import { movers, type Width, widths } from "../c/prelude.ts";
import { type CellProgram, cellProgram } from "../c/program.ts";
import type { HostTensors, ProgramOptions, StepFunction, StepInC } from "../engine.ts";
import { recordStep, type Shapes } from "../recorder.ts";

/** A frozen step as C, for rows one by one; its weights come in when it runs, so that models of one shape share it. */
export interface KernelSource {
  readonly text: string;
  readonly weights: Float32Array;
  /** In the order of the kernel's arrays. */
  readonly inputs: readonly string[];
  readonly outputs: readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** Multiplications for one row, or one step of one. */
  readonly work: number;
}

/** A frozen program with a batch. */
export interface KernelStep {
  readonly name: string;
  readonly step: StepFunction;
  readonly batch: NonNullable<ProgramOptions["batch"]>;
  readonly series: ProgramOptions["series"];
  /** What is done after the step. */
  readonly inC: ProgramOptions["inC"];
}

/**
 * @param constants  the state
 * @param inputs     shapes of the inputs as the program's callers give them
 * @throws UnknownKernelError, ConfigError for an operation that has no translation
 */
export function kernelSource(
  { name, step, batch, series, inC }: KernelStep,
  constants: HostTensors,
  inputs: Shapes,
): KernelSource {
  // One row, and of a series one step, time first.
  const shapes = Object.fromEntries(
    Object.entries(inputs)
      .filter(([key]) => key !== inC?.taken)
      .map(([key, shape]) => [key, key === series?.input ? [1, 1, shape[2]!] : shape.with(batch[key]!, 1)]),
  );
  const { graph, outputs } = recordStep(name, step, {}, shapes, { frozen: constants });
  const ports = Object.entries(shapes).map(([key, shape]) => ({ key: `input:${key}`, name: `in_${key}`, shape }));
  const ends = outputs.map((key) => ({ key: `output:${key}`, name: `out_${key}` }));
  const program = cellProgram(name, graph, {}, ports, ends);
  const tables = new Tables("sg_weights");
  const ending = inC?.text() ?? "";
  const parts = cPrograms({ run: program }, tables, ending);
  const order = Object.keys(shapes);
  const finish = inC && { ...inC, width: inputs[inC.taken]![1]! };
  const text = [
    "#include <math.h>\n#include <stddef.h>\n#include <stdint.h>\n#include <string.h>",
    ...parts,
    movers,
    ...(inC ? [ending] : []),
    ...widths
      // Of one row as of several.
      .filter(({ word }) => !inC || word !== "one")
      .map((width) => rowsFunction(program, order, outputs, { series, finish }, width)),
    entry(!inC),
  ];
  const made = new Map(graph.outputs.map((port) => [port.name, port.shape as readonly number[]]));
  const kept = series ? [series.output] : outputs;
  return {
    text: `${text.map((each) => each.trim()).join("\n\n")}\n`,
    weights: Float32Array.from(tables.values),
    inputs: inC ? [...order, inC.taken] : order,
    outputs: [
      ...kept.map((key) => {
        const shape = made.get(`output:${key}`)!;
        return { name: key, shape: series ? shape.slice(2) : shape.slice(1) };
      }),
      ...(inC?.made ?? []).map((key) => ({ name: key, shape: [] })),
    ],
    work: program.statements.reduce(
      (sum, each) =>
        "inner" in each && each.kind !== "reduce"
          ? sum + each.rows * each.inner * each.columns
          : sum + each.target.size,
      inC?.work ?? 0,
    ),
  };
}

/** The end of a step in C, with the width of what it takes. */
type Finish = StepInC & { readonly width: number };

/** The kernel for a block of rows: arrays are [row][width], those of a series [row][step][width]. */
function rowsFunction(
  program: CellProgram,
  inputs: readonly string[],
  outputs: readonly string[],
  { series, finish }: { series: ProgramOptions["series"]; finish: Finish | undefined },
  { word, cells }: Width,
): string {
  const isOne = word === "one";
  const sizes = { in: program.inputs.map(({ size }) => size), out: program.outputs.map(({ size }) => size) };
  const array = (name: string, size: number): string => `  float ${name}[${size} * ${cells}];`;
  const load = (size: number, from: string, to: string, stride: string): string =>
    isOne
      ? `memcpy(${to}, ${from}, ${size} * sizeof(float));`
      : `sg_gather(${cells}, cells, ${stride}, ${size}, ${from}, ${to});`;
  const store = (size: number, from: string, to: string, stride: string): string =>
    isOne
      ? `memcpy(${to}, ${from}, ${size} * sizeof(float));`
      : `sg_scatter(${cells}, cells, ${stride}, ${size}, ${from}, ${to});`;
  const call = `sg_run_${word}(${["sg_weights", ...inputs.map((_, k) => `x${k}`), ...outputs.map((_, k) => `y${k}`)].join(", ")});`;
  const driving = series ? inputs.indexOf(series.input) : -1;
  const first = inputs.flatMap((_, k) =>
    k === driving ? [] : [`  ${load(sizes.in[k]!, `in[${k}] + row * ${sizes.in[k]}`, `x${k}`, `${sizes.in[k]}`)}`],
  );
  const finishing = ({ changed, made, width }: Finish): string[] => {
    const args = ["taken + b", `y${outputs.indexOf(changed)} + b`, ...made.map((_, k) => `made${k}`)];
    return [
      `  float taken[${width} * ${cells}];`,
      `  ${load(width, `in[${inputs.length}] + row * ${width}`, "taken", `${width}`)}`,
      `  for (size_t b = 0; b < cells; b += SG_LANES) {`,
      `    float ${made.map((_, k) => `made${k}[SG_LANES]`).join(", ")};`,
      `    sg_finish(${[cells, ...args].join(", ")});`,
      "    for (size_t l = 0; l < SG_LANES && b + l < cells; l++) {",
      ...made.map((_, k) => `      out[${outputs.length + k}][row + b + l] = made${k}[l];`),
      "    }",
      "  }",
    ];
  };
  const body = (): string[] => {
    if (!series) {
      const stores = outputs.map(
        (_, k) => `  ${store(sizes.out[k]!, `y${k}`, `out[${k}] + row * ${sizes.out[k]}`, `${sizes.out[k]}`)}`,
      );
      return ["  (void)steps;", ...first, `  ${call}`, ...(finish ? finishing(finish) : []), ...stores];
    }
    const [at, to] = [sizes.in[driving]!, outputs.indexOf(series.output)];
    const size = sizes.out[to]!;
    return [
      ...first,
      "  for (size_t t = 0; t < steps; t++) {",
      `    ${load(at, `in[${driving}] + (row * steps + t) * ${at}`, `x${driving}`, `steps * ${at}`)}`,
      `    ${call}`,
      ...outputs.map((name, k) => `    memcpy(x${inputs.indexOf(name)}, y${k}, sizeof y${k});`),
      `    ${store(size, `y${to}`, `out[0] + (row * steps + t) * ${size}`, `steps * ${size}`)}`,
      "  }",
    ];
  };
  return [
    `static void sg_rows_${word}(const float *sg_weights, size_t row, ${isOne ? "" : "size_t cells, "}size_t steps, const float *const *in, float *const *out)`,
    "{",
    ...sizes.in.map((size, k) => array(`x${k}`, size)),
    ...sizes.out.map((size, k) => array(`y${k}`, size)),
    ...body(),
    "}",
  ].join("\n");
}

/** What the addon calls, by any number of threads. @param few  whether a few rows are computed one by one */
const entry = (few: boolean): string => `/* How many rows are best given at once, and at least. */
void sg_sizes(size_t *most, size_t *least)
{
  *most = SG_BLOCK;
  *least = SG_NARROW;
}

/* Rows row to end of a call. */
void sg_kernel(const float *weights, size_t row, size_t end, size_t steps, const float *const *in, float *const *out)
{
  while (end - row > SG_NARROW) {
    const size_t cells = (end - row < SG_BLOCK) ? end - row : SG_BLOCK;
    sg_rows_block(weights, row, cells, steps, in, out);
    row += cells;
  }
${
  few
    ? `  if (end - row >= SG_FEW) {
    sg_rows_narrow(weights, row, end - row, steps, in, out);
    return;
  }
  for (; row < end; row++) sg_rows_one(weights, row, steps, in, out);`
    : "  if (row < end) sg_rows_narrow(weights, row, end - row, steps, in, out);"
}
}`;
