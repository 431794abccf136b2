import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AstrochemError, CheckpointError, DataError } from "../../src/errors.ts";
import { decodePickledStrings, encodeBytes, unpickle } from "../../src/formats/pickle.ts";
import type { PickleFactory } from "../../src/formats/pickle-machine.ts";

const fixture = (name: string): Uint8Array =>
  readFileSync(join(import.meta.dirname, "../fixtures/formats", `${name}.pkl`));
const words = ["G_0001", "G_0002", "", "Grüße ☄", "G_0001"];
const newMap: PickleFactory = () => new Map();
const newSet: PickleFactory = ([items]) => new Set(items as unknown[]);
const globals = new Map<string, PickleFactory>([
  ["collections OrderedDict", newMap],
  ["_codecs encode", encodeBytes],
  ["__builtin__ set", newSet],
  ["builtins set", newSet],
]);
const load = (text: string | Uint8Array): unknown =>
  unpickle(typeof text === "string" ? Buffer.from(text, "latin1") : text, { globals, where: "test.pkl" });

describe("unpickle", () => {
  it.each([0, 1, 2, 3, 4, 5])("reads what Python writes with protocol %i", (protocol) => {
    const value = load(fixture(`plain-${protocol}`)) as Map<string, unknown>;
    const list = [1, [2]];
    const expected = new Map<string, unknown>([
      ["none", null],
      ["true", true],
      ["false", false],
      ["small", 7],
      ["word", 40000],
      ["negative", -3],
      ["long", -(2 ** 40)],
      ["huge", 2n ** 63n + 1n],
      ["float", 1.5],
      ["text", "a'b\n\\ é ☄ 😀"],
      ["bytes", Uint8Array.of(0, 255)],
      ["list", list],
      ["empty", []],
      ["tuple", [1, 2, 3, 4]],
      ["pair", [1, 2]],
      [
        "dict",
        new Map<unknown, unknown>([
          ["__proto__", 1],
          [2, new Map()],
        ]),
      ],
      ["set", new Set([1])],
      ["ordered", new Map([["a", 1]])],
      ["again", list],
    ]);
    expect([...value.keys()]).toEqual([...expected.keys()]);
    for (const [key, item] of expected) expect(value.get(key), key).toEqual(item);
    expect(value.get("again")).toBe(value.get("list"));
  });

  it("refuses by name what is not on the list", () => {
    expect(() => load("cos\nsystem\n(S'true'\ntR.")).toThrow(CheckpointError);
    expect(() => load("cos\nsystem\n(S'true'\ntR.")).toThrow(
      "the pickle asks for os.system, which is not on the list of what may be loaded",
    );
    expect(() => load("c__proto__\nconstructor\n.")).toThrow("asks for __proto__.constructor");
    expect(() => load("(S'true'\nios\nsystem\n.")).toThrow(/unknown instruction "i"/);
  });

  it("reads Python 2's texts", () => {
    expect(load("S'a\\x41\\n\\'b'\n.")).toBe("aA\n'b");
    expect(load("U\x03abc.")).toBe("abc");
    expect(load("F1e3\n.")).toBe(1000);
    expect(load("Fnan\n.")).toBeNaN();
    expect(load("L-5L\n.")).toBe(-5);
  });

  it.each([
    ["", /cut off/],
    ["N", /cut off/],
    [".", /more than there is/],
    ["NN.", /leaves something over/],
    ["(N.", /leaves something over/],
    ["t.", /more than there is/],
    ["N(a.", /more than there is/],
    ["\x86.", /more than there is/],
    ["Na.", /more than there is/],
    ["NNa.", /appends to what is not a list/],
    ["NNNs.", /not a dictionary/],
    ["}(Nu.", /key without a value/],
    ["h\x00.", /no entry 0/],
    ["Nr\xff\xff\xff\x7f.", /no place 2147483647/],
    ["Np-1\n.", /no place -1/],
    ["X\xff\xff\xff\xff.", /cut off/],
    ["\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", /cut off/],
    ["\x8b\xff\xff\xff\xff.", /4294967295 bytes long/],
    [`L${"9".repeat(100_000)}L\n.`, /number is damaged/],
    ["X\x01\x00\x00\x00\xff.", /not valid UTF-8/],
    ["VU\\Uffffffff\n.", /text is damaged/],
    ["S'\\q'\n.", /damaged/],
    ["Sabc\n.", /damaged/],
    ["(".repeat(2000), /nested too deeply/],
    ["NN\x81.", /call is damaged/],
    ["NNb.", /state of what has none/],
    ["NQ.", /outside itself/],
    ["\x80\x09N.", /protocol 9/],
    ["\xfe.", /unknown instruction/],
  ])("refuses the damaged pickle %j", (text, message) => {
    expect(() => load(text)).toThrow(CheckpointError);
    expect(() => load(text)).toThrow(message);
  });

  it("reads a text of many megabytes in quotes", () => {
    const text = "a".repeat(2e7);
    expect(load(`S'${text}'\n.`) === text).toBe(true);
    expect(() => load("S'a\\'\n.")).toThrow(/text in quotes is damaged/);
    expect(() => load("S'\n.")).toThrow(/text in quotes is damaged/);
  });

  it("refuses a few bytes that would fill the memory by many calls with one long text", () => {
    const text = "a".repeat(200_000);
    const calls = "h\x00h\x01R".repeat(1500);
    expect(() => load(`c_codecs\nencode\nq\x000S'${text}'\nS'latin1'\n\x86q\x010(${calls}l.`)).toThrow(
      /same long arguments to many calls/,
    );
  });

  it("copes with a list inside a list inside a list", () => {
    const depth = 100_000;
    expect(load(`${"]".repeat(depth)}${"a".repeat(depth - 1)}.`)).toHaveLength(1);
  });
});

describe("decodePickledStrings", () => {
  const names = [0, 1, 2, 3, 4, 5].map((protocol) => `strings-${protocol}`);
  it.each([...names, "strings-column", "strings-numpy2", "strings-list"])("reads %s", (name) => {
    expect(decodePickledStrings(fixture(name), "frame.h5")).toEqual(words);
  });

  it.each([
    ["strings-unicode", /of type U7, not of texts/],
    ["strings-missing", /entry 1 of the pickled texts is missing \(None\)/],
    ["strings-hostile", /asks for osvil.system, which is not on the list/],
    ["plain-4", /asks for collections.OrderedDict/],
  ])("refuses %s", (name, message) => {
    expect(() => decodePickledStrings(fixture(name), "frame.h5")).toThrow(DataError);
    expect(() => decodePickledStrings(fixture(name), "frame.h5")).toThrow(message);
    expect(() => decodePickledStrings(fixture(name), "frame.h5")).toThrow("frame.h5");
  });

  it("answers any damage with an error that says so, or with strings", () => {
    const originals = [...names, "strings-numpy2", "strings-list"].map(fixture);
    fc.assert(
      fc.property(
        fc.constantFrom(...originals),
        fc.array(fc.tuple(fc.nat(290), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        fc.option(fc.nat(290)),
        (original, flips, cut) => {
          const bytes = Uint8Array.from(original);
          for (const [at, value] of flips) bytes[at % bytes.length] = value;
          try {
            const texts = decodePickledStrings(bytes.subarray(0, cut ?? bytes.length), "damaged.h5");
            expect(texts.every((text) => typeof text === "string")).toBe(true);
          } catch (error) {
            if (!(error instanceof AstrochemError)) throw error;
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
