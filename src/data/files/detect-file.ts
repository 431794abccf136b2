import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { nameOfRole } from "../../chemistry/physical-parameters.ts";
import { DataError } from "../../errors.ts";
import { hasHdf5Signature, npySignature } from "../../formats/signatures.ts";
import type { Detected, FileKind, Found } from "./detected.ts";
import { findLayout, type TextLayout } from "./text-layout.ts";

/** Of text so much is looked at; of a file with longer lines more. */
const [headBytes, mostHeadBytes] = [2 ** 16, 2 ** 22];

/**
 * Says what a file is by its content; the name does not count. Reads 64 kB of text, the structure of HDF5.
 * @throws DataError where there is no such file, or it is empty or damaged
 */
export async function detectFile(path: string): Promise<Detected> {
  const { bytes, head } = readHead(path);
  const found = (kind: FileKind, what: string, fix: string | null, more: Partial<Detected> = {}): Detected => ({
    kind,
    path,
    bytes,
    what,
    fix,
    ...more,
  });
  if (isHdf5(bytes, path)) return (await import("./detect-hdf5.ts")).detectHdf5(path, found);
  if (head.subarray(0, 6).equals(npySignature)) return detectNpy(path, found);
  const other = packedFormat(head);
  if (other !== undefined) return found("packed", other.what, other.fix(JSON.stringify(path)));
  const layout = textLayout(head, bytes);
  if (layout === null) return found("unknown", "no kind of file that is known here", readable);
  return layout.header.length === 0
    ? found("headerless", `a table of text without a header, ${layout.width} columns`, headerFix(path, layout), {
        layout,
      })
    : { ...found("table", "", null, { layout }), ...describeTable(layout) };
}

/** Whether it is HDF5 that frames are looked for in by their keys. */
export function isFrameFile({ kind }: Detected): boolean {
  return kind === "pandas" || kind === "clean" || kind === "hdf5";
}

const readable =
  "give a pandas frame in HDF5, UCLCHEM's text or HDF5 output, or a table of text with a header (CSV, tabs, blanks)";

