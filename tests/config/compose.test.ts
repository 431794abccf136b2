// biome-ignore-all lint/suspicious/noTemplateCurlyInString: interpolations of the configuration, not of JavaScript.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compose } from "../../src/config/compose.ts";
import { parseOverride } from "../../src/config/overrides.ts";
import { type Problem, throwProblems } from "../../src/config/problems.ts";
import { toValue } from "../../src/config/tree.ts";
import { memorySource } from "./memory-source.ts";

type Files = Readonly<Record<string, string>>;

function composed(files: Files, ...overrides: string[]) {
  const problems: Problem[] = [];
  const { tree, choices } = compose(memorySource(files), "config", overrides.map(parseOverride), problems);
  throwProblems(problems);
  return { value: toValue(tree), choices };
}

const value = (files: Files, ...overrides: string[]) => composed(files, ...overrides).value;

function failure(files: Files, ...overrides: string[]): string {
  try {
    composed(files, ...overrides);
  } catch (error) {
    expect((error as Error).name).toBe("ConfigError");
    return (error as Error).message;
  }
  throw new Error("was accepted");
}

/** The two roots of the project in small. */
const project: Files = {
  config: "defaults: [{datasets: grav}, {models: autoencoder}, _self_]\ndevice: auto\n",
  "datasets/grav": "# @package _global_.dataset\npath: grav.h5\nparameters: [Av]\n",
  "datasets/sample": "# what it is\n# @package _global_.dataset\npath: sample.h5\nphys: [Av]\n",
  "models/autoencoder": "# @package _global_.model\nname: autoencoder\nlr: 1e-3\nbetas: [1, 2]\nnested: {a: 1, b: 2}\n",
  "models/emulator": "# @package _global_.model\nname: emulator\nlr: 1\n",
  "models/small": "# @package _global_.model\ndefaults: [autoencoder, _self_]\nlr: 2\nbetas: [3]\nnested: {b: 3}\n",
};
const emulator: Files = {
  ...project,
  config: "defaults:\n- datasets: grav\n- models@autoencoder: autoencoder\n- models@model: emulator\n- _self_\n",
};

