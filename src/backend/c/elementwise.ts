import type { OnnxNode } from "../onnx-model.ts";

/** An operation on numbers one by one: as this program computes it when a constant is made, and as C. */
export interface ElementwiseOp {
  readonly value: (args: readonly number[], attributes: OnnxNode["attributes"]) => number;
  /** @param args vectors of numbers: expressions without side effects, each of a name or in brackets */
  readonly c: (args: readonly string[], attributes: OnnxNode["attributes"]) => string;
}

/** What `maths` of the C file is called in it. */
const call = (name: string, value: (x: number) => number): ElementwiseOp => ({
  value: ([x]) => value(x!),
  c: ([x]) => `sg_${name}(${x})`,
});
const infix = (sign: string, value: (a: number, b: number) => number): ElementwiseOp => ({
  value: ([a, b]) => value(a!, b!),
  c: ([a, b]) => `${a} ${sign} ${b}`,
});
const compared = (sign: string, value: (a: number, b: number) => boolean): ElementwiseOp => ({
  value: ([a, b]) => Number(value(a!, b!)),
  c: ([a, b]) => `SG_PICK(${a} ${sign} ${b}, SG_ALL(1.0f), SG_ALL(0.0f))`,
});
const chained = (step: ElementwiseOp): ElementwiseOp => ({
  value: (args, attributes) => args.slice(1).reduce((sum, x) => step.value([sum, x], attributes), args[0]!),
  c: (args, attributes) => args.slice(1).reduce((sum, x) => step.c([sum, x], attributes), args[0]!),
});
const alphaOf = (attributes: OnnxNode["attributes"]): number => (attributes.alpha as { float: number }).float;

/** By ONNX's names. Every comparison is written so that NaN, as the first argument, stays NaN. */
export const elementwise: Readonly<Record<string, ElementwiseOp>> = {
  Add: infix("+", (a, b) => a + b),
  Sub: infix("-", (a, b) => a - b),
  Mul: infix("*", (a, b) => a * b),
  Div: infix("/", (a, b) => a / b),
  Sum: chained(infix("+", (a, b) => a + b)),
  Max: { value: ([a, b]) => Math.max(a!, b!), c: ([a, b]) => `SG_PICK(${a} < ${b}, ${b}, ${a})` },
  Min: { value: ([a, b]) => Math.min(a!, b!), c: ([a, b]) => `SG_PICK(${a} > ${b}, ${b}, ${a})` },
  Clip: {
    value: ([x, low, high]) => Math.min(Math.max(x!, low!), high!),
    c: ([x, low, high]) => `SG_PICK(${x} < ${low}, ${low}, SG_PICK(${x} > ${high}, ${high}, ${x}))`,
  },
  Pow: { value: ([a, b]) => a! ** b!, c: ([a, b]) => `sg_pow(${a}, ${b})` },
  Neg: { value: ([x]) => -x!, c: ([x]) => `-${x}` },
  Abs: { value: ([x]) => Math.abs(x!), c: ([x]) => `sg_abs(${x})` },
  Sqrt: { value: ([x]) => Math.sqrt(x!), c: ([x]) => `sg_sqrt(${x})` },
  Reciprocal: { value: ([x]) => 1 / x!, c: ([x]) => `1.0f / ${x}` },
  Exp: call("exp", Math.exp),
  Log: call("log", Math.log),
  Tanh: call("tanh", Math.tanh),
  Erf: call("erf", erf),
  Sigmoid: call("sigmoid", (x) => 1 / (1 + Math.exp(-x))),
  Softplus: call("softplus", (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  Elu: {
    value: ([x]) => (x! < 0 ? Math.expm1(x!) : x!),
    c: ([x]) => `SG_PICK(${x} < 0.0f, sg_exp(${x}) - 1.0f, ${x})`,
  },
  Relu: { value: ([x]) => Math.max(x!, 0), c: ([x]) => `SG_PICK(${x} < 0.0f, SG_ALL(0.0f), ${x})` },
  LeakyRelu: {
    value: ([x], attributes) => (x! < 0 ? alphaOf(attributes) * x! : x!),
    c: ([x], attributes) => `SG_PICK(${x} < 0.0f, ${cFloat(alphaOf(attributes))} * ${x}, ${x})`,
  },
  Greater: compared(">", (a, b) => a > b),
  GreaterOrEqual: compared(">=", (a, b) => a >= b),
  Less: compared("<", (a, b) => a < b),
  LessOrEqual: compared("<=", (a, b) => a <= b),
  Equal: compared("==", (a, b) => a === b),
  And: infix("*", (a, b) => a * b),
  Or: { value: ([a, b]) => Math.max(a!, b!), c: ([a, b]) => `SG_PICK(${a} < ${b}, ${b}, ${a})` },
  Not: { value: ([x]) => 1 - x!, c: ([x]) => `1.0f - ${x}` },
  Where: { value: ([test, a, b]) => (test ? a! : b!), c: ([test, a, b]) => `SG_PICK(${test} != 0.0f, ${a}, ${b})` },
};

/** A float literal in hexadecimal: the same bits with every compiler. */
export function cFloat(given: number): string {
  const value = Math.fround(given);
  if (Number.isNaN(value)) return "NAN";
  if (!Number.isFinite(value)) return value < 0 ? "-INFINITY" : "INFINITY";
  if (value === 0) return "0.0f";
  const size = Math.abs(value);
  let exponent = Math.floor(Math.log2(size));
  // log2 rounds.
  if (size >= 2 ** (exponent + 1)) exponent += 1;
  if (size < 2 ** exponent) exponent -= 1;
  const digits = ((size / 2 ** exponent - 1) * 2 ** 24).toString(16).padStart(6, "0").replace(/0+$/, "");
  return `${value < 0 ? "-" : ""}0x1${digits && "."}${digits}p${exponent}f`;
}

/** By its series, and by what is left of 1 far out: to 1e-15. */
function erf(x: number): number {
  if (Math.abs(x) > 6 || Number.isNaN(x)) return Math.sign(x);
  let [sum, term] = [x, x];
  for (let n = 1; n < 200; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}
