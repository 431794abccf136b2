import type { ErrorHint } from "../errors.ts";

/** Makes the error for something wrong at `where`; which class it is depends on what the pickle was part of. */
export type Failure = (what: string, hint: ErrorHint) => Error;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** Numbers of more than 64 bits do not occur in arrays, and Python's decimal ones take quadratic time to read. */
const longestInteger = 64;

/** The bytes of a pickle, read from front to back. Every read is checked against the end. */
export class PickleReader {
  readonly #bytes: Buffer;
  readonly #where: string;
  readonly #failure: Failure;
  #at = 0;

  constructor(bytes: Uint8Array, where: string, failure: Failure) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#where = where;
    this.#failure = failure;
  }

  /** How many bytes have been read. */
  get at(): number {
    return this.#at;
  }

  /** How many there are. */
  get length(): number {
    return this.#bytes.length;
  }

  fail(what: string, fix = "write the file again, or copy it anew"): Error {
    return this.#failure(what, { where: `${this.#where}, byte ${this.#at} of the pickle`, fix });
  }

  /** Moves on by `length` bytes. @returns where they begin */
  #advance(length: number): number {
    const from = this.#at;
    if (!(length <= this.#bytes.length - from)) throw this.fail("the pickle is cut off or damaged");
    this.#at = from + length;
    return from;
  }

  uint8(): number {
    return this.#bytes[this.#advance(1)]!;
  }

  uint16(): number {
    return this.#bytes.readUInt16LE(this.#advance(2));
  }

  uint32(): number {
    return this.#bytes.readUInt32LE(this.#advance(4));
  }

  int32(): number {
    return this.#bytes.readInt32LE(this.#advance(4));
  }

  /** A length of 8 bytes. One beyond 2^53 loses its last digits, which does not matter: it is beyond the end anyway. */
  length64(): number {
    return Number(this.#bytes.readBigUInt64LE(this.#advance(8)));
  }

  float64(): number {
    return this.#bytes.readDoubleBE(this.#advance(8));
  }

  /** A view, not a copy; not a Buffer, whose `slice` does not copy either. */
  bytes(length: number): Uint8Array {
    const from = this.#advance(length);
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + from, length);
  }

  latin1(length: number): string {
    const from = this.#advance(length);
    return this.#bytes.toString("latin1", from, from + length);
  }

  utf8(length: number): string {
    const from = this.#advance(length);
    // Buffer's decoder is many times faster on short texts, but puts U+FFFD for damage; that character is rare.
    const text = this.#bytes.toString("utf8", from, from + length);
    if (!text.includes("\ufffd")) return text;
    try {
      return strict.decode(this.#bytes.subarray(from, from + length));
    } catch {
      throw this.fail("a text is not valid UTF-8");
    }
  }

  /** The text up to the next line feed, which is skipped. */
  line(encoding: "latin1" | "utf8" = "latin1"): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.fail("the pickle is cut off or damaged");
    const text = encoding === "utf8" ? this.utf8(end - this.#at) : this.latin1(end - this.#at);
    this.#at = end + 1;
    return text;
  }

  /** A whole number in decimal digits, as protocol 0 has them. */
  decimal(line = this.line()): number | bigint {
    const text = /^([+-]?\d+)L?$/.exec(line.trim())?.[1];
    if (text === undefined || text.length > 3 * longestInteger) throw this.fail("a number is damaged");
    return narrowed(BigInt(text.replace("+", "")));
  }

  /** A whole number in `length` bytes, least first, in two's complement. */
  integer(length: number): number | bigint {
    if (length > longestInteger) throw this.fail(`a number is ${length} bytes long`);
    const bytes = this.bytes(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    return narrowed(BigInt.asIntN(8 * length, value));
  }

  /** A floating-point number in decimal digits. */
  float(): number {
    const text = this.line().trim();
    if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
    if (/^[+-]?inf$/i.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
    if (/^[+-]?nan$/i.test(text)) return Number.NaN;
    throw this.fail("a number is damaged");
  }

  /** A text as Python 2's `repr` wrote it: in quotes, with escapes. */
  quoted(): string {
    const text = this.line().trim();
    // No regular expression for the whole: on a text of many megabytes it would overflow the stack.
    const isQuoted = text.length >= 2 && (text[0] === "'" || text[0] === '"') && text.at(-1) === text[0];
    if (!isQuoted) throw this.fail("a text in quotes is damaged");
    const escapes: Record<string, string> = { n: "\n", r: "\r", t: "\t", "\\": "\\", "'": "'", '"': '"' };
    // A backslash with nothing behind it has escaped the last quote.
    return text.slice(1, -1).replace(/\\(x[\da-fA-F]{2}|.?)/gs, (_, code: string) => {
      if (code.length === 3) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
      if (!Object.hasOwn(escapes, code)) throw this.fail("a text in quotes is damaged");
      return escapes[code]!;
    });
  }

  /** A text of protocol 0: Latin-1, and `\uXXXX` or `\UXXXXXXXX` for the rest. */
  rawUnicode(): string {
    return this.line().replace(/\\u([\da-fA-F]{4})|\\U([\da-fA-F]{8})/g, (_, short?: string, long?: string) => {
      const code = Number.parseInt(short ?? long ?? "", 16);
      if (code > 0x10ffff) throw this.fail("a text is damaged");
      return String.fromCodePoint(code);
    });
  }
}

/** Python has one kind of whole number: a number where it is exact, else a bigint. */
function narrowed(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
