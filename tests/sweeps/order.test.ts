import { expect, it } from "vitest";
import { takeNext } from "../../src/sweeps/order.ts";

it("points whose like took longest begin first, after those of which nothing is known", () => {
  const seconds: Record<string, number> = { a: 10, b: 30 };
  const [queue, kinds] = [
    [0, 1, 2, 3, 4],
    ["a", "b", "c", "b", "c"],
  ];
  const order = [...queue].map(() => takeNext(queue, (point) => seconds[kinds[point]!]));
  expect(order).toEqual([2, 4, 1, 3, 0]);
  expect(takeNext(queue, () => 1)).toBeUndefined();
});

it("points of which nothing is known keep their order", () => {
  const queue = [3, 1, 2];
  expect([takeNext(queue, () => undefined), takeNext(queue, () => undefined), queue]).toEqual([3, 1, [2]]);
});
