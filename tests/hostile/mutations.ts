import fc from "fast-check";

/** One way to damage bytes. `at` and `length` are shares of what is there, so that a recipe fits every file. */
export interface Mutation {
  readonly kind:
    | "flip"
    | "byte"
    | "word16"
    | "word32"
    | "word64"
    | "cut"
    | "drop"
    | "repeat"
    | "insert"
    | "swap"
    | "zero";
  readonly at: number;
  readonly length: number;
  /** Which of the values that programs stumble over. */
  readonly value: number;
}

/** Lengths, counts and offsets that overflow, wrap around or are just beyond something. */
const words = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0xfffn,
  0x7fffn,
  0xffffn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_fffen,
  0xffff_ffffn,
  0x1_0000_0000n,
  (1n << 53n) - 1n,
  1n << 53n,
  1n << 62n,
  (1n << 63n) - 1n,
  (1n << 64n) - 1n,
];

/** Evenly spread: fast-check's own numbers lie near the ends, and what is in the middle would stay whole. */
const share = fc.noBias(fc.nat({ max: 2 ** 20 - 1 })).map((step) => step / 2 ** 20);

export const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.constantFrom(
    ...(["flip", "flip", "flip", "byte", "byte", "word16", "word32", "word64"] as const),
    ...(["cut", "drop", "repeat", "insert", "swap", "zero"] as const),
  ),
  at: share,
  length: share,
  value: fc.nat({ max: 255 }),
});

export const mutations = fc.array(mutation, { minLength: 1, maxLength: 6 });

/** A damaged copy. */
export function mutateBytes(bytes: Uint8Array, recipe: readonly Mutation[]): Buffer {
  return recipe.reduce<Buffer>((at, step) => mutateOnce(at, step), Buffer.from(bytes));
}

function mutateOnce(bytes: Buffer, { kind, at, length, value }: Mutation): Buffer {
  if (bytes.length === 0) return bytes;
  const from = Math.floor(at * bytes.length);
  // Squared: short pieces more often than long ones.
  const to = Math.min(bytes.length, from + 1 + Math.floor(length * length * (bytes.length - from)));
  const piece = bytes.subarray(from, to);
  switch (kind) {
    case "flip":
      bytes[from]! ^= 1 << (value % 8);
      return bytes;
    case "byte":
      bytes[from] = value;
      return bytes;
    case "word16":
    case "word32":
    case "word64": {
      const width = Number(kind.slice(4)) / 8;
      const word = Buffer.alloc(8);
      word.writeBigUInt64LE(words[value % words.length]!);
      word.copy(bytes, from, 0, Math.min(width, bytes.length - from));
      return bytes;
    }
    case "cut":
      return bytes.subarray(0, from);
    case "drop":
      return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
    case "repeat":
      return Buffer.concat([bytes.subarray(0, to), piece.subarray(0, 65_536), bytes.subarray(to)]);
    case "insert":
      return Buffer.concat([bytes.subarray(0, from), Buffer.alloc(1 + (value % 16), value), bytes.subarray(from)]);
    case "swap": {
      const other = Buffer.from(piece).reverse();
      other.copy(bytes, from);
      return bytes;
    }
    case "zero":
      piece.fill(value % 2 === 0 ? 0 : 0xff);
      return bytes;
  }
}

/** Puts hostile tokens into text, and takes lines out, doubles and exchanges them. */
export interface TextMutation {
  readonly kind: "insert" | "replace" | "delete" | "double" | "move" | "indent";
  readonly at: number;
  readonly to: number;
  readonly token: string;
}

/** Short texts of characters that mean something somewhere, in one encoding or another. */
const noise = fc
  .array(
    fc.constantFrom(
      ..." \t\n\0\u0085\u2028\ufeff\ud800\udc00é𝄞\u001b#&*!|>'\"%@`{}[],:-?\\$=~<.0123456789abceEfinrtuxy_",
    ),
    {
      maxLength: 12,
    },
  )
  .map((characters) => characters.join(""));

export function textMutations(tokens: readonly string[]): fc.Arbitrary<readonly TextMutation[]> {
  const one = fc.record({
    kind: fc.constantFrom(
      ...(["insert", "insert", "replace", "replace", "delete", "double", "move", "indent"] as const),
    ),
    at: share,
    to: share,
    token: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...tokens) }, noise),
  });
  return fc.array(one, { minLength: 1, maxLength: 5 });
}

/** @param separator what the pieces of the text are parted by: lines, or the characters themselves */
export function mutateText(text: string, recipe: readonly TextMutation[], separator = "\n"): string {
  let pieces = text.split(separator);
  for (const { kind, at, to, token } of recipe) {
    const [from, target] = [Math.floor(at * pieces.length), Math.floor(to * pieces.length)];
    const piece = pieces[from] ?? "";
    const column = Math.floor(to * (piece.length + 1));
    if (kind === "insert") pieces[from] = piece.slice(0, column) + token + piece.slice(column);
    else if (kind === "replace") pieces[from] = piece.slice(0, piece.search(/[^:]*$/)) + token;
    else if (kind === "delete") pieces.splice(from, 1);
    else if (kind === "double") pieces.splice(target, 0, piece);
    else if (kind === "move") pieces.splice(target, 0, ...pieces.splice(from, 1));
    else pieces[from] = `  ${piece}`;
    if (pieces.length === 0) pieces = [token];
  }
  return pieces.join(separator);
}
