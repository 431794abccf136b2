import { describe, expect, it } from "vitest";
import { fuseProductsWithSums, withOutputsInPlace, withoutUnused } from "../../src/backend/graph-passes.ts";
import type { OnnxNode } from "../../src/backend/onnx-model.ts";

const node = (op: string, inputs: string[], output: string, attributes = {}): OnnxNode => ({
  op,
  inputs,
  outputs: [output],
  attributes,
});
const shapes = (entries: Record<string, number[]>): Map<string, number[]> => new Map(Object.entries(entries));

describe("fuseProductsWithSums", () => {
  const sizes = { a: [4, 3], b: [3, 2], p: [4, 2], row: [2], column: [4, 1], full: [4, 2], s: [4, 2] };

  it.each(["row", "column", "full"])("makes one node of a product and a %s added to it, on either side", (addend) => {
    for (const inputs of [
      ["p", addend],
      [addend, "p"],
    ]) {
      const fused = fuseProductsWithSums([node("MatMul", ["a", "b"], "p"), node("Add", inputs, "s")], shapes(sizes));
      expect(fused).toEqual([node("Gemm", ["a", "b", addend], "s")]);
    }
  });

  it("keeps the transpositions of the product", () => {
    const product = node("Gemm", ["a", "b"], "p", { transA: 1, transB: 0 });
    expect(fuseProductsWithSums([product, node("Add", ["p", "row"], "s")], shapes(sizes))).toEqual([
      node("Gemm", ["a", "b", "row"], "s", { transA: 1, transB: 0 }),
    ]);
  });

  it("leaves a product alone that somebody else wants too", () => {
    const nodes = [node("MatMul", ["a", "b"], "p"), node("Add", ["p", "row"], "s"), node("Relu", ["p"], "r")];
    expect(fuseProductsWithSums(nodes, shapes(sizes))).toEqual(nodes);
  });

  it("leaves batches of matrices and sums that are larger than the product alone", () => {
    const batched = [node("MatMul", ["a", "b"], "p"), node("Add", ["p", "row"], "s")];
    const deep = shapes({ ...sizes, a: [5, 4, 3], b: [5, 3, 2], p: [5, 4, 2], s: [5, 4, 2] });
    expect(fuseProductsWithSums(batched, deep)).toEqual(batched);
    const larger = shapes({ ...sizes, a: [1, 3], p: [1, 2], full: [4, 2], s: [4, 2] });
    const nodes = [node("MatMul", ["a", "b"], "p"), node("Add", ["p", "full"], "s")];
    expect(fuseProductsWithSums(nodes, larger)).toEqual(nodes);
  });

  it("adds a sum to one product only", () => {
    const nodes = [
      node("MatMul", ["a", "b"], "p"),
      node("MatMul", ["a", "b"], "full"),
      node("Add", ["p", "full"], "s"),
    ];
    expect(fuseProductsWithSums(nodes, shapes(sizes))).toEqual([nodes[1], node("Gemm", ["a", "b", "full"], "s")]);
  });
});

describe("withoutUnused", () => {
  it("keeps what an output needs, directly or not, and drops the rest", () => {
    const nodes = [node("Exp", ["x"], "a"), node("Abs", ["x"], "b"), node("Neg", ["b"], "c"), node("Relu", ["a"], "y")];
    expect(withoutUnused(nodes, ["y"])).toEqual([nodes[0], nodes[3]]);
  });

  it("keeps a node of which one output is wanted", () => {
    const split = { op: "Split", inputs: ["x"], outputs: ["a", "b"], attributes: {} };
    expect(withoutUnused([split, node("Exp", ["a"], "y")], ["b"])).toEqual([split]);
  });
});

describe("withOutputsInPlace", () => {
  it("gives a value its output's name wherever it is used, and copies inputs and second outputs", () => {
    const nodes = [
      node("Tanh", ["x"], "h"),
      node("Gemm", ["h", "w"], "p"),
      node("Identity", ["h"], "first"),
      node("Identity", ["h"], "second"),
      node("Identity", ["x"], "third"),
      node("Identity", ["p"], "inner"),
      node("Relu", ["inner"], "fourth"),
    ];
    expect(withOutputsInPlace(nodes, new Set(["first", "second", "third", "fourth"]))).toEqual([
      node("Tanh", ["x"], "first"),
      node("Gemm", ["first", "w"], "p"),
      node("Identity", ["first"], "second"),
      node("Identity", ["x"], "third"),
      node("Identity", ["p"], "inner"),
      node("Relu", ["inner"], "fourth"),
    ]);
  });
});
