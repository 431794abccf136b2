import { configError, type Place } from "./problems.ts";
import { badKey, type ConfigValue, type Scalar } from "./tree.ts";

const maximumDepth = 64;
/** More runs than that are a mistake. */
export const mostPoints = 100_000;
const sweepFix = "a sweep has one run for each value: add -m (preprocess, train-autoencoder, train-emulator, evaluate)";
const integer = /^[+-]?(0|[1-9](_?\d)*)$/;
const float = /^[+-]?((0|[1-9](_?\d)*)?\.\d(_?\d)*|(0|[1-9](_?\d)*)\.?)(e[+-]?\d(_?\d)*)?$/i;
const notFinite = /^[+-]?(inf|nan)$/i;
const escapable = "\\()[]{}:=, \t";

/** What unquoted text means: a number, a boolean, null, or the text itself. */
export function readScalar(text: string): Scalar {
  if (integer.test(text) || float.test(text)) return Number(text.replaceAll("_", ""));
  if (notFinite.test(text)) {
    if (/nan/i.test(text)) return Number.NaN;
    return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  }
  const word = text.toLowerCase();
  if (word === "true" || word === "false") return word === "true";
  return word === "null" ? null : text;
}

/**
 * Writes a value as it would be written on the command line: `[1, a, {b: 'x y'}]`. What `parseValue` reads back unchanged.
 */
