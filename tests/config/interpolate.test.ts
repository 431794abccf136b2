// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations of the configuration, not of JavaScript.
import { describe, expect, it } from "vitest";
import { interpolate, missingValues } from "../../src/config/interpolate.ts";
import { type Problem, throwProblems } from "../../src/config/problems.ts";
import { toValue } from "../../src/config/tree.ts";
import { parseYaml } from "../../src/config/yaml.ts";

const context = { env: { HOME_DIR: "/home/u", EMPTY: "", NUMBER: "12" }, now: new Date(2026, 10, 3, 4, 5, 6, 78) };

function resolved(text: string) {
  const problems: Problem[] = [];
  const tree = interpolate(parseYaml(text, "f.yaml"), context, problems);
  throwProblems(problems);
  return toValue(tree);
}

function failure(text: string): string {
  try {
    resolved(text);
  } catch (error) {
    expect((error as Error).name).toBe("ConfigError");
    return (error as Error).message;
  }
  throw new Error("was accepted");
}

describe("interpolate", () => {
  it("takes a whole value with its type", () => {
    expect(resolved("a: 1e-3\nb: ${a}\nc: {d: [1, x]}\ne: ${c}\nf: ${c.d.1}\ng: ${c.d[0]}\nh: null\ni: ${h}")).toEqual({
      a: 0.001,
      b: 0.001,
      c: { d: [1, "x"] },
      e: { d: [1, "x"] },
      f: "x",
      g: 1,
      h: null,
      i: null,
    });
  });

  it("writes values into text", () => {
    expect(resolved("w: .\na: 1\nb: true\nc: ${w}/x-${a}-${b}.h5")).toMatchObject({ c: "./x-1-true.h5" });
  });

  it("follows relative keys, chains, and keys behind an interpolated mapping", () => {
    expect(resolved("a: {b: 1, c: '${.b}', d: {e: '${..c}', f: ['${..g}'], g: x}}")).toMatchObject({
      a: { c: 1, d: { e: 1, f: ["x"] } },
    });
    expect(resolved("a: {x: {y: 5}}\nb: ${a.x}\nc: ${b.y}\nd: ${c}")).toMatchObject({ b: { y: 5 }, c: 5, d: 5 });
  });

  it("asks the environment and the clock", () => {
    expect(
      resolved(
        [
          "a: ${oc.env:HOME_DIR}/x",
          "b: ${oc.env:NOT_SET,default}",
          "c: ${oc.env:NOT_SET,${a}}",
          "d: ${oc.env:NOT_SET,null}",
          "e: ${oc.env:EMPTY,default}",
          "f: ${oc.env:NUMBER}",
          "g: ${oc.decode:${oc.env:NUMBER}}",
          "h: ${now:%Y-%m-%d}/${now:%H:%M:%S}",
          "i: ${now:100%%}",
        ].join("\n"),
      ),
    ).toEqual({
      a: "/home/u/x",
      b: "default",
      c: "/home/u/x",
      d: null,
      e: "",
      f: "12",
      g: 12,
      h: "2026-11-03/04:05:06",
      i: "100%",
    });
  });

  it("leaves escaped ones and plain dollars alone", () => {
    expect(resolved("a: \\${x}\nb: $x {y}\nc: ${a}\nd: {e: '\\${f}'}\ng: ${d}\nh: ${g.e}")).toEqual({
      a: "${x}",
      b: "$x {y}",
      c: "${x}",
      d: { e: "${f}" },
      g: { e: "${f}" },
      h: "${f}",
    });
  });

  it("tells every mistake with its place", () => {
    const text = [
      "model: {lr: 1}",
      "a: ${model.lrr}",
      "b: ${nowhere.x}",
      "c: ${model}/x",
      "d: ${oc.env:NOT_SET}",
      "e: ${oc.envv:X}",
      "f: ${now:%Q}",
      "g: ${model.lr",
      "h: ${}",
      "i: ${...x}",
      "j: ${a.b c}",
      "k: ${__proto__.x}",
      "l: ${constructor}",
    ].join("\n");
    expect(failure(text)).toMatchInlineSnapshot(`
      "11 problems in the configuration
      1. \`\${model.lrr}\` leads nowhere: \`model\` has no key \`lrr\`
           at   f.yaml:2:1
           fix  did you mean \`model.lr\`?
      2. \`\${nowhere.x}\` leads nowhere: the configuration has no key \`nowhere\`
           at   f.yaml:3:1
      3. \`\${model}\` is a mapping and cannot stand within text
           at   f.yaml:4:1
      4. the environment variable \`NOT_SET\` is not set
           at   f.yaml:5:1
           fix  set it, or give a default: \${oc.env:NOT_SET,default}
      5. unknown resolver \`oc.envv\` in \`\${oc.envv:X}\`
           at   f.yaml:6:1
           fix  did you mean \`oc.env\`? there are: oc.env, oc.decode, now
      6. unknown field \`%Q\` in \`\${now:%Q}\`
           at   f.yaml:7:1
           fix  there are: %Y %y %m %d %H %M %S %f %%
      7. \`\${model.lr\` is not closed, or is no key
           at   f.yaml:8:1
           fix  write \${key}, \${oc.env:NAME,default}, or \\\${ for the plain characters
      8. \`\${}\` names no key
           at   f.yaml:9:1
           fix  write \${key}, \${oc.env:NAME,default}, or \\\${ for the plain characters
      9. \`\${...x}\` has more dots than the key has parents
           at   f.yaml:10:1
      10. \`\${__proto__.x}\` leads nowhere: the configuration has no key \`__proto__\`
           at   f.yaml:12:1
      11. \`\${constructor}\` leads nowhere: the configuration has no key \`constructor\`
           at   f.yaml:13:1"
    `);
  });

  it("detects circles, through mappings and in the key's own parents too", () => {
    expect(failure("a: ${b}\nb: ${c}\nc: ${a}")).toMatchInlineSnapshot(`
      "interpolation goes in a circle: a → b → c → a
        at   f.yaml:1:1"
    `);
    expect(failure("a: {b: '${a}'}")).toMatchInlineSnapshot(`
      "interpolation goes in a circle: a.b → a
        at   f.yaml:1:5"
    `);
    expect(failure("a: {b: '${c}'}\nc: {d: '${a}'}")).toContain("in a circle");
    expect(failure("a: {b: '${.}'}")).toContain("in a circle");
    expect(failure("a: ${a}")).toContain("in a circle");
  });

  it("refuses what would grow without bound", () => {
    const mapping = Array.from({ length: 25 }, (_, i) => `a${i + 1}: [${Array(10).fill(`'\${a${i}}'`).join(", ")}]`);
    expect(failure(`a0: [x, x]\n${mapping.join("\n")}`)).toContain("more than 100000 values");
    const text = Array.from({ length: 40 }, (_, i) => `a${i + 1}: \${a${i}}\${a${i}}`);
    expect(failure(`a0: x\n${text.join("\n")}`)).toContain("more than 1000000 characters");
    const chain = Array.from({ length: 3000 }, (_, i) => `a${i}: \${a${i + 1}}`);
    expect(failure(`${chain.join("\n")}\na3000: 1`)).toContain("more than 200 interpolations in a chain");
  });
});

describe("missingValues", () => {
  it("finds every `???`", () => {
    const found = missingValues(parseYaml("a: ???\nb: {c: [1, '???']}\nd: '????'", "f.yaml"));
    expect(found.map(({ path }) => path.join("."))).toEqual(["a", "b.c.1"]);
  });

  it("are told where an interpolation needs one", () => {
    expect(failure("a: ???\nb: ${a}")).toMatchInlineSnapshot(`
      "\`\${a}\` needs \`a\`, which must be given
        at   f.yaml:2:1
        fix  give a=value"
    `);
  });
});
