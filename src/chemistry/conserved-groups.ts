import type { Conservation } from "./conservation.ts";

/** What a network conserves, as generated code walks through it. */
export interface ConservedGroups {
  /** The elements, then `charge` where species are charged. */
  readonly names: readonly string[];
  /** The group of each species: those of the same atoms and charge. */
  readonly groups: readonly number[];
  /** Where the terms of each group begin in `terms`, and the end of the last. */
  readonly starts: readonly number[];
  /** What the groups hold: indices into `powers`. */
  readonly terms: readonly number[];
  /** So many (`count`) of a total: all that occur. */
  readonly powers: readonly { readonly total: number; readonly count: number }[];
}

export function conservedGroups(conservation: Conservation): ConservedGroups {
  const { names, species } = conservation;
  const counts = conservation.counts();
  const [groups, starts, terms] = [[] as number[], [0], [] as number[]];
  const powers: { total: number; count: number }[] = [];
  const known = new Map<string, number>();
  for (let s = 0; s < species; s++) {
    const row = names.map((_, k) => counts[k * species + s]!);
    const key = row.join();
    groups.push(known.get(key) ?? known.size);
    if (known.has(key)) continue;
    known.set(key, known.size);
    for (const [total, count] of row.entries()) {
      if (count === 0) continue;
      const at = powers.findIndex((power) => power.total === total && power.count === count);
      terms.push(at < 0 ? powers.length : at);
      if (at < 0) powers.push({ total, count });
    }
    starts.push(terms.length);
  }
  return { names, groups, starts, terms, powers };
}