describe("the defaults list", () => {
  it("puts each group where its header says", () => {
    expect(value(project)).toEqual({
      dataset: { name: "grav", path: "grav.h5", phys: ["Av"] },
      model: { name: "autoencoder", lr: 1e-3, betas: [1, 2], nested: { a: 1, b: 2 } },
      device: "auto",
    });
  });

  it("puts a group at the group's name without a header", () => {
    expect(value({ config: "defaults: [{db: x}]", "db/x": "a: 1" })).toEqual({ db: { a: 1 } });
  });

  it("puts a group where the list says, whatever its header", () => {
    expect(value(emulator)).toMatchObject({ autoencoder: { name: "autoencoder" }, model: { name: "emulator" } });
  });

  it("lets the last one win: mappings merge, lists are replaced", () => {
    const files = { "g/a": "x: {p: 1, q: [1, 2]}", "g/b": "x: {r: 3, q: [9]}" };
    expect(value({ ...files, config: "defaults: [{g@_global_: a}, {g@h: a}]" })).toMatchObject({
      x: { p: 1, q: [1, 2] },
    });
    expect(value({ ...files, config: "defaults: [g/a@_global_, g/b@_global_]" })).toEqual({
      x: { p: 1, q: [9], r: 3 },
    });
    expect(value({ ...files, config: "defaults: [{g@_global_: [a, b]}]" })).toEqual({ x: { p: 1, q: [9], r: 3 } });
  });

  it("lets the file's own keys win where `_self_` is last or missing, and lose where it is first", () => {
    const base = { base: "a: base\nb: base" };
    expect(value({ ...base, config: "defaults: [base, _self_]\na: own" })).toEqual({ a: "own", b: "base" });
    expect(value({ ...base, config: "defaults: [base]\na: own" })).toEqual({ a: "own", b: "base" });
    expect(value({ ...base, config: "defaults: [_self_, base]\na: own" })).toEqual({ a: "base", b: "base" });
  });

  it("extends a file of the same group wherever that goes", () => {
    const extended = { name: "autoencoder", lr: 2, betas: [3], nested: { a: 1, b: 3 } };
    expect(value(project, "models=small")).toMatchObject({ model: extended });
    expect(value(emulator, "models@autoencoder=small")).toMatchObject({
      autoencoder: extended,
      model: { name: "emulator" },
    });
  });

  it("puts nested groups below the file that names them, or from the root with a slash or `_global_`", () => {
    const files = {
      "a/x": "defaults: [{sub: y}, {/b: z}, {/b@_global_.top: z}]\nk: 1",
      "a/sub/y": "l: 2",
      "b/z": "m: 3",
    };
    expect(value({ ...files, config: "defaults: [{a: x}]" })).toEqual({
      a: { k: 1, sub: { l: 2 }, b: { m: 3 } },
      top: { m: 3 },
    });
  });

  it("skips `null` and optional files that are missing", () => {
    const config = "defaults: [{datasets: null}, {optional models: nothing}, optional nowhere, _self_]\na: 1";
    expect(composed({ ...project, config })).toEqual({
      value: { a: 1 },
      choices: { datasets: null, models: "nothing" },
    });
  });

  it("lets `override` choose for a group named further down or above", () => {
    const files = { ...project, base: "defaults: [{datasets: grav}]" };
    expect(composed({ ...files, config: "defaults: [base, {override datasets: sample}]" }).choices).toEqual({
      datasets: "sample",
    });
    expect(
      composed({ ...files, config: "defaults: [base, {override datasets: sample}]" }, "datasets=grav").choices,
    ).toEqual({
      datasets: "grav",
    });
  });

  it("tells what is wrong with it", () => {
    const wrong: Files[] = [
      {},
      { config: "defaults: [{datasets: gravv}]", "datasets/grav": "" },
      { config: "defaults: [{datasets: ???}]", "datasets/grav": "" },
      { config: "defaults: [{datasets: 1.5}, {other: x}]" },
      { config: "defaults: {a: b}" },
      { config: "defaults: [1]" },
      { config: "defaults: [{a: b, c: d}]" },
      { config: "defaults: [_self_, _self_]" },
      { config: "defaults: ['${x}']" },
      { config: "defaults: [../../etc/passwd]" },
      { config: "defaults: [{g: x}, {g: y}]", "g/x": "", "g/y": "" },
      { config: "defaults: [{override g: x}]", "g/x": "" },
      { config: "defaults: [a]", a: "defaults: [b]", b: "defaults: [a]" },
      { config: "defaults: [config]" },
      { config: "defaults: [{g: x}]", "g/x": "a: [" },
    ];
    expect(wrong.map((files) => failure(files)).join("\n\n")).toMatchInlineSnapshot(`
      "there is no configuration \`config\`
        fix  there are none (searched in memory)

      there is no option \`gravv\` of \`datasets\`
        at   config.yaml:1:13
        fix  did you mean \`grav\`? there are: grav (searched in memory)

      \`datasets\` must be chosen
        at   config.yaml:1:13
        fix  give datasets=option; there are: grav (searched in memory)

      2 problems in the configuration
      1. there is no option \`1.5\` of \`datasets\`
           at   config.yaml:1:13
           fix  there are none (searched in memory)
      2. there is no option \`x\` of \`other\`
           at   config.yaml:1:30
           fix  there are none (searched in memory)

      \`defaults\` is not a list
        at   config.yaml:1:1
        fix  write \`- group: option\` below it

      an entry of \`defaults\` cannot be read: 1
        at   config.yaml:1:12
        fix  write \`- group: option\`, \`- name\` or \`- _self_\`

      an entry of \`defaults\` cannot be read: {a: b, c: d}
        at   config.yaml:1:12
        fix  write \`- group: option\`, \`- name\` or \`- _self_\`

      \`_self_\` stands twice in \`defaults\`
        at   config.yaml:1:20
        fix  keep one of the two

      \`\${x}\` names no group
        at   config.yaml:1:12
        fix  write \`group\`, \`group@package\`, \`optional group\` or \`override group\`; interpolation is not possible here

      \`../../etc/passwd\` names no group
        at   config.yaml:1:12
        fix  write \`group\`, \`group@package\`, \`optional group\` or \`override group\`; interpolation is not possible here

      \`g\` stands twice in the defaults lists
        at   config.yaml:1:21
        fix  keep one, or write \`override\` before the second

      \`override g\` overrides nothing
        at   config.yaml:1:13
        fix  groups of the defaults lists: none

      the defaults lists go in a circle: a → b → a
        at   b.yaml:1:12

      the defaults lists go in a circle: config → config
        at   config.yaml:1:12

      g/x.yaml is not valid YAML: unexpected end of the stream within a flow collection
        at   g/x.yaml:1:5"
    `);
  });
});

