import { createHash, type Hash } from "node:crypto";
import { AbundanceScaling, type ClippingRange } from "../chemistry/scaling.ts";
import type { Frame } from "../data/frame.ts";
import { isRounding } from "../data/value-checks.ts";
import { tracerRuns } from "../data/windows.ts";
import { DataError } from "../errors.ts";

/** What is read of a clean dataset, and how its abundances are scaled. */
export interface Columns {
  readonly species: readonly string[];
  /** Names of the physical parameters, in the order of the emulator. */
  readonly physical: readonly string[];
  readonly clipping: ClippingRange;
}

/** Where a tracer lies in a split. */
export interface TracerPlace {
  readonly id: number;
  readonly start: number;
  readonly rows: number;
}

/** Tracers of one length. Row t holds the state at t and the conditions that lead to t + 1. */
export class TracerBlock {
  readonly places: readonly TracerPlace[];
  /** Rows of each. */
  readonly rows: number;
  /** Years since each tracer's first row, [tracers, rows]. */
  readonly times: Float64Array;
  /** In physical units, [tracers, rows, physical]. */
  readonly physical: Float32Array;
  /** As read, [tracers, rows, stride]: linear abundances first, which are scaled only where they are asked for. */
  readonly #raw: Float32Array;
  readonly #stride: number;
  readonly #species: number;
  readonly #scaling: AbundanceScaling;

