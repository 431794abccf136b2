/**
 * Puts `values[order[i]]` in place i of `values`: along the cycles of the order, because a second array of all rows of a long file would
 * take as much memory again.
 * @param order a permutation of 0 to n − 1; as it was when this returns
 */
export function permute(values: Float64Array, order: Int32Array): void {
  for (let first = 0; first < order.length; first++) {
    if (order[first]! < 0) continue;
    const held = values[first]!;
    let at = first;
    for (let from = order[at]!; from !== first; from = order[at]!) {
      values[at] = values[from]!;
      // Negative: moved.
      order[at] = ~from;
      at = from;
    }
    values[at] = held;
    order[at] = ~first;
  }
  for (let i = 0; i < order.length; i++) order[i] = ~order[i]!;
}

/** The inverse of a permutation of 0 to n − 1, in its own array. */
export function invert(order: Int32Array): Int32Array {
  for (let first = 0; first < order.length; first++) {
    if (order[first]! < 0) continue;
    let [at, to] = [first, order[first]!];
    while (to !== first) {
      const next = order[to]!;
      order[to] = ~at;
      [at, to] = [to, next];
    }
    order[first] = ~at;
  }
  for (let i = 0; i < order.length; i++) order[i] = ~order[i]!;
  return order;
}
