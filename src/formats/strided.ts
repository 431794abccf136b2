/** The element types that all the array formats share. */
export type NumberArray =
  | Float64Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | BigInt64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/** Those, and the unsigned ones that NumPy has beside them. */
export type AnyNumberArray =
  | NumberArray
  | BigUint64Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>;

/**
 * The number of elements in an array of `shape`. A zero anywhere gives 0, where a bare product of huge lengths
 * and a zero would give NaN.
 */
export function elementCount(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);
}

/** The strides, in elements, of an array of `shape` whose last index runs fastest. */
function rowMajorStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** The strides, in elements, of an array of `shape` whose first index runs fastest (Fortran's order). */
export function columnMajorStrides(shape: readonly number[]): number[] {
  return rowMajorStrides([...shape].reverse()).reverse();
}

/**
 * Copies the elements that `shape`, `strides` and `offset` pick out of `source` into a fresh array in row-major order.
 * The caller has checked that all of them lie inside `source`.
 */
export function gather<T extends AnyNumberArray>(
  source: T,
  shape: readonly number[],
  strides: readonly number[],
  offset = 0,
): T {
  const count = elementCount(shape);
  const expected = rowMajorStrides(shape);
  // An axis of length 1 is never stepped along, so its stride says nothing.
  if (strides.every((stride, axis) => shape[axis]! <= 1 || stride === expected[axis])) {
    return source.slice(offset, offset + count) as T;
  }
  const target = new (source.constructor as new (length: number) => T)(count);
  const index = new Array<number>(shape.length).fill(0);
  let from = offset;
  for (let to = 0; to < count; to++) {
    target[to] = source[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      index[axis] = 0;
      from -= strides[axis]! * shape[axis]!;
    }
  }
  return target;
}

/** Turns the elements of `bytes`, each `size` bytes long, from one byte order into the other, in place. */
export function swapBytes(bytes: Uint8Array, size: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size === 2) buffer.swap16();
  else if (size === 4) buffer.swap32();
  else if (size === 8) buffer.swap64();
}
