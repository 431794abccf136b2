import { sizeOf } from "../engine.ts";
import type { OnnxNode } from "../onnx-model.ts";

/** An array while a program is made: numbers, or references to numbers that are known when it runs. */
export interface Items {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** Positions in an array of `from`, for each entry of the shape `to` that it is broadcast to. */
export function broadcastIndex(from: readonly number[], to: readonly number[]): Int32Array {
  const index = new Int32Array(sizeOf(to));
  const steps = strides(from);
  const lead = to.length - from.length;
  forEachPosition(to, (at, k) => {
    let position = 0;
    for (let axis = 0; axis < from.length; axis++) if (from[axis] !== 1) position += at[axis + lead]! * steps[axis]!;
    index[k] = position;
  });
  return index;
}

/** The shape that arrays of these shapes are broadcast to. */
export function commonShape(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    const lengths = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    return lengths.find((length) => length !== 1) ?? 1;
  });
}

/** An array brought to another shape. */
export function expanded({ shape, data }: Items, to: readonly number[]): Items {
  return { shape: to, data: Float64Array.from(broadcastIndex(shape, to), (k) => data[k]!) };
}

/** Axes in another order. */
export function transposed({ shape, data }: Items, perm: readonly number[]): Items {
  const steps = strides(shape);
  return picked(
    data,
    perm.map((axis) => shape[axis]!),
    (at) => perm.reduce((sum, axis, k) => sum + at[k]! * steps[axis]!, 0),
  );
}

/** What moves numbers and changes none: by the name of its ONNX operation; the first input moves, `integers` are the others' values. */
type Movement = (inputs: readonly Items[], node: OnnxNode, integers: (input: number) => number[]) => Items[];

export const movements: Readonly<Record<string, Movement>> = {
  Identity: ([x]) => [x!],
  Cast: ([x]) => [x!],
  Reshape: ([x], _, integers) => [{ ...x!, shape: integers(1) }],
  Expand: ([x], _, integers) => [expanded(x!, commonShape([x!.shape, integers(1)]))],
  Transpose: ([x], { attributes }) => [transposed(x!, attributes.perm as number[])],
  Slice: ([x], _, integers) => [sliced(x!, integers(1), integers(2))],
  Concat: (inputs, { attributes }) => [joined(inputs, attributes.axis as number)],
  Split: ([x], { attributes }, integers) => {
    const axis = attributes.axis as number;
    let from = 0;
    return integers(1).map((length) => {
      const begin = x!.shape.map((_, k) => (k === axis ? from : 0));
      from += length;
      return sliced(x!, begin, x!.shape.with(axis, from));
    });
  },
  Gather: ([x], { attributes, inputs: [, indices] }, integers) => {
    const axis = attributes.axis as number;
    if (indices === undefined) throw new Error("a Gather without indices");
    const rows = integers(1).map((k) => {
      const begin = x!.shape.map((_, each) => (each === axis ? k : 0));
      return sliced(x!, begin, x!.shape.with(axis, k + 1));
    });
    return [joined(rows, axis)];
  },
  Tile: ([x], _, integers) => {
    const repeats = integers(1);
    return [repeats.reduce((all, count, axis) => joined(new Array<Items>(count).fill(all), axis), x!)];
  },
  Pad: ([x, , value], _, integers) => [padded(x!, integers(1), value!.data[0]!)],
};

function sliced({ shape, data }: Items, begin: readonly number[], end: readonly number[]): Items {
  const steps = strides(shape);
  return picked(
    data,
    shape.map((_, axis) => end[axis]! - begin[axis]!),
    (at) => at.reduce((sum, k, axis) => sum + (k + begin[axis]!) * steps[axis]!, 0),
  );
}

function joined(parts: readonly Items[], axis: number): Items {
  const first = parts[0]!.shape;
  const length = parts.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  const outer = sizeOf(first.slice(0, axis));
  const data = new Float64Array(outer * length * sizeOf(first.slice(axis + 1)));
  let at = 0;
  for (let k = 0; k < outer; k++) {
    for (const part of parts) {
      const size = part.data.length / outer;
      data.set(part.data.subarray(k * size, (k + 1) * size), at);
      at += size;
    }
  }
  return { shape: first.with(axis, length), data };
}

function padded({ shape, data }: Items, amounts: readonly number[], value: number): Items {
  const steps = strides(shape);
  const whole = shape.map((length, axis) => length + amounts[axis]! + amounts[axis + shape.length]!);
  const out = new Float64Array(sizeOf(whole)).fill(value);
  forEachPosition(whole, (at, k) => {
    const inside = at.map((each, axis) => each - amounts[axis]!);
    if (inside.every((each, axis) => each >= 0 && each < shape[axis]!)) {
      out[k] = data[inside.reduce((sum, each, axis) => sum + each * steps[axis]!, 0)]!;
    }
  });
  return { shape: whole, data: out };
}

function picked(data: Float64Array, shape: readonly number[], from: (at: readonly number[]) => number): Items {
  const out = new Float64Array(sizeOf(shape));
  forEachPosition(shape, (at, k) => {
    out[k] = data[from(at)]!;
  });
  return { shape, data: out };
}

function strides(shape: readonly number[]): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

function forEachPosition(shape: readonly number[], visit: (at: readonly number[], index: number) => void): void {
  const at = new Array<number>(shape.length).fill(0);
  const count = sizeOf(shape);
  for (let k = 0; k < count; k++) {
    visit(at, k);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis]! += 1;
      if (at[axis]! < shape[axis]!) break;
      at[axis] = 0;
    }
  }
}