describe("a group on the command line", () => {
  it("is named by itself or by the place where it goes", () => {
    for (const override of ["datasets=sample", "dataset=sample"]) {
      expect(composed(project, override).choices).toEqual({ datasets: "sample", models: "autoencoder" });
    }
    for (const override of ["models@autoencoder=small", "autoencoder=small"]) {
      expect(composed(emulator, override).choices).toMatchObject({
        "models@autoencoder": "small",
        "models@model": "emulator",
      });
    }
    for (const override of ["models@model=small", "model=small"]) {
      expect(composed(emulator, override).choices).toMatchObject({
        "models@autoencoder": "autoencoder",
        "models@model": "small",
      });
    }
  });

  it("counts last where it is named twice", () => {
    expect(composed(project, "dataset=sample", "datasets=grav").choices).toMatchObject({ datasets: "grav" });
  });

  it("may be chosen although the default is missing or null", () => {
    const config = "defaults: [{datasets: null}, {models: nothing}]";
    expect(composed({ ...project, config }, "dataset=sample", "model=small").choices).toEqual({
      datasets: "sample",
      models: "small",
    });
  });

  it("can be added and left out", () => {
    const config = "defaults: [{models: autoencoder}]";
    expect(value({ ...project, config }, "+datasets=grav", "~models")).toEqual({
      dataset: { name: "grav", path: "grav.h5", phys: ["Av"] },
    });
    expect(value({ ...project, config }, "+datasets@there=grav", "~models=autoencoder")).toEqual({
      there: { path: "grav.h5", parameters: ["Av"] },
    });
  });

  it("takes a mapping for keys to set, not for an option", () => {
    expect(value(project, "model={lr: 5}")).toMatchObject({ model: { name: "autoencoder", lr: 5 } });
  });

  it("tells what is wrong with it", () => {
    expect(failure(project, "dataset=gravv")).toMatchInlineSnapshot(`
      "there is no option \`gravv\` of \`datasets\`
        at   override "dataset=gravv", column 1
        fix  did you mean \`grav\`? there are: grav, sample (searched in memory)"
    `);
    expect(failure(emulator, "models=small")).toMatchInlineSnapshot(`
      "no defaults list has the group \`models\`
        at   override "models=small", column 1
        fix  did you mean models@autoencoder or models@model? groups there are: datasets, dataset, models@autoencoder, autoencoder, models@model, model; to add one: +models=option"
    `);
    expect(failure(emulator, "model=smal", "dataset=x")).toMatchInlineSnapshot(`
      "2 problems in the configuration
      1. there is no option \`x\` of \`datasets\`
           at   override "dataset=x", column 1
           fix  there are: grav, sample (searched in memory)
      2. there is no option \`smal\` of \`models\`
           at   override "model=smal", column 1
           fix  did you mean \`small\`? there are: autoencoder, emulator, small (searched in memory)"
    `);
    expect(failure(project, "++datasets=grav", "nogroup/x=1")).toMatchInlineSnapshot(`
      "2 problems in the configuration
      1. \`++\` does not work with the group \`datasets\`
           at   override "++datasets=grav", column 3
           fix  write datasets= or +datasets=
      2. no defaults list has the group \`nogroup/x\`
           at   override "nogroup/x=1", column 1
           fix  groups there are: datasets, dataset, models, model; to add one: +nogroup/x=option"
    `);
    expect(failure(project, "datasets=[1]")).toMatchInlineSnapshot(`
      "\`datasets\` is a group and wants the name of an option, not [1]
        at   override "datasets=[1]", column 1
        fix  write datasets=name; its keys are set one by one, with dots"
    `);
    expect(failure(project, "+datasets=sample")).toMatchInlineSnapshot(`
      "\`datasets\` stands twice in the defaults lists
        at   override "+datasets=sample", column 2
        fix  leave out the \`+\`"
    `);
    expect(failure(project, "~datasets=sample")).toMatchInlineSnapshot(`
      "\`datasets\` is grav, not sample
        at   override "~datasets=sample", column 2
        fix  to leave it out: ~datasets"
    `);
  });
});

