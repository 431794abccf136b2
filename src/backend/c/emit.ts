import { cFloat, elementwise } from "./elementwise.ts";
import { fused, placed, readBy } from "./fuse.ts";
import { kernels, mathsOf, vectors, type Width, widths } from "./prelude.ts";
import type { CellProgram } from "./program.ts";
import type { Buffer, Operand, Statement } from "./statements.ts";

/** Outputs that a panel of weights holds: the row of a cache line. */
const panel = 16;

/** The arrays of numbers of a C file: equal ones stand there once. */
export class Tables {
  readonly #names = new Map<string, string>();
  readonly #parameter: string | null;
  readonly text: string[] = [];
  /** What the parameter has to be. */
  readonly values: number[] = [];

  /** @param parameter  of the functions, through which floats come in; null: they stand in the file */
  constructor(parameter: string | null = null) {
    this.#parameter = parameter;
  }

  /** `const float *…, ` where floats come in through a parameter. */
  get declared(): string {
    return this.#parameter === null ? "" : `const float *restrict ${this.#parameter}, `;
  }

  /** @returns the array's name */
  add(values: ArrayLike<number>, type: "float" | "int" = "float"): string {
    if (this.#parameter !== null && type === "float") {
      const start = this.values.length;
      for (let k = 0; k < values.length; k++) this.values.push(values[k]!);
      // Each begins a line of the cache.
      while (this.values.length % panel > 0) this.values.push(0);
      return `(${this.#parameter} + ${start})`;
    }
    const literals = Array.from(values, type === "int" ? String : cFloat);
    const key = literals.join();
    const known = this.#names.get(key);
    if (known) return known;
    const name = `sg_table_${this.#names.size}`;
    this.#names.set(key, name);
    const kind = type === "float" ? "SG_ALIGNED float" : type;
    this.text.push(`static const ${kind} ${name}[${literals.length}] = {\n${wrapped(literals)}\n};`);
    return name;
  }
}

/** A list over lines. */
export function wrapped(words: readonly string[], perLine = 8, indent = "  "): string {
  const lines: string[] = [];
  for (let k = 0; k < words.length; k += perLine) lines.push(indent + words.slice(k, k + perLine).join(", "));
  return lines.join(",\n");
}

