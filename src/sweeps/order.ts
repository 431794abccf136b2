/**
 * Takes the point that begins next out of a queue. A long one that begins last leaves the other processes idle at the end: points whose
 * like took longest come first, after those of which nothing is known yet; else they keep their order.
 * @param queue    is changed
 * @param seconds  what the like of a point took; undefined: not known
 * @returns        undefined where nothing is left
 */
export function takeNext(queue: number[], seconds: (point: number) => number | undefined): number | undefined {
  const expected = queue.map((point) => seconds(point) ?? Number.POSITIVE_INFINITY);
  const [next] = queue.splice(expected.indexOf(Math.max(...expected)), 1);
  return next;
}
