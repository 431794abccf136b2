import type { NumericArray } from "./hdf5-types.ts";
import { viewAs } from "./hdf5-types.ts";

/** Which elements of a source row go where in a target row. */
export interface Picks {
  readonly sources: Int32Array;
  readonly targets: Int32Array;
  /** Runs in which both count up by one: where each begins among the picks, and the end of the last. */
  readonly pieces: Int32Array;
}

/** Elements from which a piece, on the average, is faster copied whole. */
const LEAST_PIECE = 16;

/** Pairs of (column in the source row, column in the target row). */
export function makePicks(pairs: readonly (readonly [source: number, target: number])[]): Picks {
  const sources = Int32Array.from(pairs, ([source]) => source);
  const targets = Int32Array.from(pairs, ([, target]) => target);
  const goesOn = (i: number): boolean => sources[i] === sources[i - 1]! + 1 && targets[i] === targets[i - 1]! + 1;
  const begins = [...pairs.keys()].filter((i) => i === 0 || !goesOn(i));
  return { sources, targets, pieces: Int32Array.from([...begins, pairs.length]) };
}

/** Rows of raw bytes, of which the columns of one element type are wanted. */
export interface RawRows {
  readonly bytes: Uint8Array;
  readonly rowBytes: number;
  readonly rows: number;
  readonly dtype: string;
  /** Bytes before the first element of that type in a row. */
  readonly offset: number;
  /** Elements of that type in a row. */
  readonly items: number;
}

/**
 * Copies the picked columns of all rows into `target`, row-major with `width` columns, from row `firstRow` on.
 * @returns false where the element type is not numeric
 */
export function gather(
  raw: RawRows,
  picks: Picks,
  target: Float32Array | Float64Array,
  width: number,
  firstRow: number,
): boolean {
  const source = alignedElements(raw);
  if (source === undefined) return false;
  const { view, stride } = source;
  if (view instanceof BigInt64Array || view instanceof BigUint64Array) {
    gatherBig(view, stride, raw.rows, picks, target, width, firstRow);
  } else if (picks.sources.length >= LEAST_PIECE * (picks.pieces.length - 1)) {
    copyPieces(view, stride, raw.rows, picks, target, width, firstRow);
  } else {
    gatherElements(view, stride, raw.rows, picks, target, width, firstRow);
  }
  return true;
}

/** The elements as a typed array with `stride` elements from row to row; copied together where they are not aligned. */
function alignedElements(raw: RawRows): { view: NumericArray; stride: number } | undefined {
  const { bytes, rowBytes, rows, dtype, offset, items } = raw;
  if (rows === 0 || items === 0) return { view: new Float32Array(0), stride: 0 };
  const size = Number(dtype.slice(2));
  const first = bytes.byteOffset + offset;
  if (rowBytes % size === 0 && first % size === 0) {
    const stride = rowBytes / size;
    const view = viewAs(dtype, bytes.buffer, first, (rows - 1) * stride + items);
    return view && { view, stride };
  }
  const fieldBytes = items * size;
  const copy = new Uint8Array(rows * fieldBytes);
  for (let row = 0; row < rows; row++) {
    const at = row * rowBytes + offset;
    copy.set(bytes.subarray(at, at + fieldBytes), row * fieldBytes);
  }
  const view = viewAs(dtype, copy.buffer, 0, rows * items);
  return view && { view, stride: items };
}

type PlainArray = Exclude<NumericArray, BigInt64Array | BigUint64Array>;

function gatherElements(
  view: PlainArray,
  stride: number,
  rows: number,
  { sources, targets }: Picks,
  target: Float32Array | Float64Array,
  width: number,
  firstRow: number,
): void {
  const count = sources.length;
  for (let row = 0; row < rows; row++) {
    const from = row * stride;
    const to = (firstRow + row) * width;
    for (let i = 0; i < count; i++) target[to + targets[i]!] = view[from + sources[i]!]!;
  }
}

function gatherBig(
  view: BigInt64Array | BigUint64Array,
  stride: number,
  rows: number,
  { sources, targets }: Picks,
  target: Float32Array | Float64Array,
  width: number,
  firstRow: number,
): void {
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < sources.length; i++) {
      target[(firstRow + row) * width + targets[i]!] = Number(view[row * stride + sources[i]!]);
    }
  }
}

/** Whole pieces at once: memory bandwidth instead of one element at a time. */
function copyPieces(
  view: PlainArray,
  stride: number,
  rows: number,
  { sources, targets, pieces }: Picks,
  target: Float32Array | Float64Array,
  width: number,
  firstRow: number,
): void {
  const { length } = sources;
  if (length === stride && length === width && pieces.length === 2) {
    target.set(view.subarray(0, rows * length), firstRow * width);
    return;
  }
  for (let row = 0; row < rows; row++) {
    const [from, to] = [row * stride, (firstRow + row) * width];
    for (let piece = 0; piece + 1 < pieces.length; piece++) {
      const first = pieces[piece]!;
      const source = from + sources[first]!;
      target.set(view.subarray(source, source + pieces[piece + 1]! - first), to + targets[first]!);
    }
  }
}
