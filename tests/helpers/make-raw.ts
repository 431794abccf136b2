import { createHdf5, type Hdf5Dataset, type Hdf5File } from "../../src/data/hdf5.ts";

/** A raw file of made-up chemistry, as pandas would write it, of any size. */
export interface RawFile {
  path: string;
  tracers: number;
  /** Rows of each tracer. */
  steps: number;
  species: number;
  /** Tracer after tracer, or time after time. */
  order: "sorted" | "interleaved";
  dtype: "<f4" | "<f8";
  /** gzip level; the rows are then stored in chunks of 47, as pandas does it. */
  compression?: number;
}

const CONDITIONS = ["Time", "Density", "gasTemp", "dustTemp", "Av", "radfield", "zeta", "dstep"];
const BLOCK_ROWS = 4096;

/** Made-up names that no renaming touches. */
export function rawSpecies(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `X${i}`);
}

/** The id of a tracer: not its position, not contiguous. */
export function rawTracerId(tracer: number): number {
  return 3 * tracer + 7;
}

/** Values are a function of tracer, step and column alone, so that a test can say what must stand anywhere. */
export function rawValue(tracer: number, step: number, column: number): number {
  if (column === 0) return 92.9 * (step + 1);
  const noise = NOISE[(tracer * 7919 + step * 104_729 + column * 613) & 4095]!;
  if (column === 1) return 1e4 * (1 + noise);
  if (column < CONDITIONS.length) return 10 + noise;
  return noise * ABUNDANCES[column & 1023]!;
}

const NOISE = Float64Array.from({ length: 4096 }, (_, i) => 0.5 + ((i * 2_654_435_761) % 4096) / 4096);
/** From 1e-25, below the clipping, to 1e-1. */
const ABUNDANCES = Float64Array.from({ length: 1024 }, (_, i) => 10 ** (-25 + (24 * ((i * 37) % 1024)) / 1023));

/** Writes the file in blocks: memory does not grow with it. */
export async function makeRaw(raw: RawFile): Promise<void> {
  const { tracers, steps, dtype, compression } = raw;
  const columns = [...CONDITIONS, ...rawSpecies(raw.species)];
  const rows = tracers * steps;
  const file = await createHdf5(raw.path);
  file.createGroup("df");
  const packed = compression === undefined ? {} : { chunks: [47, columns.length], compression };
  const floats = file.createDataset("df/block0_values", { shape: [rows, columns.length], dtype, ...packed });
  const ids = file.createDataset("df/block1_values", { shape: [rows, 1], dtype: "<i8" });
  const index = file.createDataset("df/axis1", { shape: [rows], dtype: "<i8" });
  writeRows(raw, columns.length, rows, floats, ids, index);
  names(file, "df/axis0", [...columns, "Tracer"]);
  names(file, "df/block0_items", columns);
  names(file, "df/block1_items", ["Tracer"]);
  for (const [name, value] of Object.entries(ATTRIBUTES)) file.setAttribute("df", name, value);
  file.setAttribute("df/axis1", "kind", "integer");
  file.setAttribute("df/axis1", "name", Buffer.from("N."));
  for (const block of ["block0", "block1"]) file.setAttribute(`df/${block}_values`, "transposed", 1n);
  file.close();
}

const ATTRIBUTES: Record<string, string | bigint> = {
  pandas_type: "frame",
  pandas_version: "0.15.2",
  encoding: "UTF-8",
  errors: "strict",
  ndim: 2n,
  nblocks: 2n,
  axis0_variety: "regular",
  axis1_variety: "regular",
  block0_items_variety: "regular",
  block1_items_variety: "regular",
};

function names(file: Hdf5File, path: string, values: string[]): void {
  file.writeStrings(path, values);
  file.setAttribute(path, "kind", "string");
  file.setAttribute(path, "name", Buffer.from("N."));
}

function writeRows(
  { tracers, steps, order, dtype }: RawFile,
  width: number,
  rows: number,
  floats: Hdf5Dataset,
  ids: Hdf5Dataset,
  index: Hdf5Dataset,
): void {
  const block = dtype === "<f4" ? new Float32Array(BLOCK_ROWS * width) : new Float64Array(BLOCK_ROWS * width);
  const [tracerIds, numbers] = [new BigInt64Array(BLOCK_ROWS), new BigInt64Array(BLOCK_ROWS)];
  for (let start = 0; start < rows; start += BLOCK_ROWS) {
    const count = Math.min(BLOCK_ROWS, rows - start);
    for (let i = 0; i < count; i++) {
      const row = start + i;
      const tracer = order === "sorted" ? Math.floor(row / steps) : row % tracers;
      const step = order === "sorted" ? row % steps : Math.floor(row / tracers);
      for (let column = 0; column < width; column++) block[i * width + column] = rawValue(tracer, step, column);
      tracerIds[i] = BigInt(rawTracerId(tracer));
      numbers[i] = BigInt(row);
    }
    floats.writeRows(start, count, block);
    ids.writeRows(start, count, tracerIds);
    index.writeRows(start, count, numbers);
  }
}