/** Programs as functions `sg_<name>_<width>`, with all that they need. @param programs  by name @param more  text that calls mathematics, too */
export function cPrograms(programs: Readonly<Record<string, CellProgram>>, tables: Tables, more = ""): string[] {
  const functions = Object.entries(programs).flatMap(([name, program]) =>
    widths.map((width) => cFunction(name, program, width, tables)),
  );
  const text = functions.join("\n\n");
  const used = new Set(Array.from(text.matchAll(/sg_(\w+?)_(?:block|narrow|one)\(/g), ([, word]) => word!));
  const layers = Object.values(programs).flatMap(({ statements }) => statements.filter(({ kind }) => kind === "dense"));
  const sizes = layers.flatMap((layer) => (layer.kind === "dense" ? [layer.inner, layer.columns] : []));
  return [
    vectors,
    `/* The largest layer, of inputs or outputs. */\n#define SG_WIDEST ${Math.max(1, ...sizes)}`,
    mathsOf(text + more),
    ...widths.map((width) => kernels(width, used)),
    ...tables.text,
    text,
  ];
}

/** One function: the program for `width` cells. Its arrays are [entry][cell]. */
function cFunction(name: string, program: CellProgram, width: Width, tables: Tables): string {
  const statements = fused(program.statements);
  const { offsets, size } = placed(statements);
  const writer = new Writer(width, offsets, tables);
  const inputs = program.inputs.map(({ parameter }) => `const float *restrict ${parameter}`);
  const outputs = program.outputs.map(({ parameter }) => `float *restrict ${parameter}`);
  const unused = program.inputs.filter((input) => !statements.some((each) => readBy(each).has(input)));
  return [
    `static void sg_${name}_${width.word}(${tables.declared}${[...inputs, ...outputs].join(", ")})`,
    "{",
    ...(size > 0 ? [`  float work[${size} * ${width.cells}];`] : []),
    ...unused.map(({ parameter }) => `  (void)${parameter};`),
    ...statements.map((statement) => writer.statement(statement)),
    "}",
  ].join("\n");
}

class Writer {
  readonly #width: Width;
  readonly #offsets: ReadonlyMap<Buffer, number>;
  readonly #tables: Tables;

  constructor(width: Width, offsets: ReadonlyMap<Buffer, number>, tables: Tables) {
    [this.#width, this.#offsets, this.#tables] = [width, offsets, tables];
  }

  statement(statement: Statement): string {
    switch (statement.kind) {
      case "loop":
        return this.#loop(statement);
      case "copy":
        return this.#copy(statement);
      case "dense":
        return this.#dense(statement);
      case "product": {
        const { rows, inner, columns } = statement;
        const arrays = [statement.a, statement.b].map((each) => this.#pointer(each)).join(", ");
        return `  sg_product_${this.#width.word}(${rows}, ${inner}, ${columns}, ${arrays}, ${this.#start(statement.target)});`;
      }
      case "reduce": {
        const { op, x, target, inner } = statement;
        return `  sg_${op}_${this.#width.word}(${target.size}, ${inner}, ${this.#pointer(x)}, ${this.#start(target)});`;
      }
    }
  }

  /** Many stretches by a table of where each entry comes from: a loop for each takes compilers minutes. */
  #copy({ target, parts }: Statement & { kind: "copy" }): string {
    const places = parts.flatMap(({ count, from }) => {
      if (!("buffer" in from) || from.buffer.parameter !== undefined) return [];
      const start = this.#shift(from.buffer, from.offset);
      return Array.from({ length: count }, (_, k) => (from.kind === "each" ? start + k : start));
    });
    if (parts.length > 4 && places.length === target.size) {
      const index = this.#tables.add(places, "int");
      return this.#each(target.size, `${this.#at(target, 0)} = work[${index}[j] * ${this.#width.cells} + b];`);
    }
    return parts
      .map(({ at, count, from }) => this.#each(count, `${this.#at(target, at)} = ${this.#value(from)};`))
      .join("\n");
  }

  /** Vectors of cells, or for one cell of entries: the last vector then ends where the entries end. */
  #loop({ target, ops }: Statement & { kind: "loop" }): string {
    const { size } = target;
    const isOne = this.#width.word === "one";
    const isShort = isOne && size < panel;
    const locals = new Map<Buffer, string>();
    const lines = ops.map(({ target: made, node, args }, k) => {
      const values = args.map((each) => {
        const local = "buffer" in each ? locals.get(each.buffer) : undefined;
        return local ?? this.#vector(each, isShort ? `sg_some(#, SG_SOME(j, ${size}))` : "SG_LOAD(#)");
      });
      const text = elementwise[node.op]!.c(values, node.attributes);
      locals.set(made, `t${k}`);
      return `const sg_vector t${k} = ${text};`;
    });
    const [last, place] = [`t${ops.length - 1}`, this.#place(target, 0)];
    lines.push(
      isShort
        ? `memcpy(${place}, &${last}, (size_t)SG_SOME(j, ${size}) * sizeof(float));`
        : `SG_STORE(${place}, ${last});`,
    );
    const entries = isShort
      ? [`  for (int j = 0; j < ${size}; j += SG_LANES) {`, "    {"]
      : [`  for (int i = 0; i < ${size}; i += SG_LANES) {`, "    {", `      const int j = SG_LAST(i, ${size});`];
    const cells = [
      `  for (int j = 0; j < ${size}; j++) {`,
      `    for (int b = 0; b < ${this.#width.cells}; b += SG_LANES) {`,
    ];
    return [...(isOne ? entries : cells), ...lines.map((line) => `      ${line}`), "    }", "  }"].join("\n");
  }

  /** An operand as a vector. @param load  what loads from the place # */
  #vector(operand: Operand, load: string): string {
    const isOne = this.#width.word === "one";
    const loaded = (place: string): string => load.replace("#", place);
    switch (operand.kind) {
      case "number":
        return `SG_ALL(${cFloat(operand.value)})`;
      case "table": {
        const table = this.#tables.add(operand.values);
        return isOne ? loaded(`${table} + j`) : `SG_ALL(${table}[j])`;
      }
      case "same": {
        const [base, shift] = [this.#base(operand.buffer), this.#shift(operand.buffer, operand.offset)];
        return isOne ? `SG_ALL(${base}[${shift}])` : `SG_LOAD(${base} + ${shift} * ${this.#width.cells} + b)`;
      }
      case "each":
        return loaded(this.#place(operand.buffer, operand.offset));
    }
  }

  /** Where entry j of a buffer begins. */
  #place(buffer: Buffer, offset: number): string {
    const place = `${this.#base(buffer)} + ${this.#shift(buffer, offset)}`;
    return this.#width.word === "one"
      ? `${place} + j`
      : `${this.#base(buffer)} + (${this.#shift(buffer, offset)} + j) * ${this.#width.cells} + b`;
  }

  #dense({ target, x, rows, inner, columns, weights, add }: Statement & { kind: "dense" }): string {
    const table = this.#tables.add(panels(weights, inner, columns));
    const bias = new Float64Array(Math.ceil(columns / panel) * panel);
    if (add?.kind === "table") bias.set(add.values);
    const row = (size: number): string => (rows === 1 ? "" : ` + i * ${size} * ${this.#width.cells}`);
    const computed = add?.kind === "each" ? this.#pointer(add) + row(columns) : "NULL";
    const arrays = [this.#pointer(x) + row(inner), this.#start(target) + row(columns)];
    const args = [table, this.#tables.add(bias), computed, inner, columns, ...arrays];
    const call = `  sg_dense_${this.#width.word}(${args.join(", ")});`;
    return rows === 1 ? call : `  for (int i = 0; i < ${rows}; i++) {\n  ${call}\n  }`;
  }

  /** A loop over `count` entries of all cells. */
  #each(count: number, ...lines: string[]): string {
    return [
      `  for (int j = 0; j < ${count}; j++) {`,
      `    for (int b = 0; b < ${this.#width.cells}; b++) {`,
      ...lines.map((line) => `      ${line}`),
      "    }",
      "  }",
    ].join("\n");
  }

  #value(operand: Operand): string {
    switch (operand.kind) {
      case "number":
        return cFloat(operand.value);
      case "table":
        return `${this.#tables.add(operand.values)}[j]`;
      case "same":
        return `${this.#base(operand.buffer)}[${this.#shift(operand.buffer, operand.offset)} * ${this.#width.cells} + b]`;
      case "each":
        return this.#at(operand.buffer, operand.offset);
    }
  }

  #at(buffer: Buffer, offset: number): string {
    const shift = this.#shift(buffer, offset);
    return `${this.#base(buffer)}[${shift === 0 ? "j" : `(${shift} + j)`} * ${this.#width.cells} + b]`;
  }

  #pointer(operand: Operand): string {
    if (operand.kind !== "each") throw new Error(`a ${operand.kind} has no place`);
    return `${this.#base(operand.buffer)} + ${this.#shift(operand.buffer, operand.offset)} * ${this.#width.cells}`;
  }

  #start(buffer: Buffer): string {
    return `${this.#base(buffer)} + ${this.#shift(buffer, 0)} * ${this.#width.cells}`;
  }

  #base(buffer: Buffer): string {
    return buffer.parameter ?? "work";
  }

  #shift(buffer: Buffer, offset: number): number {
    return offset + (buffer.parameter === undefined ? this.#offsets.get(buffer)! : 0);
  }
}

/** [inner][columns] → [panel][inner][16], the last panel filled with zeros. */
function panels(weights: Float64Array, inner: number, columns: number): Float64Array {
  const count = Math.ceil(columns / panel);
  const out = new Float64Array(count * inner * panel);
  for (let j = 0; j < columns; j++) {
    for (let k = 0; k < inner; k++) {
      out[(Math.floor(j / panel) * inner + k) * panel + (j % panel)] = weights[k * columns + j]!;
    }
  }
  return out;
}
