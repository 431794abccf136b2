import type { TextLayout } from "./text-layout.ts";

/**
 * What a file of histories is. Read by `openInput`: `pandas`, `clean`, `uclchem-text` (full and column files), `uclchem-hdf5`
 * (UCLCHEM 4) and `table` (CSV and the like, with a header). Of the others `fix` says how to make one of these.
 */
export type FileKind =
  | "pandas"
  | "clean"
  | "uclchem-text"
  | "uclchem-hdf5"
  | "table"
  | "headerless"
  | "codes"
  | "hdf5"
  | "npy"
  | "npy-columns"
  | "packed"
  | "unknown";

/** A file, known by its content. */
export interface Detected {
  readonly kind: FileKind;
  readonly path: string;
  readonly bytes: number;
  /** What it is, in words: `a table of text, UCLCHEM's (333 species)`. */
  readonly what: string;
  /** What to do where the kind is not read; null where it is. */
  readonly fix: string | null;
  /** Of a table of text. */
  readonly layout?: TextLayout;
  /** Keys of pandas frames, or groups of UCLCHEM's models. */
  readonly keys?: readonly string[];
}

/** Makes a `Detected`. */
export type Found = (kind: FileKind, what: string, fix: string | null, more?: Partial<Detected>) => Detected;
