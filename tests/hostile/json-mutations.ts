import fc from "fast-check";

/** One change of a JSON text: a value is replaced, a key renamed, doubled or taken out. */
export interface JsonMutation {
  readonly kind: "value" | "value" | "rename" | "double" | "remove";
  readonly place: number;
  readonly value: string;
  readonly name: string;
}

/** JSON texts that stand in the place of others. */
const values = [
  ...["0", "-1", "1.5", "1e308", "1e999", "9007199254740991", "9007199254740993", "4294967296", "2147483648", "1e-300"],
  ...["null", "true", '""', '"x"', "[]", "{}", "[[[[[[]]]]]]", "[0,0]", "[1,0]", "[-1,1]", "[1e999,1]", "[null,null]"],
  ...['"F32"', '"I64"', '"BF16"', '"2"', '"999999"', '"1"', '"\\u0000"', '"\\ud800"', '"__proto__"'],
  ...["[65536,65536]", "[2147483648,2]", "[9007199254740991,9007199254740991]", "[0,1e15]", '{"__proto__":{"x":1}}'],
  ...[`[${"[".repeat(50)}${"]".repeat(50)}]`, `[${"1,".repeat(100)}1]`, `"${"x".repeat(5000)}"`],
];
const names = [
  "__proto__",
  "constructor",
  "prototype",
  "__metadata__",
  "",
  "x",
  "\u001b[31m",
  "../../x",
  "a".repeat(3000),
];

export const jsonMutations: fc.Arbitrary<readonly JsonMutation[]> = fc.array(
  fc.record({
    kind: fc.constantFrom(...(["value", "value", "value", "rename", "double", "remove"] as const)),
    place: fc.nat(),
    value: fc.constantFrom(...values),
    name: fc.constantFrom(...names),
  }),
  { minLength: 1, maxLength: 3 },
);

/**
 * Changes the text, not the value: names that occur twice and numbers beyond a double stay as they are written. Text that is no JSON
 * comes back as it is.
 */
export function mutateJson(json: string, recipe: readonly JsonMutation[]): string {
  return recipe.reduce(mutateOnce, json);
}

function mutateOnce(json: string, { kind, place, value, name }: JsonMutation): string {
  const spans = kind === "value" ? valuesOf(json) : membersOf(json);
  const span = spans[place % Math.max(1, spans.length)];
  if (span === undefined) return json;
  const [from, to] = span;
  const old = json.slice(from, to);
  if (kind === "value") return json.slice(0, from) + value + json.slice(to);
  if (kind === "remove") return json.slice(0, from) + json.slice(json[to] === "," ? to + 1 : to);
  if (kind === "double") return `${json.slice(0, to)},${old}${json.slice(to)}`;
  return json.slice(0, from) + old.replace(/^"(?:[^"\\]|\\.)*"/s, JSON.stringify(name)) + json.slice(to);
}

type Span = readonly [from: number, to: number];

/** Where texts, numbers, words, lists and objects stand that are no names. */
function valuesOf(json: string): Span[] {
  const spans: Span[] = [];
  for (const { index, 0: token } of json.matchAll(/"(?:[^"\\]|\\.)*"|[\w.+-]+|\[[^[\]{}]*\]/gs)) {
    const to = index + token.length;
    if (json[to] !== ":") spans.push([index, to]);
    // The numbers within a list, too.
    if (token.startsWith("["))
      for (const inner of token.matchAll(/[\w.+-]+/g))
        spans.push([index + inner.index, index + inner.index + inner[0].length]);
  }
  return spans;
}

/** Where `"name": value` stands. */
function membersOf(json: string): Span[] {
  const value = /"(?:[^"\\]|\\.)*":("(?:[^"\\]|\\.)*"|[\w.+-]+|\[[^[\]{}]*\]|\{[^{}]*\})/gs;
  return [...json.matchAll(value)].map(({ index, 0: member }) => [index, index + member.length] as const);
}
