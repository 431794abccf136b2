import type { ErrorGroups } from "./error-groups.ts";
import { sketchBins } from "./error-sketch.ts";

/** Rows that are kept before they are counted, and a few more between species: powers of two apart, all would share cache lines. */
const [keptRows, stride] = [2048, 2064];
/** Bits of an entry that hold the bin. */
const binBits = 13;

/**
 * Bins of errors by species, kept until there are many rows of them. A species' sketch is some kilobytes: counted row by row, all
 * of them would go through the cache once a row; so each does once in 2048.
 */
export class SketchBuffer {
  readonly #species: number;
  /** [species, stride]: bin + 2^13 × code of `TrueRows`. */
  readonly #entries: Uint32Array;
  #rows = 0;

  constructor(species: number) {
    this.#species = species;
    this.#entries = new Uint32Array(species * stride);
  }

  /** Room for so many rows more. */
  hasRoom(rows: number): boolean {
    return this.#rows + rows <= keptRows;
  }

  /**
   * Keeps one species' entries of some rows; after all species, `advance`.
   * @param bins   [rows, species]
   * @param codes  [more rows, species], whose row `first` is the first of them
   */
  keep(s: number, rows: number, bins: Uint16Array, codes: Uint16Array, first: number): void {
    const entries = this.#entries;
    const width = this.#species;
    let from = s;
    let code = first * width + s;
    for (let to = s * stride + this.#rows, end = to + rows; to < end; to++, from += width, code += width) {
      entries[to] = bins[from]! | (codes[code]! << binBits);
    }
  }

  advance(rows: number): void {
    this.#rows += rows;
  }

  /** Counts all that is kept. @param bySpecies groups species (at or below the floor), then species (above it) */
  count(bySpecies: ErrorGroups, byLevel: ErrorGroups): void {
    const entries = this.#entries;
    const [species, levels] = [bySpecies.sketches, byLevel.sketches];
    const mask = 2 ** binBits - 1;
    for (let s = 0; s < this.#species; s++) {
      let code = -1;
      let own = 0;
      let level = 0;
      for (let at = s * stride, end = at + this.#rows; at < end; at++) {
        const entry = entries[at]!;
        if (entry >>> binBits !== code) {
          code = entry >>> binBits;
          own = (s + (code & 1) * this.#species) * sketchBins;
          level = (code >> 1) * sketchBins;
        }
        const bin = entry & mask;
        species[own + bin]! += 1;
        levels[level + bin]! += 1;
      }
    }
    this.#rows = 0;
  }
}