  /** @param raw [tracers, rows, species, then physical parameters, then time]: kept */
  constructor(places: readonly TracerPlace[], raw: Float32Array, columns: Columns, scaling: AbundanceScaling) {
    const { rows } = places[0]!;
    const [species, physical] = [columns.species.length, columns.physical.length];
    const all = places.length * rows;
    [this.places, this.rows, this.#raw, this.#scaling] = [places, rows, raw, scaling];
    [this.#stride, this.#species] = [species + physical + 1, species];
    this.times = new Float64Array(all);
    this.physical = new Float32Array(all * physical);
    for (let row = 0; row < all; row++) {
      const from = row * this.#stride + species;
      for (let i = 0; i < physical; i++) this.physical[row * physical + i] = raw[from + i]!;
      this.times[row] = raw[from + physical]! - raw[from + physical - (row % rows) * this.#stride]!;
    }
  }

  /** Scaled abundances of some rows, counted through all tracers. @returns [rows.length, species] */
  scaledRows(rows: ArrayLike<number>): Float32Array {
    const width = this.#species;
    const out = new Float32Array(rows.length * width);
    for (let i = 0; i < rows.length; i++) {
      const from = rows[i]! * this.#stride;
      this.#scaling.scaleInto(this.#raw.subarray(from, from + width), out.subarray(i * width, (i + 1) * width));
    }
    return out;
  }

  /** Scaled abundances of all rows of tracer k, [rows, species]. */
  scaledTracer(k: number): Float32Array {
    return this.scaledRows(Int32Array.from({ length: this.rows }, (_, row) => k * this.rows + row));
  }

  /** Widens a range of linear abundances, [species] each, to hold those of all rows. */
  widen(low: Float32Array, high: Float32Array): void {
    const raw = this.#raw;
    const width = this.#species;
    for (let from = 0; from < raw.length; from += this.#stride) {
      for (let s = 0; s < width; s++) {
        const value = raw[from + s]!;
        if (value < low[s]!) low[s] = value;
        if (value > high[s]!) high[s] = value;
      }
    }
  }
}

/** Of a float32: below are 0 and all finite positive numbers, and no others. */
const bitsOfInfinity = 0x7f80_0000;

/** Abundances that are held at once, rows × species: 16 MB. */
export const valuesAtOnce = 2 ** 22;

/** The tracers of a split in its order. Text ids are replaced by their rank. */
export function tracerPlaces(frame: Frame): TracerPlace[] {
  const { values, codes } = frame.labels("Model");
  return tracerRuns(codes).map(({ start, rows }) => {
    const id = values[codes[start]!]!;
    return { id: typeof id === "number" ? id : codes[start]!, start, rows };
  });
}

/** At most `most` of them, spread evenly over the list; null for all. */
export function spread<T>(list: readonly T[], most: number | null): readonly T[] {
  if (most === null || list.length <= most) return list;
  return Array.from({ length: most }, (_, i) => list[Math.floor(((i + 0.5) * list.length) / most)]!);
}

/** Rows of the longest tracer. Not `Math.max(...)`, which takes some 120,000 arguments at most. */
export function longest(places: readonly TracerPlace[]): number {
  return places.reduce((most, { rows }) => Math.max(most, rows), 0);
}

/** Reads tracers in blocks of one length, shorter ones first: bounded memory, whatever the file's size. */
export class TracerReader {
  readonly columns: Columns;
  readonly #frame: Frame;
  /** Of the columns, in the order of a block's rows. */
  readonly #names: readonly string[];
  readonly scaling: AbundanceScaling;
  readonly #hash: Hash | null;

  /** @param isHashed whether `hash` will be asked for: it takes a good part of the reading's time */
  constructor(frame: Frame, columns: Columns, isHashed = false) {
    this.columns = columns;
    this.#frame = frame;
    this.#names = [...columns.species, ...columns.physical, "Time"];
    this.scaling = new AbundanceScaling(columns.clipping);
    this.#hash = isHashed ? createHash("sha256").update(JSON.stringify([columns.species, columns.physical])) : null;
  }

  /** @param places those to read; a block's abundances are valid until the next one is asked for */
  *blocks(places: readonly TracerPlace[]): Generator<TracerBlock> {
    const sorted = places.toSorted((a, b) => a.rows - b.rows || a.start - b.start);
    let raw = new Float32Array(0);
    for (let from = 0; from < sorted.length; ) {
      const { rows } = sorted[from]!;
      const most = Math.max(1, Math.floor(valuesAtOnce / (rows * this.columns.species.length)));
      let to = from + 1;
      while (to < sorted.length && to - from < most && sorted[to]!.rows === rows) to += 1;
      const size = (to - from) * rows * this.#names.length;
      if (raw.length < size) raw = new Float32Array(size);
      yield this.#readInto(raw.subarray(0, size), sorted.slice(from, to));
      from = to;
    }
  }

  /** Reads tracers of one length. */
  read(places: readonly TracerPlace[]): TracerBlock {
    return this.#readInto(new Float32Array(places.length * places[0]!.rows * this.#names.length), places);
  }

  #readInto(raw: Float32Array, places: readonly TracerPlace[]): TracerBlock {
    const { rows } = places[0]!;
    const size = rows * this.#names.length;
    for (const [k, { start, id }] of places.entries()) {
      const own = raw.subarray(k * size, (k + 1) * size);
      this.#frame.read(start, rows, this.#names, own);
      this.#check(own, start);
      this.#hash?.update(JSON.stringify([id, rows])).update(own);
    }
    return new TracerBlock(places, raw, this.columns, this.scaling);
  }

  /** @throws DataError naming the row and the column of a value that has no logarithm */
  #check(raw: Float32Array, start: number): void {
    const bits = new Uint32Array(raw.buffer, raw.byteOffset, raw.length);
    const width = this.#names.length;
    const species = this.columns.species.length;
    for (let row = 0; row < raw.length; row += width) {
      for (let at = row; at < row + species; at++) if (bits[at]! >= bitsOfInfinity) this.#checkValue(raw, at, start);
      for (let at = row + species; at < row + width; at++) this.#checkValue(raw, at, start);
    }
  }

  #checkValue(raw: Float32Array, at: number, start: number): void {
    const column = at % this.#names.length;
    const { lower } = this.columns.clipping;
    if (column < this.columns.species.length && isRounding(raw[at]!, lower)) raw[at] = lower;
    const value = raw[at]!;
    // Abundances of 0 are raised to the clipping range; times may be anything finite.
    const isZero = value === 0 && column < this.columns.species.length;
    const isTime = column === this.#names.length - 1;
    if ((value > 0 || isZero || isTime) && Number.isFinite(value)) return;
    throw new DataError(`${this.#names[column]} is ${value} in row ${start + Math.floor(at / this.#names.length)}`, {
      where: `${this.#frame.path}, key ${this.#frame.key}`,
      fix: "preprocess the raw file again, or take the tracer out",
    });
  }

  /** sha256 of the columns, ids, lengths and values of everything read so far, in its order, and of what else is given. */
  hash(others: readonly (string | number)[] = []): string {
    if (this.#hash === null) throw new Error("this reader makes no hash");
    const all = this.#hash.copy();
    if (others.length > 0) all.update(JSON.stringify(others));
    return all.digest("hex");
  }
}

/** The part of a block's array that belongs to tracer k. */
export function partOf<T extends Float32Array | Float64Array | Uint8Array>(
  array: T,
  { places }: TracerBlock,
  k: number,
): T {
  const size = array.length / places.length;
  return array.subarray(k * size, (k + 1) * size) as T;
}
