import { configError, type Place } from "./problems.ts";
import { badKey, type ConfigValue, type Scalar } from "./tree.ts";

const maximumDepth = 64;
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

  /** element: list | dict | quoted | primitive */
  #element(depth: number, closing: string): ConfigValue {
    if (depth > maximumDepth) throw this.#error(`nested deeper than ${maximumDepth} levels`);
    this.#skipSpace();
    const next = this.#peek();
    if (next === "[") return this.#list(depth);
    if (next === "{") return this.#dict(depth);
    if (next === "'" || next === '"') return this.#quoted(next);
    return this.#primitive(closing);
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

  #primitive(closing: string): Scalar {
    const at = this.#at;
    const { text, escaped, keep } = this.#plain(closing);
    // Blanks around a value do not belong to it, escaped ones do.
    const trimmed = text.slice(0, Math.max(keep, text.trimEnd().length));
    if (trimmed === "" && !escaped) throw this.#error("a value is missing", at);
    return escaped ? trimmed : readScalar(trimmed);
  }

  /** Unquoted text up to a comma, a closing bracket or one of `stops`; `keep`: how much of it escapes protect. */
  #plain(stops: string): { text: string; escaped: boolean; keep: number } {
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
        this.#refuse(next, text);
        text += next;
        this.#at++;
      }
    }
    return { text, escaped, keep };
  }

  #refuse(character: string, before: string): void {
    if (character === "(" && /^(choice|range|interval|glob|sort|shuffle|tag|extend_list)\s*$/.test(before)) {
      throw this.#error(
        `${before.trim()}(…) sweeps over values, and one run takes one value`,
        this.#at,
        "give one value",
      );
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
        "a sweep over several values is one run each: start the command once for every value",
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
