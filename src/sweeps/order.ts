/**
 * Takes the point that begins next out of a queue. A long one that begins last leaves the other processes idle at the end: points whose
 * like took longest come first, after those of which nothing is known yet; else they keep their order.
 * @param queue    is changed
 * @param seconds  what the like of a point took; undefined: not known
 * @returns        undefined where nothing is left
 */
export function takeNext(queue: number[], seconds: (point: number) => number | undefined): number | undefined {
  const expected = (at: number): number => seconds(queue[at]!) ?? Number.POSITIVE_INFINITY;
  let next = 0;
  for (let at = 1; at < queue.length; at++) if (expected(at) > expected(next)) next = at;
  return queue.splice(next, 1)[0];
}
