import { describe, expect, it } from "vitest";
import { type NodeBackend, RawOps } from "../../src/backend/native/raw-ops.ts";

/** A backend that computes nothing and counts what lives; `Relu` fails. */
function countingBackend() {
  const live = new Set<number>();
  let next = 100;
  const make = (): number => {
    live.add(next);
    return next++;
  };
  const backend = {
    binding: {
      TF_ATTR_BOOL: 1,
      TF_ATTR_INT: 2,
      TF_ATTR_TYPE: 3,
      TF_FLOAT: 4,
      TF_INT32: 5,
      executeOp(name: string, _attributes: unknown, inputs: readonly number[], outputs: number) {
        if (name === "Relu") throw new Error("no Relu");
        for (const id of inputs) if (id >= 100 && !live.has(id)) throw new Error(`${name}: ${id} is freed`);
        return Array.from({ length: outputs }, () => ({ id: make(), shape: [], dtype: 4 }));
      },
      createTensor: make,
      deleteTensor(id: number) {
        if (!live.delete(id)) throw new Error(`${id} is freed twice`);
      },
    },
    getInputTensorIds: () => [7],
    createOutputTensor: ({ id }: { id: number }) => ({ id }),
  };
  return { live, backend: backend as unknown as NodeBackend };
}

const tensor = { dataId: {}, shape: [2, 2], dtype: "float32" } as const;

describe("operations on TensorFlow's own tensors", () => {
  it("free what they made, except what is handed over", () => {
    const { live, backend } = countingBackend();
    const taken = RawOps.within(backend, (ops) => {
      const x = ops.borrow({ ...tensor, shape: [2, 2] });
      const [first, second] = ops.split(x, 2);
      const product = ops.matMul(ops.transpose(first!), second!);
      ops.free(first!, x);
      return ops.take(ops.concat([product, ops.copy(x), ops.sum(product, x, second!)]));
    });
    expect([...live]).toEqual([taken.id]);
  });

  it("free what they made where one of them fails", () => {
    const { live, backend } = countingBackend();
    expect(() => RawOps.within(backend, (ops) => ops.relu(ops.add(7, ops.mul(7, ops.reluGradient(7, 7)))))).toThrow(
      "no Relu",
    );
    expect(live.size).toBe(0);
  });

  it("hand over only what is their own, and once", () => {
    const { backend } = countingBackend();
    RawOps.within(backend, (ops) => {
      expect(() => ops.take(7)).toThrow("not one of these operations' own");
      const made = ops.copy(7);
      ops.take(made);
      expect(() => ops.take(made)).toThrow("not one of these operations' own");
    });
  });
});
