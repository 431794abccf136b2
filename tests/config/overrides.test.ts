// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations of the configuration, not of JavaScript.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseValue, printValue, readScalar } from "../../src/config/override-values.ts";
import { parseOverride } from "../../src/config/overrides.ts";
import type { ConfigValue } from "../../src/config/tree.ts";

/** The message of what `text` throws. */
function failure(text: string): string {
  try {
    parseOverride(text);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${text} was accepted`);
}

describe("parseOverride", () => {
  it.each([
    ["model.lr=5e-4", { kind: "change", key: "model.lr", package: undefined, value: 5e-4 }],
    ["+a.b=1", { kind: "add", key: "a.b", package: undefined, value: 1 }],
    ["++a=1", { kind: "force", key: "a", package: undefined, value: 1 }],
    ["~a", { kind: "delete", key: "a", package: undefined, value: undefined }],
    ["~a=b", { kind: "delete", key: "a", package: undefined, value: "b" }],
    ["datasets=grav", { kind: "change", key: "datasets", package: undefined, value: "grav" }],
    ["models@autoencoder=small", { kind: "change", key: "models", package: "autoencoder", value: "small" }],
    ["+a/b@c.d=e", { kind: "add", key: "a/b", package: "c.d", value: "e" }],
  ])("reads %s", (text, expected) => {
    expect(parseOverride(text)).toMatchObject(expected);
  });

  it("knows the column at which the key begins", () => {
    expect(parseOverride("a=1").column).toBe(1);
    expect(parseOverride("++a=1").column).toBe(3);
  });
});

describe("parseValue", () => {
  it.each<[string, ConfigValue]>([
    ["", ""],
    ["1", 1],
    ["-20", -20],
    ["1_000_000", 1_000_000],
    ["1e-3", 1e-3],
    ["1E+2", 100],
    [".5", 0.5],
    ["3.", 3],
    ["inf", Number.POSITIVE_INFINITY],
    ["-INF", Number.NEGATIVE_INFINITY],
    ["012", "012"],
    ["1__0", "1__0"],
    ["TrUe", true],
    ["false", false],
    ["NULL", null],
    ["'null'", "null"],
    ['"1e-3"', "1e-3"],
    ["yes", "yes"],
    ["  padded text  ", "padded text"],
    ["a=b=c", "a=b=c"],
    ["data/run 1.h5", "data/run 1.h5"],
    ["C:\\dir\\file", "C:\\dir\\file"],
    ["a\\,b", "a,b"],
    ["\\ a\\ ", " a "],
    ["'it\\'s'", "it's"],
    ["'ends in \\\\'", "ends in \\"],
    ["'C:\\dir'", "C:\\dir"],
    ["${working_path}/x", "${working_path}/x"],
    ["${oc.env:VAR,a}", "${oc.env:VAR,a}"],
    ["${a:${b},{c}}", "${a:${b},{c}}"],
    ["[]", []],
    ["[ 1 , 2 ]", [1, 2]],
    ["[a,[b,'c,d'],{e:1}]", ["a", ["b", "c,d"], { e: 1 }]],
    ["{}", {}],
    ["{a:1, b: {c: x:y}}", { a: 1, b: { c: "x:y" } }],
    ["{a: ''}", { a: "" }],
  ])("reads %s", (text, expected) => {
    expect(parseValue(text)).toEqual(expected);
  });

  it("reads nan as a number", () => {
    expect(parseValue("nan")).toBeNaN();
  });

  const key = fc
    .stringMatching(/^[\w$ :=,[\]{}()\\-]{1,8}$/)
    .filter((text) => text.trim() === text && text !== "__proto__");
  const { value } = fc.letrec<{ value: ConfigValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: "binary" }),
      fc.constantFrom("null", "1e-3", "true", "'", "\\'", "a\\", "${a}", "[1]", "x,y", " ", "nan", "-inf", "0_1"),
      fc.double(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(key, tie("value"), { maxKeys: 4 }) as fc.Arbitrary<ConfigValue>,
    ),
  }));

  it("reads back whatever printValue writes", () => {
    fc.assert(
      fc.property(value, (written) => {
        expect(parseValue(printValue(written))).toEqual(written);
      }),
    );
  });

  it("reads back what is written with any prefix, key and value", () => {
    const name = fc
      .stringMatching(/^[A-Za-z_][\w-]{0,6}$/)
      .filter((text) => !/^(__proto__|constructor|prototype)$/.test(text));
    const dotted = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("."));
    const prefixes = { force: "++", add: "+", delete: "~", change: "" };
    const override = fc.record({
      kind: fc.constantFrom("change", "add", "force", "delete"),
      key: fc.oneof(
        dotted,
        fc.array(name, { minLength: 2, maxLength: 3 }).map((names) => names.join("/")),
      ),
      package: fc.option(dotted, { nil: undefined }),
      value,
    } as const);
    fc.assert(
      fc.property(override, (written) => {
        const { text, column, ...read } = parseOverride(
          `${prefixes[written.kind]}${written.key}${written.package === undefined ? "" : `@${written.package}`}=${printValue(written.value)}`,
        );
        expect(read).toEqual(written);
        expect(text.slice(column - 1).startsWith(read.key)).toBe(true);
      }),
    );
  });

  it("ends with a ConfigError or a value for any text, and never touches a prototype", () => {
    const text = fc.array(
      fc.constantFrom(..."[]{}():,=\\'\"${}~+@ab1.__proto__constructor".split("").concat("__proto__", "${")),
    );
    fc.assert(
      fc.property(text, (parts) => {
        try {
          parseOverride(`a=${parts.join("")}`);
        } catch (error) {
          expect((error as Error).name).toBe("ConfigError");
        }
        expect(({} as Record<string, unknown>).a).toBeUndefined();
        expect(Object.keys(Object.prototype)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it("refuses nesting that would exhaust the stack", () => {
    expect(failure(`a=${"[".repeat(100_000)}`)).toContain("nested deeper than 64 levels");
    expect(failure(`a=${"{b:".repeat(100_000)}`)).toContain("nested deeper than 64 levels");
    expect(failure(`${Array(40_000).fill("a").join(".")}=1`)).toContain("nested deeper than 64 levels");
    expect(failure(`a@${Array(40_000).fill("a").join(".")}=1`)).toContain("nested deeper than 64 levels");
  });
});

describe("readScalar", () => {
  it("takes no half number for a number", () => {
    for (const text of ["1e", "e1", "1.2.3", "--1", "0x10", "1e-3s", "."]) expect(readScalar(text)).toBe(text);
  });
});

describe("a mistake in an override", () => {
  it("in a sweep names what may have been meant", () => {
    expect(failure("model.lr=1e-3,1e-4")).toMatchInlineSnapshot(`
      "\`model.lr=1e-3,1e-4\` can be read in more than one way
        at   override "model.lr=1e-3,1e-4", column 14
        fix  a list is written with brackets: 'model.lr=[1e-3,1e-4]'
             text is quoted: model.lr="'1e-3,1e-4'"
             a sweep has one run for each value: add -m (preprocess, train-autoencoder, train-emulator, evaluate)"
    `);
  });

  it("tells the column", () => {
    const texts = [
      "a=[1,",
      "a={b:1",
      "a={b}",
      "a=[1,,2]",
      "a=[1,]",
      "a='x",
      "a=it's",
      "a='x'y",
      "a=(1)",
      "a=b]",
      "a=${b",
      "a=[1 2] 3",
    ];
    expect(
      texts
        .map(failure)
        .map((text) => text.replace(/\n {2}fix.*$/s, ""))
        .join("\n"),
    ).toMatchInlineSnapshot(`
      "a value is missing
        at   override "a=[1,", column 6
      no \`}\` closes \`{\`
        at   override "a={b:1", column 3
      \`:\` expected after the key \`b\`
        at   override "a={b}", column 5
      a value is missing
        at   override "a=[1,,2]", column 6
      a value is missing before \`]\`
        at   override "a=[1,]", column 6
      no ' closes the quoted text
        at   override "a='x", column 3
      a quote inside unquoted text
        at   override "a=it's", column 5
      unexpected \`y\`
        at   override "a='x'y", column 6
      \`(\` inside unquoted text
        at   override "a=(1)", column 3
      unexpected \`]\`
        at   override "a=b]", column 4
      no \`}\` closes \`\${\`
        at   override "a=\${b", column 3
      unexpected \`3\`
        at   override "a=[1 2] 3", column 9"
    `);
  });

  it("in the key tells the column too", () => {
    const texts = [
      "",
      "=1",
      "a",
      "a b=1",
      "a..b=1",
      "a.=1",
      "a@=1",
      "a/b.c=1",
      "-a=1",
      "a.__proto__.b=1",
      "a={__proto__: 1}",
      "+a.constructor.prototype.b=1",
      "a={b:1,b:2}",
    ];
    expect(
      texts
        .map(failure)
        .map((text) => text.replace(/\n {2}fix.*$/s, ""))
        .join("\n"),
    ).toMatchInlineSnapshot(`
      "the key is missing
        at   override "", column 1
      the key is missing
        at   override "=1", column 1
      \`=\` expected after the key \`a\`
        at   override "a", column 2
      unexpected \` \` in the key
        at   override "a b=1", column 2
      a key may not be empty
        at   override "a..b=1", column 3
      a key may not be empty
        at   override "a.=1", column 3
      the package after \`@\` is missing
        at   override "a@=1", column 3
      \`a/b.c\` mixes dots and slashes
        at   override "a/b.c=1", column 2
      unexpected \`-\` in the key
        at   override "-a=1", column 1
      \`__proto__\` may not be used as a key
        at   override "a.__proto__.b=1", column 3
      \`__proto__\` may not be used as a key
        at   override "a={__proto__: 1}", column 4
      \`constructor\` may not be used as a key
        at   override "+a.constructor.prototype.b=1", column 4
      duplicate key \`b\`
        at   override "a={b:1,b:2}", column 8"
    `);
  });

  it("with a sweep function says that there are none", () => {
    expect(failure("model.lr=choice(1e-3,1e-4)")).toMatchInlineSnapshot(`
      "choice(…) sweeps over values, and one run takes one value
        at   override "model.lr=choice(1e-3,1e-4)", column 16
        fix  a sweep has one run for each value: add -m (preprocess, train-autoencoder, train-emulator, evaluate)"
    `);
  });
});