describe("a key on the command line", () => {
  it("is set, added, forced, removed", () => {
    expect(value(project, "model.lr=7")).toMatchObject({ model: { lr: 7, betas: [1, 2] } });
    expect(value(project, "+model.new.deep=7")).toMatchObject({ model: { new: { deep: 7 } } });
    expect(value(project, "++model.lr=7", "++model.new=8")).toMatchObject({ model: { lr: 7, new: 8 } });
    expect(value(project, "~model.nested.a", "~model.lr=0.001", "~dataset")).toEqual({
      model: { name: "autoencoder", betas: [1, 2], nested: { b: 2 } },
      device: "auto",
    });
  });

  it("merges mappings, replaces lists, reaches into a list by its index", () => {
    expect(value(project, "model.nested={b: 5}", "model.betas=[9]")).toMatchObject({
      model: { nested: { a: 1, b: 5 }, betas: [9] },
    });
    expect(value(project, "model.betas.1=9")).toMatchObject({ model: { betas: [1, 9] } });
  });

  it("has its second name too", () => {
    expect(value(project, "dataset.parameters=[x]")).toMatchObject({ dataset: { phys: ["x"] } });
    expect(value(project, "dataset={parameters: [x]}")).toMatchObject({ dataset: { phys: ["x"] } });
    expect(value(project, "dataset=sample", "dataset.parameters.0=x")).toMatchObject({ dataset: { phys: ["x"] } });
  });

  it("tells what is wrong with it, all at once", () => {
    expect(
      failure(project, "+model.lr=1", "~model.lrr", "~model.lr=2", "model.lr.x=1", "model.betas.5=1", "~model.betas.0"),
    ).toMatchInlineSnapshot(`
      "6 problems in the configuration
      1. \`model.lr\` is there already: 0.001
           at   override "+model.lr=1", column 2
           fix  leave out the \`+\`, or write \`++\`
      2. there is no \`model.lrr\` to remove
           at   override "~model.lrr", column 2
           fix  did you mean ~model.lr?
      3. \`model.lr\` is 0.001, not 2
           at   override "~model.lr=2", column 2
           fix  to remove it all the same: ~model.lr
      4. \`model.lr.x\` cannot be set: \`model.lr\` is 0.001
           at   override "model.lr.x=1", column 1
      5. \`model.betas.5\` cannot be set: \`model.betas\` is [1, 2]
           at   override "model.betas.5=1", column 1
      6. \`model.betas.0\` is part of a list
           at   override "~model.betas.0", column 2
           fix  give the whole list: key=[…]"
    `);
  });

  it("given by both names with different values is a contradiction", () => {
    const files = { ...project, "datasets/grav": "# @package _global_.dataset\nphys: [a]\nparameters: [b]" };
    expect(failure(files)).toMatchInlineSnapshot(`
      "\`dataset.parameters\` is another name of \`dataset.phys\`, and both are given with different values
        at   datasets/grav.yaml:3:1
        fix  keep one of the two"
    `);
    expect(value({ ...files, "datasets/grav": "# @package dataset\nphys: [a]\nparameters: [a]" })).toMatchObject({
      dataset: { phys: ["a"] },
    });
  });

  it("never reaches a prototype", () => {
    const name = fc.constantFrom("__proto__", "constructor", "prototype", "polluted", "model", "lr", "toString", "0");
    const prefix = fc.constantFrom("", "+", "++", "~");
    const override = fc.tuple(
      prefix,
      fc.array(name, { minLength: 1, maxLength: 4 }),
      fc.constantFrom("1", "{polluted: 1}", "{constructor: {prototype: 1}}", "[1]"),
    );
    fc.assert(
      fc.property(fc.array(override, { maxLength: 4 }), (parts) => {
        try {
          value(project, ...parts.map(([kind, names, given]) => `${kind}${names.join(".")}=${given}`));
        } catch (error) {
          expect((error as Error).name).toBe("ConfigError");
        }
        expect(({} as Record<string, unknown>).polluted).toBeUndefined();
        expect(Object.keys(Object.prototype)).toEqual([]);
        expect(typeof Object.prototype.toString).toBe("function");
      }),
      { numRuns: 500 },
    );
  });
});
