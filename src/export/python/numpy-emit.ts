import type { CellProgram } from "../../backend/c/program.ts";
import type { CopyPart, Operand, Buffer as Place, Statement } from "../../backend/c/statements.ts";
import type { OnnxNode } from "../../backend/onnx-model.ts";

/** Numbers that stand in the module as one text: float32, one array after the other. Equal ones stand there once. */
export class PythonTables {
  readonly #places = new Map<string, string>();
  readonly #parts: Float32Array[] = [];
  #size = 0;

  /** @returns the expression of the array, of that shape */
  add(values: ArrayLike<number>, shape: readonly number[] = [values.length]): string {
    const key = `${Array.from(values, Math.fround).join()}:${shape}`;
    let place = this.#places.get(key);
    if (place === undefined) {
      const from = this.#size;
      this.#parts.push(Float32Array.from(values));
      this.#size += values.length;
      place = `_table(${from}, ${shape.join(", ")})`;
      this.#places.set(key, place);
    }
    return place;
  }

  /** Base64 of all, in lines. */
  text(): string {
    const all = Buffer.concat(this.#parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength)));
    return all.toString("base64").replace(/.{1,120}/g, "$&\n");
  }
}

/** A number as Python writes it: of a float32, as many digits as it has. */
export function pythonNumber(given: number): string {
  const value = Math.fround(given);
  if (Number.isNaN(value)) return "_np.nan";
  if (!Number.isFinite(value)) return value < 0 ? "(-_np.inf)" : "_np.inf";
  const text = Number(value.toPrecision(9)).toString();
  const written = /[.e]/.test(text) ? text : `${text}.0`;
  return value < 0 ? `(${written})` : written;
}

type Attributes = OnnxNode["attributes"];
type Expression = (args: readonly string[], attributes: Attributes) => string;
const infix =
  (sign: string): Expression =>
  (args) =>
    `(${args.join(` ${sign} `)})`;
const called =
  (name: string): Expression =>
  (args) =>
    `${name}(${args.join(", ")})`;
const compared =
  (sign: string): Expression =>
  ([a, b]) =>
    `_one(${a} ${sign} ${b})`;

/** By ONNX's names, as `elementwise` of C. */
const operations: Readonly<Record<string, Expression>> = {
  Add: infix("+"),
  Sub: infix("-"),
  Mul: infix("*"),
  Div: infix("/"),
  Sum: infix("+"),
  Max: called("_np.maximum"),
  Min: called("_np.minimum"),
  Clip: ([x, low, high]) => `_np.minimum(_np.maximum(${x}, ${low}), ${high})`,
  Pow: infix("**"),
  Neg: ([x]) => `(-${x})`,
  Abs: called("_np.abs"),
  Sqrt: called("_np.sqrt"),
  Reciprocal: ([x]) => `(1.0 / ${x})`,
  Exp: called("_np.exp"),
  Log: called("_np.log"),
  Tanh: called("_np.tanh"),
  Erf: called("_erf"),
  Sigmoid: ([x]) => `(1.0 / (1.0 + _np.exp(-${x})))`,
  Softplus: ([x]) => `(_np.maximum(${x}, 0.0) + _np.log1p(_np.exp(-_np.abs(${x}))))`,
  Elu: ([x]) => `_where(${x} < 0.0, _np.expm1(_np.minimum(${x}, 0.0)), ${x})`,
  Relu: ([x]) => `_np.maximum(${x}, 0.0)`,
  LeakyRelu: ([x], { alpha }) => `_where(${x} < 0.0, ${pythonNumber((alpha as { float: number }).float)} * ${x}, ${x})`,
  Greater: compared(">"),
  GreaterOrEqual: compared(">="),
  Less: compared("<"),
  LessOrEqual: compared("<="),
  Equal: compared("=="),
  And: infix("*"),
  Or: called("_np.maximum"),
  Not: ([x]) => `(1.0 - ${x})`,
  Where: ([test, a, b]) => `_where(${test} != 0.0, ${a}, ${b})`,
};

/** A program as a function of numpy: arrays are [cells, entries]. */
export function pythonFunction(
  name: string,
  { inputs, outputs, statements }: CellProgram,
  tables: PythonTables,
): string {
  const names = new Map<Place, string>();
  for (const input of inputs) names.set(input, input.parameter!);
  const writer = new NumpyWriter(names, tables);
  const lines = statements.map((statement) => writer.statement(statement));
  return [
    `def _${name}(${inputs.map(({ parameter }) => parameter).join(", ")}):`,
    `    cells = len(${inputs[0]!.parameter})`,
    ...lines.map((line) => `    ${line}`),
    `    return ${outputs.map((output) => names.get(output)!).join(", ")}`,
  ].join("\n");
}

class NumpyWriter {
  readonly #names: Map<Place, string>;
  readonly #tables: PythonTables;