/** UCLCHEM's own header starts with these, in all of its versions. */
function describeTable({ header }: TextLayout): Pick<Detected, "kind" | "what"> {
  const isUclchem = /^time,density,gastemp,/i.test(`${header.join(",")},`);
  const first = isUclchem
    ? header.findIndex((name) => /^(?:h|#|@)/i.test(name) || /^[A-Z][A-Z0-9]*\+?$/.test(name))
    : 0;
  const physics = /^(?:time|density|gastemp|dusttemp|av|radfield|zeta|points?|dstep|bulk|surface|parcel_radius)$/i;
  const species = header.filter((name) => !physics.test(name)).length;
  return isUclchem && first !== -1
    ? { kind: "uclchem-text", what: `a table of text, UCLCHEM's (${species} species)` }
    : { kind: "table", what: `a table of text, ${header.length} columns` };
}

function headerFix(path: string, { width, delimiter }: TextLayout): string {
  const sep = delimiter === " " ? "\\s+" : delimiter === "\t" ? "\\t" : delimiter;
  return [
    "write a header of your own, in Python (the names are those of your columns, in their order):",
    "import pandas",
    `names = ["Time (s)", ${JSON.stringify(nameOfRole("density"))}, ${JSON.stringify(nameOfRole("gas_temperature"))}] + [f"column{i}" for i in range(4, ${width + 1})]  # ${width} names`,
    `pandas.read_csv(${JSON.stringify(path)}, sep=r"${sep}", header=None, names=names, comment="#").to_csv("named.csv", index=False)`,
  ].join("\n       ");
}

/** Whether the columns of an array are named beside it, as AstroChemNet does. */
export function hasColumnNames(path: string): boolean {
  return existsSync(join(dirname(path), "columns.json"));
}

function detectNpy(path: string, found: Found): Detected {
  const columns = join(dirname(path), "columns.json");
  if (!hasColumnNames(path))
    return found("npy", "a NumPy array", "give --physical and --abundances, or a table with names");
  return found(
    "npy-columns",
    "a NumPy array with its column names beside it (columns.json)",
    [
      "make a frame of both, in Python:",
      "import json, numpy, pandas",
      `array, columns = numpy.load(${JSON.stringify(path)}), json.load(open(${JSON.stringify(columns)}))`,
      "array = array.reshape(-1, array.shape[-1])",
      'pandas.DataFrame(array, columns=list(columns)).to_hdf("data.h5", key="df")',
    ].join("\n       "),
  );
}

const unpacking = (command: string) => (path: string) => `unpack it first: ${command} ${path}`;
const throughPandas = (reader: string) => (path: string) =>
  `in Python: import pandas; pandas.${reader}(${path}).to_hdf("data.h5", key="df")`;

/** Formats that are told, not read, by their first bytes in hexadecimal. */
/** Whether a file is one that has to be unpacked or converted first: gzip, bzip2, xz, zstd, Parquet, Arrow, UTF-16. */
export function isPacked(head: Buffer): boolean {
  return packedFormat(head) !== undefined;
}

function packedFormat(head: Buffer) {
  const start = head.toString("hex", 0, 16);
  return otherFormats.find((format) => format.start.test(start));
}

const otherFormats: readonly { start: RegExp; what: string; fix: (path: string) => string }[] = [
  { start: /^1f8b/, what: "a file packed by gzip", fix: unpacking("gunzip -k") },
  { start: /^425a68/, what: "a file packed by bzip2", fix: unpacking("bunzip2 -k") },
  { start: /^fd377a585a/, what: "a file packed by xz", fix: unpacking("unxz -k") },
  { start: /^28b52ffd/, what: "a file packed by zstd", fix: unpacking("unzstd -k") },
  { start: /^50415231/, what: "a Parquet file", fix: throughPandas("read_parquet") },
  { start: /^4152524f5731/, what: "an Arrow file", fix: throughPandas("read_feather") },
  {
    start: /^(?:fffe|feff)/,
    what: "text in UTF-16",
    fix: (path) => `convert it: iconv -f UTF-16 -t UTF-8 ${path} > utf8.csv`,
  },
];

function isHdf5(bytes: number, path: string): boolean {
  const descriptor = openSync(path, "r");
  try {
    return hasHdf5Signature(descriptor, bytes);
  } finally {
    closeSync(descriptor);
  }
}

/** @returns null where the bytes are no text, or no table */
export function textLayout(head: Buffer, bytes: number): TextLayout | null {
  if (head.includes(0)) return null;
  return findLayout(head.toString("utf8"), head.length === bytes);
}

/** The beginning of a file. @throws DataError where it cannot be read or holds nothing */
export function readHead(path: string): { bytes: number; head: Buffer } {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) throw new DataError(`no such file: ${path}`, { fix: "check the path" });
  if (!status.isFile())
    throw new DataError(`a folder, not a file: ${basename(path)}`, {
      where: path,
      fix: "give its files: FOLDER/*.dat",
    });
  if (status.size === 0) throw new DataError(`the file is empty: ${path}`, { fix: "make or copy it again" });
  const bytes = status.size;
  const head = readStart(path, headBytes);
  // A header of thousands of species is longer.
  const isLong = head.length < bytes && !head.includes(0) && head.indexOf(10) === head.lastIndexOf(10);
  return { bytes, head: isLong ? readStart(path, mostHeadBytes) : head };
}

function readStart(path: string, most: number): Buffer {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    throw new DataError(`cannot read the file: ${path}`, { fix: "check its permissions", cause: error });
  }
  try {
    const start = Buffer.alloc(most);
    return start.subarray(0, readSync(descriptor, start, 0, most, 0));
  } finally {
    closeSync(descriptor);
  }
}