export function printValue(value: ConfigValue): string {
  if (typeof value === "string") return printText(value);
  if (typeof value === "number") return printNumber(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (Array.isArray(value)) return `[${value.map(printValue).join(", ")}]`;
  const entries = Object.entries(value).map(([key, item]) => `${printKey(key)}: ${printValue(item)}`);
  return `{${entries.join(", ")}}`;
}

/**
 * Reads the value of an override, from `offset` to the end of the text: Hydra's grammar (OverrideParser.g4) without its functions.
 * @throws ConfigError with the column for anything that is not one value; a sweep `1,2` names what may have been meant
 */
export function parseValue(text: string, offset = 0): ConfigValue {
  return new ValueParser(text, offset).parse();
}

/** What a sweep goes through: values, each as it would be written alone, or those options of a group that fit the patterns. */
export type Sweep =
  | { readonly values: readonly string[] }
  | { readonly include: readonly string[]; readonly exclude: readonly string[] };

/**
 * Reads the value of an override of a sweep: `1,2`, `choice(a, b)`, `range(0, 8)`, `glob(latent_*, exclude=latent_ode)`, or one value.
 * @throws ConfigError with the column
 */
export function parseSweep(text: string, offset: number): Sweep {
  return new ValueParser(text, offset).parseSweep();
}

/** An argument of a function, or one of the values between commas. */
interface Item {
  readonly name: string | undefined;
  readonly value: ConfigValue;
  readonly text: string;
}

/** Recursive descent, one method a rule of the grammar. */
class ValueParser {
  readonly #text: string;
  readonly #start: number;
  #at: number;

  constructor(text: string, offset: number) {
    this.#text = text;
    this.#start = offset;
    this.#at = offset;
  }

  parse(): ConfigValue {
    this.#skipSpace();
    if (this.#at === this.#text.length) return "";
    const value = this.#element(0, "");
    this.#skipSpace();
    if (this.#at === this.#text.length) return value;
    if (this.#peek() === ",") throw this.#sweep();
    throw this.#unexpected();
  }

  parseSweep(): Sweep {
    this.#skipSpace();
    const begin = this.#at;
    if (begin === this.#text.length) return { values: [""] };
    const [call, name] = /^(choice|range|glob)\s*\(/.exec(this.#text.slice(begin)) ?? ["", ""];
    this.#at += call.length;
    const items = this.#items(call === "" ? "" : ")");
    if (call !== "" && this.#text[this.#at++] !== ")") throw this.#error(`no \`)\` closes \`${call}\``, begin);
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#unexpected();
    if (name === "range") return { values: this.#range(items, begin) };
    const [named] = items.filter((item) => item.name !== undefined && (name !== "glob" || item.name !== "exclude"));
    if (named) throw this.#error(`${name}(…) knows no \`${named.name}=\``, begin);
    if (name !== "glob") return { values: items.map(({ text }) => text) };
    const patterns = (which: string | undefined): string[] =>
      items.filter((item) => item.name === which).flatMap(({ value }) => [value].flat().map(String));
    return { include: patterns(undefined), exclude: patterns("exclude") };
  }

  /** Values between commas; in a function they may have names. */
  #items(closing: string): Item[] {
    const items: Item[] = [];
    do {
      if (items.length > 0) this.#at++;
      this.#skipSpace();
      const [head, name] = (closing && /^(\w+)\s*=\s*/.exec(this.#text.slice(this.#at))) || ["", undefined];
      this.#at += head.length;
      const at = this.#at;
      const value = this.#element(0, closing, true);
      items.push({ name, value, text: this.#text.slice(at, this.#at).trim() });
      this.#skipSpace();
    } while (this.#peek() === ",");
    return items;
  }

  /** range(stop), range(start, stop, step): as Python's, of any numbers. */
  #range(items: readonly Item[], at: number): string[] {
    const plain = items.filter(({ name }) => name === undefined).map(({ value }) => value);
    const named = new Map(items.flatMap(({ name, value }) => (name === undefined ? [] : [[name, value] as const])));
    const [first, second, third] = plain;
    const start = named.get("start") ?? (plain.length > 1 ? first : 0);
    const stop = named.get("stop") ?? (plain.length > 1 ? second : first);
    const step = named.get("step") ?? third ?? 1;
    const unknown = [...named.keys()].some((name) => !["start", "stop", "step"].includes(name));
    const [from, to, by] = [start, stop, step].map((value) => (typeof value === "number" ? value : Number.NaN)) as [
      number,
      number,
      number,
    ];
    // Rounding must neither add a value nor lose one: range(0, 0.3, 0.1) has three.
    const count = Math.ceil((to - from) / by - 1e-9);
    if (unknown || plain.length > 3 || !(count >= 1 && count <= mostPoints)) {
      throw this.#error(
        "this range has no values, or too many",
        at,
        "range(stop) or range(start, stop, step): range(0, 8)",
      );
    }
    return Array.from({ length: count }, (_, i) => String(Number((from + i * by).toPrecision(12))));
  }

  /** element: list | dict | quoted | primitive */
  #element(depth: number, closing: string, isSweep = false): ConfigValue {
    if (depth > maximumDepth) throw this.#error(`nested deeper than ${maximumDepth} levels`);
    this.#skipSpace();
    const next = this.#peek();
    if (next === "[") return this.#list(depth);
    if (next === "{") return this.#dict(depth);
    if (next === "'" || next === '"') return this.#quoted(next);
    return this.#primitive(closing, isSweep);
  }

  #list(depth: number): ConfigValue[] {
    const items: ConfigValue[] = [];
    const open = this.#at++;
    this.#skipSpace();
    while (this.#peek() !== "]") {
      items.push(this.#element(depth + 1, "]"));
      this.#separator("]", open);
    }
    this.#at++;
    return items;
  }

  #dict(depth: number): ConfigValue {
    const value: Record<string, ConfigValue> = Object.create(null);
    const open = this.#at++;
    this.#skipSpace();
    while (this.#peek() !== "}") {
      const at = this.#at;
      const key = this.#plain(":}").text.trim();
      const bad = badKey(key);
      if (bad) throw this.#error(bad, at);
      if (Object.hasOwn(value, key)) throw this.#error(`duplicate key \`${key}\``, at);
      if (this.#peek() !== ":") throw this.#error(`\`:\` expected after the key \`${key}\``);
      this.#at++;
      value[key] = this.#element(depth + 1, "}");
      this.#separator("}", open);
    }
    this.#at++;
    return value;
  }

  /** A comma that another item must follow, or the closing bracket, which is left. */
  #separator(closing: string, open: number): void {
    this.#skipSpace();
    if (this.#peek() === closing) return;
    if (this.#at === this.#text.length) throw this.#error(`no \`${closing}\` closes \`${this.#text[open]}\``, open);
    if (this.#peek() !== ",") throw this.#unexpected();
    this.#at++;
    this.#skipSpace();
    if (this.#peek() === closing) throw this.#error(`a value is missing before \`${closing}\``);
  }

  /** Backslashes count only before a quote: an odd one makes it part of the text, pairs make one backslash. */
  #quoted(quote: string): string {
    const open = this.#at++;
    let value = "";
    for (;;) {
      if (this.#at >= this.#text.length) throw this.#error(`no ${quote} closes the quoted text`, open);
      const run = /^\\*/.exec(this.#text.slice(this.#at))![0].length;
      this.#at += run;
      if (this.#peek() !== quote) {
        value += "\\".repeat(run) + (this.#text[this.#at++] ?? "");
        continue;
      }
      value += "\\".repeat(run >> 1);
      this.#at++;
      if (run % 2 === 0) return value;
      value += quote;
    }
  }

  #primitive(closing: string, isSweep: boolean): Scalar {
    const at = this.#at;
    const { text, escaped, keep } = this.#plain(closing, isSweep);
    // Blanks around a value do not belong to it, escaped ones do.
    const trimmed = text.slice(0, Math.max(keep, text.trimEnd().length));
    if (trimmed === "" && !escaped) throw this.#error("a value is missing", at);
    return escaped ? trimmed : readScalar(trimmed);
  }

  /** Unquoted text up to a comma, a closing bracket or one of `stops`; `keep`: how much of it escapes protect. */
  #plain(stops: string, isSweep = false): { text: string; escaped: boolean; keep: number } {
    let text = "";
    let escaped = false;
    let keep = 0;
    while (this.#at < this.#text.length) {
      const next = this.#peek();
      const after = this.#text[this.#at + 1];
      if (next === "\\" && after !== undefined && escapable.includes(after)) {
        text += after;
        escaped = true;
        keep = text.length;
        this.#at += 2;
      } else if (next === "$" && after === "{") {
        text += this.#interpolation();
      } else if (next === "," || stops.includes(next) || next === "]" || next === "}") {
        break;
      } else {
        this.#refuse(next, text, isSweep);
        text += next;
        this.#at++;
      }
    }
    return { text, escaped, keep };
  }

  #refuse(character: string, before: string, isSweep: boolean): void {
    if (character === "(" && /^(choice|range|interval|glob|sort|shuffle|tag|extend_list)\s*$/.test(before)) {
      const what = isSweep ? "is none of what a sweep knows" : "sweeps over values, and one run takes one value";
      const fix = isSweep
        ? "give choice(…), range(…), glob(…), or values with commas, one of these alone; astrochem tune takes interval(…)"
        : sweepFix;
      throw this.#error(`${before.trim()}(…) ${what}`, this.#at, fix);
    }
    if ("([{".includes(character) || character === ")") {
      throw this.#error(`\`${character}\` inside unquoted text`, this.#at, this.#quoteAll());
    }
    if (character === "'" || character === '"') {
      throw this.#error("a quote inside unquoted text", this.#at, this.#quoteAll());
    }
  }

  /** `${…}` with what is nested in it, as it stands. */
  #interpolation(): string {
    const open = this.#at;
    let depth = 0;
    do {
      if (this.#at >= this.#text.length) throw this.#error("no `}` closes `${`", open);
      if (this.#peek() === "{") depth++;
      else if (this.#peek() === "}") depth--;
      this.#at++;
    } while (depth > 0 || this.#at < open + 2);
    return this.#text.slice(open, this.#at);
  }

  #sweep() {
    const key = this.#text.slice(0, this.#start);
    const values = this.#text.slice(this.#start);
    return this.#error(
      `\`${this.#text}\` can be read in more than one way`,
      this.#at,
      [
        `a list is written with brackets: '${key}[${values}]'`,
        `text is quoted: ${key}"${printText(values)}"`,
        sweepFix,
      ].join("\n"),
    );
  }

  #unexpected() {
    return this.#error(`unexpected \`${this.#peek()}\``, this.#at, this.#quoteAll());
  }

  #quoteAll(): string {
    return "quote text that has brackets, quotes or commas in it: key=\"'some (text)'\"";
  }

  #error(what: string, at = this.#at, fix?: string) {
    const place: Place = { override: this.#text, column: at + 1 };
    return configError(what, place, fix);
  }

  #peek(): string {
    return this.#text[this.#at] ?? "";
  }

  #skipSpace(): void {
    while (this.#peek() === " " || this.#peek() === "\t") this.#at++;
  }
}

function printNumber(value: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  return Object.is(value, -0) ? "-0" : String(value);
}

function printText(text: string): string {
  if (/^[\w./$*%@?|+-]+$/.test(text) && readScalar(text) === text) return text;
  const escaped = text.replaceAll(/(\\*)'/g, "$1$1\\'").replace(/\\+$/, "$&$&");
  return `'${escaped}'`;
}

function printKey(key: string): string {
  return key.replaceAll(/[\\()[\]{}:=, \t]/g, "\\$&");
}