  constructor(names: Map<Place, string>, tables: PythonTables) {
    [this.#names, this.#tables] = [names, tables];
  }

  statement(statement: Statement): string {
    const { target } = statement;
    const text = this.#expression(statement);
    const name = `v${this.#names.size}`;
    this.#names.set(target, name);
    return `${name} = ${text}`;
  }

  #expression(statement: Statement): string {
    switch (statement.kind) {
      case "loop":
        return this.#loop(statement);
      case "copy":
        return this.#copy(statement.parts, statement.target.size);
      case "dense": {
        const { rows, inner, columns, weights, add, x } = statement;
        const product = `${this.#rows(x, rows, inner)} @ ${this.#tables.add(weights, [inner, columns])}`;
        const added =
          add === null ? "" : add.kind === "each" ? ` + ${this.#rows(add, rows, columns)}` : ` + ${this.#value(add)}`;
        return rows === 1 ? `${product}${added}` : `(${product}${added}).reshape(cells, ${rows * columns})`;
      }
      case "product": {
        const { a, b, rows, inner, columns } = statement;
        const [left, right] = [this.#stack(a, rows, inner), this.#stack(b, inner, columns)];
        return `_np.matmul(${left}, ${right}).reshape(cells, ${rows * columns})`;
      }
      case "reduce":
        return `${this.#stack(statement.x, statement.target.size, statement.inner)}.${statement.op}(axis=2)`;
    }
  }

  #loop({ target, ops }: Statement & { kind: "loop" }): string {
    // Nothing is fused here: a loop has one operation.
    const [{ node, args }] = ops as [(typeof ops)[number]];
    const text = operations[node.op]!(
      args.map((each) => this.#value(each, target.size)),
      node.attributes,
    );
    return args.some(({ kind }) => kind === "each") || target.size === 1
      ? text
      : `_full(${text}, cells, ${target.size})`;
  }

  /** One stretch, or what a list of positions in all that is joined says. */
  #copy(parts: readonly CopyPart[], size: number): string {
    const [first] = parts as [CopyPart];
    if (parts.length === 1 && first.from.kind === "each") return this.#value(first.from, size);
    const sources = new Map<Place, number>();
    let width = 0;
    for (const { from } of parts) {
      if (!("buffer" in from) || sources.has(from.buffer)) continue;
      sources.set(from.buffer, width);
      width += from.buffer.size;
    }
    const numbers: number[] = [];
    const index = parts.flatMap(({ from, count }) => {
      if ("buffer" in from) {
        const start = sources.get(from.buffer)! + from.offset;
        return Array.from({ length: count }, (_, k) => (from.kind === "each" ? start + k : start));
      }
      const start = width + numbers.length;
      for (let k = 0; k < count; k++) numbers.push(from.kind === "table" ? from.values[k]! : from.value);
      return Array.from({ length: count }, (_, k) => start + k);
    });
    const arrays = [...sources.keys()].map((buffer) => this.#names.get(buffer)!);
    if (numbers.length > 0) arrays.push(`_full(${this.#tables.add(numbers)}, cells, ${numbers.length})`);
    const joined = arrays.length === 1 ? arrays[0]! : `_np.concatenate([${arrays.join(", ")}], axis=1)`;
    const total = width + numbers.length;
    const isAll = index.length === total && index.every((at, k) => at === k);
    return isAll ? joined : `${joined}[:, ${this.#tables.add(index)}.astype(_np.intp)]`;
  }

  #value(operand: Operand, size?: number): string {
    if (operand.kind === "number") return pythonNumber(operand.value);
    if (operand.kind === "table") return this.#tables.add(operand.values);
    const { buffer, offset, kind } = operand;
    const name = this.#names.get(buffer)!;
    if (kind === "same") return buffer.size === 1 ? name : `${name}[:, ${offset}:${offset + 1}]`;
    return `${name}${size === undefined || size === buffer.size ? "" : `[:, ${offset}:${offset + size}]`}`;
  }

  #rows(operand: Operand, rows: number, width: number): string {
    const text = this.#value(operand, rows * width);
    return rows === 1 ? text : `${text}.reshape(cells, ${rows}, ${width})`;
  }

  #stack(operand: Operand, rows: number, width: number): string {
    return `${this.#value(operand, rows * width)}.reshape(cells, ${rows}, ${width})`;
  }
}
