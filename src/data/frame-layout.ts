import { DataError } from "../errors.ts";
import { decodePickledStrings } from "../formats/pickle.ts";
import { type ColumnCaveat, columnCaveat } from "./column-types.ts";
import type { Hdf5Dataset, Hdf5File } from "./hdf5.ts";

/** Columns of one element type that lie side by side in each row of a dataset. */
export interface FrameBlock {
  readonly dataset: Hdf5Dataset;
  readonly columns: readonly string[];
  /** NumPy's element type; `vlen` where the whole block is one pickle. */
  readonly dtype: string;
  /** Bytes before the first of these columns in a row of the dataset. */
  readonly offset: number;
  /** Why the numbers do not mean what they say (dates, codes of a categorical column); undefined where they do. */
  readonly caveat: ColumnCaveat | undefined;
}

/** Where the columns of a pandas frame lie in the file. */
export interface FrameLayout {
  readonly columns: readonly string[];
  readonly rows: number;
  readonly blocks: readonly FrameBlock[];
}

/**
 * Finds the columns of the frame that pandas wrote at `key`, in fixed or in table format.
 * @throws DataError listing the keys where there is no such key; naming what is there where it is no frame
 */
export function readFrameLayout(file: Hdf5File, key: string): FrameLayout {
  const where = `${file.path}, key ${key}`;
  if (!file.has(key)) {
    const keys = file.keys();
    const fix = keys.length > 0 ? `keys in the file: ${keys.join(", ")}` : "the file holds nothing";
    throw new DataError(`no key \`${key}\` in ${file.path}`, { fix });
  }
  const type = file.attribute(key, "pandas_type");
  if (type === "frame") return sized(fixedLayout(file, key, where));
  if (type === "frame_table") return sized(tableLayout(file, key, where));
  throw new DataError(`the key \`${key}\` holds no pandas frame${type === undefined ? "" : ` but \`${type}\``}`, {
    where,
    fix: "write it with DataFrame.to_hdf(path, key=…), format fixed or table",
  });
}

function sized(layout: FrameLayout): FrameLayout {
  for (const { dataset } of layout.blocks) dataset.checkSize();
  return layout;
}

/** Fixed format: one dataset [rows, columns] for each element type, and the column names beside it. */
function fixedLayout(file: Hdf5File, key: string, where: string): FrameLayout {
  for (const axis of ["axis0", "axis1"]) {
    const variety = file.attribute(key, `${axis}_variety`);
    if (variety === "regular") continue;
    const fix = "call reset_index(), or flatten the columns, before to_hdf";
    throw new DataError(`a ${axis === "axis0" ? "column" : "row"} index of kind \`${variety}\` cannot be read`, {
      where,
      fix,
    });
  }
  const blocks: FrameBlock[] = [];
  for (let i = 0; i < Number(file.attribute(key, "nblocks") ?? 0); i++) {
    const items = `${key}/block${i}_items`;
    const columns = isEmptyArray(file, items) ? [] : file.dataset(items).readStrings();
    const path = `${key}/block${i}_values`;
    const dataset = file.dataset(path);
    const { dtype } = dataset;
    const caveat = columnCaveat({ dtype, declared: declaredType(file, path) });
    blocks.push({ dataset, columns, dtype, offset: 0, caveat });
  }
  const rows = fixedRows(file, key, blocks);
  for (const { dataset, columns, dtype } of blocks) {
    if (rows === 0 || columns.length === 0 || dtype === "vlen") continue;
    if (dataset.rows === rows && dataset.shape[1] === columns.length) continue;
    const what = `a block is ${dataset.shape.join(" × ")}, not ${rows} × ${columns.length}`;
    throw new DataError(what, { where, fix: "write the file again" });
  }
  return { columns: file.dataset(`${key}/axis0`).readStrings(), rows, blocks };
}

/** What pandas says of a fixed block; older versions tell a time zone or a frequency alone. */
function declaredType(file: Hdf5File, path: string): string | undefined {
  const type = textAttribute(file, path, "value_type");
  if (type !== undefined) return type;
  if (file.attribute(path, "tz") !== undefined) return "datetime64";
  return file.attribute(path, "freq") === undefined ? undefined : "period";
}

function textAttribute(file: Hdf5File, path: string, name: string): string | undefined {
  return file.attribute(path, name)?.toString();
}

/** A row index that is neither numbers nor plain text is one pickle, whose rows do not count: then the values tell. */
function fixedRows(file: Hdf5File, key: string, blocks: readonly FrameBlock[]): number {
  const axis = `${key}/axis1`;
  if (isEmptyArray(file, axis)) return 0;
  const index = file.dataset(axis);
  if (index.dtype !== "vlen") return index.rows;
  return blocks.find((block) => block.dtype !== "vlen")?.dataset.rows ?? 0;
}

/** pandas keeps an array without elements as one element and says so in an attribute. */
function isEmptyArray(file: Hdf5File, path: string): boolean {
  return file.attribute(path, "shape") !== undefined;
}

/** Table format: one compound dataset; each field holds the columns that its `…_kind` attribute lists. */
function tableLayout(file: Hdf5File, key: string, where: string): FrameLayout {
  const path = `${key}/table`;
  const dataset = file.dataset(path);
  if (dataset.members === undefined) throw new DataError("the table has no fields", { where, fix: "write it again" });
  const blocks: FrameBlock[] = [];
  for (const member of dataset.members) {
    const names = file.attributeBytes(path, `${member.name}_kind`);
    // The row index has a kind too, but as plain text: `integer`.
    if (names === undefined || member.name === "index") continue;
    const columns = decodePickledStrings(names, `${where}, ${member.name}`);
    if (columns.length !== member.length) {
      const what = `field ${member.name} has ${member.length} columns but ${columns.length} names`;
      throw new DataError(what, { where, fix: "write the file again" });
    }
    const declared = textAttribute(file, path, `${member.name}_dtype`);
    const isCategory = file.attribute(path, `${member.name}_meta`) === "category";
    const caveat = columnCaveat({ dtype: member.dtype, declared, isCategory });
    blocks.push({ dataset, columns, dtype: member.dtype, offset: member.offset, caveat });
  }
  return { columns: blocks.flatMap((block) => block.columns), rows: dataset.rows, blocks };
}
