import { describe, expect, it } from "vitest";
import { sweepPoints } from "../../src/sweeps/points.ts";

const options = (key: string): string[] => (key === "model" ? ["emulator", "latent_ode", "latent_rnn"] : []);
const words = (...overrides: string[]): string[] =>
  sweepPoints(overrides, options).map((point) => point.overrides.join(" "));
const valuesOf = (override: string): string[] => words(override).map((word) => word.slice(word.indexOf("=") + 1));

describe("the points of a sweep", () => {
  it("are the product of all values, the last one changing fastest", () => {
    expect(words("dataset=sample", "model.lr=1e-3,1e-4", "~x", "seed=range(0,2)")).toEqual([
      "dataset=sample model.lr=1e-3 ~x seed=0",
      "dataset=sample model.lr=1e-3 ~x seed=1",
      "dataset=sample model.lr=1e-4 ~x seed=0",
      "dataset=sample model.lr=1e-4 ~x seed=1",
    ]);
    expect(sweepPoints(["+a.b=1,2"], options)[1]).toEqual({ overrides: ["+a.b=2"], values: { "a.b": "2" } });
  });

  it.each([
    ["a=[1,2],[3,4]", ["[1,2]", "[3,4]"]],
    ["a={x: 1, y: 2},{x: 2}", ["{x: 1, y: 2}", "{x: 2}"]],
    ["a='x,y',\"z,w\"", ["'x,y'", '"z,w"']],
    ["a=choice( 'x,y' , b )", ["'x,y'", "b"]],
    ["a=choice(b)", ["b"]],
    ["a=$" + "{f:1,2},b", ["$" + "{f:1,2}", "b"]],
    ["a=x\\,y,z", ["x\\,y", "z"]],
    // Python's range; 0.1 three times is not less than 0.3.
    ["a=range(3)", ["0", "1", "2"]],
    ["a=range(5, 0, -2)", ["5", "3", "1"]],
    ["a=range(0,0.3,0.1)", ["0", "0.1", "0.2"]],
    ["a=range(start=1, stop=3)", ["1", "2"]],
    ["model=glob(latent_*)", ["latent_ode", "latent_rnn"]],
    ["model=glob(*, exclude=[latent_ode, e?ulator])", ["latent_rnn"]],
  ])("%s", (override, values) => {
    expect(valuesOf(override)).toEqual(values);
  });

  it("a value alone, in brackets or quotes, is no sweep", () => {
    for (const text of ["a=1", "a=", "a=[1,2]", "a='1,2'", "a={x: 1, y: 2}"]) {
      expect(sweepPoints([text], options)).toEqual([{ overrides: [text], values: {} }]);
    }
  });

  it.each([
    ["a=1,", "a value is missing"],
    ["a=choice(1", "no `)` closes `choice(`"],
    ["a=choice(1)x", "unexpected `x`"],
    ["a=choice(x=1)", "choice(…) knows no `x=`"],
    ["a=interval(0,1)", "give choice(…), range(…), glob(…)"],
    ["a=range(0)", "this range has no values"],
    ["a=range(0,1e9)", "or too many"],
    ["a=range(x)", "this range has no values"],
    ["a=glob(*)", "glob(…) is for groups"],
    ["model=glob(none*)", "options there are: emulator, latent_ode, latent_rnn"],
  ])("%s is refused: %s", (override, text) => {
    expect(() => sweepPoints([override], options)).toThrow(text);
  });

  it("a value that is there twice is refused, however it is written", () => {
    expect(() => words("lr=1e-3,1e-4,0.001")).toThrow("0.001 is there twice");
    expect(() => words("name=choice(a,b,a)")).toThrow("a is there twice");
    expect(words("name='',0").length).toBe(2);
  });

  it("a key that is swept over twice, and more points than anybody wants, are refused", () => {
    expect(() => words("a=1,2", "a=3,4")).toThrow("swept over twice");
    expect(() => words("a=range(400)", "b=range(400)")).toThrow("more than 100000 points");
  });
});
