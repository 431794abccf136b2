import type { OnnxNode } from "../onnx-model.ts";

/** Numbers of one cell, one after another; what computes many cells keeps as many of each. */
export interface Buffer {
  readonly size: number;
  /** The parameter of the C function that it is; absent: it lies in the workspace. */
  parameter?: string;
}

/** Where a statement finds an entry for each of its own: all the same, or one after another. */
export type Operand =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "table"; readonly values: Float64Array }
  | { readonly kind: "same"; readonly buffer: Buffer; readonly offset: number }
  | { readonly kind: "each"; readonly buffer: Buffer; readonly offset: number };

/** One operation of a loop over entries. */
export interface LoopOp {
  readonly target: Buffer;
  readonly node: OnnxNode;
  readonly args: readonly Operand[];
}

export type Statement =
  /** Operations entry by entry; all but the last target live only inside the loop. */
  | { readonly kind: "loop"; readonly target: Buffer; readonly ops: readonly LoopOp[] }
  /** Stretches of entries that are copied. */
  | { readonly kind: "copy"; readonly target: Buffer; readonly parts: readonly CopyPart[] }
  /** target[i][j] = add[i][j] + Σ x[i][k] weights[k][j]; `add` has one row where it is a table. */
  | {
      readonly kind: "dense";
      readonly target: Buffer;
      readonly x: Operand & { kind: "each" };
      readonly rows: number;
      readonly inner: number;
      readonly columns: number;
      readonly weights: Float64Array;
      readonly add: Operand | null;
    }
  /** target[i][j] = Σ a[i][k] b[k][j] of what is computed. */
  | {
      readonly kind: "product";
      readonly target: Buffer;
      readonly a: Operand;
      readonly b: Operand;
      readonly rows: number;
      readonly inner: number;
      readonly columns: number;
    }
  /** target[i] = of the `inner` entries of its own. */
  | {
      readonly kind: "reduce";
      readonly op: string;
      readonly target: Buffer;
      readonly x: Operand;
      readonly inner: number;
    };

export interface CopyPart {
  readonly at: number;
  readonly count: number;
  readonly from: Operand;
}
