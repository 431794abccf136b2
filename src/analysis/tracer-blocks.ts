import { createHash } from "node:crypto";
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
export interface TracerRows {
  readonly places: readonly TracerPlace[];
  /** Rows of each. */
  readonly rows: number;
  /** Years since each tracer's first row, [tracers, rows]. */
  readonly times: Float64Array;
  /** In physical units, [tracers, rows, physical]. */
  readonly physical: Float32Array;
  /** Scaled abundances of some rows, counted through all tracers. @returns [rows.length, species] */
  scaledRows(rows: ArrayLike<number>): Float32Array;
}

/** Tracers as they are read. */
export class TracerBlock implements TracerRows {
  readonly places: readonly TracerPlace[];
  readonly rows: number;
  readonly times: Float64Array;
  readonly physical: Float32Array;
  /** sha256 of each tracer's id, length and values, [tracers, 8]; empty where the reader makes none. */
  readonly digests: Int32Array;
  /** As read, [tracers, rows, stride]: linear abundances first, which are scaled only where they are asked for. */
  readonly #raw: Float32Array;
  readonly #stride: number;
  readonly #species: number;
  readonly #scaling: AbundanceScaling;

  /** @param raw [tracers, rows, species, then physical parameters, then time]: kept */
  constructor(
    places: readonly TracerPlace[],
    raw: Float32Array,
    columns: Columns,
    { scaling, digests }: { readonly scaling: AbundanceScaling; readonly digests: Int32Array },
  ) {
    const { rows } = places[0]!;
    this.digests = digests;
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

/** Tracers that are looked at together at most, or more until there are so many rows: more gain nothing, and fewer are easier to share out. */
const [tracersAtOnce, rowsAtOnce] = [8, 1024];

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
  readonly #isHashed: boolean;
  #buffer = new Float32Array(0);

  /** @param isHashed whether blocks have digests: they take a good part of the reading's time */
  constructor(frame: Frame, columns: Columns, isHashed = false) {
    this.columns = columns;
    this.#frame = frame;
    this.#names = [...columns.species, ...columns.physical, "Time"];
    this.scaling = new AbundanceScaling(columns.clipping);
    this.#isHashed = isHashed;
  }

  /** Tracers of one length that are read together, shorter ones first: the same however many processes share them. */
  plan(places: readonly TracerPlace[]): (readonly TracerPlace[])[] {
    const sorted = places.toSorted((a, b) => a.rows - b.rows || a.start - b.start);
    const plan: TracerPlace[][] = [];
    for (let from = 0; from < sorted.length; ) {
      const { rows } = sorted[from]!;
      const fitting = Math.max(1, Math.floor(valuesAtOnce / (rows * this.columns.species.length)));
      const most = Math.min(Math.max(tracersAtOnce, Math.ceil(rowsAtOnce / rows)), fitting);
      let to = from + 1;
      while (to < sorted.length && to - from < most && sorted[to]!.rows === rows) to += 1;
      plan.push(sorted.slice(from, to));
      from = to;
    }
    return plan;
  }

  /** Reads tracers of one length; their abundances are valid until the next block is asked for. */
  block(places: readonly TracerPlace[]): TracerBlock {
    const size = places.length * places[0]!.rows * this.#names.length;
    if (this.#buffer.length < size) this.#buffer = new Float32Array(size);
    return this.#readInto(this.#buffer.subarray(0, size), places);
  }

  /** All of them, block by block. */
  *blocks(places: readonly TracerPlace[]): Generator<TracerBlock> {
    for (const together of this.plan(places)) yield this.block(together);
  }

  /** Reads tracers of one length. */
  read(places: readonly TracerPlace[]): TracerBlock {
    return this.#readInto(new Float32Array(places.length * places[0]!.rows * this.#names.length), places);
  }

  #readInto(raw: Float32Array, places: readonly TracerPlace[]): TracerBlock {
    const { rows } = places[0]!;
    const size = rows * this.#names.length;
    const digests = new Int32Array(this.#isHashed ? 8 * places.length : 0);
    for (const [k, { start, id }] of places.entries()) {
      const own = raw.subarray(k * size, (k + 1) * size);
      this.#frame.read(start, rows, this.#names, own);
      this.#check(own, start);
      if (!this.#isHashed) continue;
      const digest = createHash("sha256")
        .update(JSON.stringify([id, rows]))
        .update(own)
        .digest();
      new Uint8Array(digests.buffer, 32 * k, 32).set(digest);
    }
    return new TracerBlock(places, raw, this.columns, { scaling: this.scaling, digests });
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
}

/** The part of a block's array that belongs to tracer k. */
export function partOf<T extends Float32Array | Float64Array | Uint8Array>(
  array: T,
  { places }: Pick<TracerRows, "places">,
  k: number,
): T {
  const size = array.length / places.length;
  return array.subarray(k * size, (k + 1) * size) as T;
}
