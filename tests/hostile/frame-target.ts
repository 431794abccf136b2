import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { main } from "../../src/commands/main.ts";
import { openFrame } from "../../src/data/frame.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { DataError } from "../../src/errors.ts";
import { Buffered } from "../commands/buffers.ts";
import { demand, target } from "./target.ts";

/** Names of columns and species that would do harm in a path, a shell, a page, a terminal, or as a key of an object. */
const names = [
  ..."H H2O CO Tracer Time Density radfield Av gasTemp __proto__ constructor toString ../../escaped /tmp/escaped".split(
    " ",
  ),
  ...["$(touch escaped)", "; touch escaped", "`touch escaped`", "<script>alert(1)</script>", "\u001b]0;owned\u0007"],
  ...[
    "\u001b[2J",
    "a\nb",
    "a\rb",
    "\u202eabc",
    "",
    " ",
    "é",
    "𝄞",
    "x".repeat(4000),
    "NaN",
    "%s%n",
    "C:\\x",
    "a/b",
    ".",
  ],
];
/** Rows and columns that a file of a few kilobytes can claim: what was never written takes no room. */
const sizes = [0, 1, 2, 3, 1000, 2 ** 24, 2 ** 28, 2 ** 31, 2 ** 33, 2 ** 40];
const values = [0, 1, 1.5, -1, 1e-30, 1e300, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60];

interface Case {
  readonly columns: readonly string[];
  readonly rows: number;
  readonly indexRows: number;
  readonly width: number | null;
  readonly values: readonly number[];
  readonly chunk: number | null;
  readonly blocks: string | number | bigint;
  readonly command: boolean;
}

/** Frames that are well-formed HDF5 and lie about their sizes, or bring nasty names and values: read, and preprocessed. */
export const frameTarget = target<Case>({
  name: "frame",
  exitCodes: [3],
  cases: fc.record({
    columns: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 12 }),
    rows: fc.oneof(fc.constant(3), fc.constantFrom(...sizes)),
    indexRows: fc.oneof({ weight: 3, arbitrary: fc.constant(-1) }, { weight: 1, arbitrary: fc.constantFrom(...sizes) }),
    width: fc.oneof(
      { weight: 3, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.constantFrom(1, 3, 2 ** 20, 2 ** 31) },
    ),
    values: fc.array(fc.constantFrom(...values), { minLength: 1, maxLength: 5 }),
    chunk: fc.oneof(
      { weight: 2, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.constantFrom(1, 1000, 2 ** 20, 2 ** 27) },
    ),
    blocks: fc.oneof(
      { weight: 4, arbitrary: fc.constant(1n) },
      { weight: 1, arbitrary: fc.constantFrom(-1n, 2n, 1n << 62n, 1e300, Number.NaN, "x") },
    ),
    command: fc.boolean(),
  }),
  async attack(one, folder) {
    const path = join(folder, "raw.h5");
    rmSync(path, { force: true });
    try {
      await write(path, one);
    } catch (error) {
      // The library itself does not write everything; what it did write is read.
      if (!(error instanceof DataError)) throw error;
    }
    try {
      if (one.command) await preprocess(folder, one.columns);
      else await readAll(path, one.columns);
    } finally {
      demand(
        !existsSync("escaped") && !existsSync("/tmp/escaped") && !existsSync("../../escaped"),
        "a name was obeyed",
      );
      demand(!("polluted" in {}), "the prototype of all objects was changed");
    }
  },
});

async function write(path: string, { columns, rows, indexRows, width, values, chunk, blocks }: Case): Promise<void> {
  const file = await createHdf5(path);
  try {
    file.createGroup("df");
    const attributes = { pandas_type: "frame", axis0_variety: "regular", axis1_variety: "regular" };
    for (const [name, value] of Object.entries(attributes)) file.setAttribute("df", name, value);
    file.setAttribute("df", "nblocks", blocks);
    file.writeStrings("df/axis0", columns);
    file.writeStrings("df/block0_items", columns);
    const wide = width ?? columns.length;
    const chunks =
      chunk === null || rows === 0 ? {} : { chunks: [Math.min(chunk, rows), Math.min(wide, 4)], compression: 1 };
    file.createDataset("df/axis1", { shape: [indexRows < 0 ? rows : indexRows], dtype: "<i8" });
    const data = file.createDataset("df/block0_values", { shape: [rows, wide], dtype: "<f8", ...chunks });
    if (rows > 0 && rows * wide < 1e5) {
      data.writeRows(
        0,
        rows,
        Float64Array.from({ length: rows * wide }, (_, i) => values[i % values.length]!),
      );
    }
  } finally {
    file.close();
  }
}

async function readAll(path: string, columns: readonly string[]): Promise<void> {
  const frame = await openFrame(path, "df");
  try {
    demand(frame.columns.length === columns.length, "another number of columns");
    frame.labels(columns[0]!);
    const block = new Float32Array(frame.blockRows * columns.length);
    for (let row = 0; row < frame.rows; row += frame.blockRows) {
      frame.read(row, Math.min(frame.blockRows, frame.rows - row), columns, block);
    }
  } finally {
    frame.close();
  }
}

/** The command as it is typed; its exit code and what it shows. */
async function preprocess(folder: string, columns: readonly string[]): Promise<void> {
  writeFileSync(join(folder, "species.txt"), columns.join("\n"));
  const [stdout, stderr] = [new Buffered(), new Buffered()];
  const words = ["preprocess", "input_path=raw.h5", "output_path=clean.h5", "dataset.species_path=species.txt"];
  const code = await main([...words, "dataset.stoichiometric_matrix_path=null"], {
    ...{ cwd: folder, env: {}, now: () => new Date(0), stdout, stderr },
    signal: new AbortController().signal,
  });
  demand([0, 2, 3].includes(code), `exit code ${code}: ${stderr.text.slice(0, 1200)}`);
  const shown = (stdout.text + stderr.text).replaceAll(/[\n\t]/g, "");
  demand(!/[\p{Cc}\p{Bidi_Control}]/u.test(shown), "control characters reach the terminal");
  demand(stderr.text.length < 100_000, "an endless message");
  if (code !== 0) throw new DataError("refused");
}
