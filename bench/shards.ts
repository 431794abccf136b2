/**
 * Measures preprocessing in one process and by shards, in rows per second of processor time: a busy machine changes that little. The raw
 * files repeat the bundled sample, as float64 in HDF5 or as text. Run: npm run build && npx tsx bench/shards.ts [--files 8 --form text]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { FrameWriter, openFrame } from "../src/data/frame.ts";
import { createHdf5 } from "../src/data/hdf5.ts";

const { values } = parseArgs({
  options: { files: { type: "string", default: "8" }, form: { type: "string", default: "hdf5" } },
});
const files = Number(values.files);
const isText = values.form === "text";
const root = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "astrochem-shards-"));
/** Tells at the end of a process what it used. */
const usage = `process.on("exit", () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  process.stderr.write(["\\ncpu", (userCPUTime + systemCPUTime) / 1e6, maxRSS / 1e6].join(" "));
})`;

/** @returns seconds of processor time without those of the start, and GB of memory */
function preprocess(...words: string[]): { seconds: number; memory: number } {
  const inputs = `input_path=${join(folder, isText ? "raw*.csv" : "raw*.h5")}`;
  const own = ["preprocess", "dataset=sample", inputs, `working_path=${root}`, `run_dir=${join(folder, "run")}`];
  const program = ["--import", `data:text/javascript,${encodeURIComponent(usage)}`, join(root, "dist/cli.js")];
  const { stderr, status } = spawnSync(process.execPath, [...program, ...own, ...words], {
    cwd: folder,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  const [, seconds, memory] = /cpu (\S+) (\S+)$/.exec(stderr)!;
  return { seconds: Number(seconds), memory: Number(memory) };
}

/** @returns rows of all files */
async function makeFiles(): Promise<number> {
  const frame = await openFrame(join(root, "data/sample_collapse.h5"), "df");
  const numbers = frame.columns.filter((name) => name !== "Tracer");
  const block = new Float64Array(frame.rows * frame.columns.length);
  frame.read(0, frame.rows, ["Tracer", ...numbers], block);
  const width = frame.columns.length;
  const row = (i: number): Float64Array => block.subarray(i * width, (i + 1) * width);
  for (let k = 0; k < files; k++) {
    if (isText) {
      const lines = Array.from({ length: frame.rows }, (_, i) => [...row(i)].map((v) => v.toPrecision(8)).join(","));
      writeFileSync(join(folder, `raw${k}.csv`), `${["Tracer", ...numbers].join(",")}\n${lines.join("\n")}\n`);
      continue;
    }
    const file = await createHdf5(join(folder, `raw${k}.h5`));
    const float64 = numbers.slice(1);
    const columns = { float32: [numbers[0]!], int64: ["Tracer"], float64, order: ["Tracer", ...numbers] };
    const writer = new FrameWriter(file, "df", columns, frame.rows);
    const every = <T>(pick: (values: Float64Array) => T): T[] =>
      Array.from({ length: frame.rows }, (_, i) => pick(row(i)));
    const doubles = new Float64Array(frame.rows * float64.length);
    for (let i = 0; i < frame.rows; i++) doubles.set(row(i).subarray(2), i * float64.length);
    const ids = BigInt64Array.from(every(([id]) => BigInt(id!)));
    writer.append(Float32Array.from(every(([, first]) => first!)), ids, frame.rows, doubles);
    writer.finish();
    file.close();
  }
  frame.close();
  return files * frame.rows;
}

const say = (line: string): unknown => process.stdout.write(`${line}\n`);

try {
  const rows = await makeFiles();
  // A shard without files.
  const start = preprocess(`output_path=${join(folder, "joined.h5")}`, `shards=${files + 1}`, `shard=${files}`).seconds;
  const one = preprocess(`output_path=${join(folder, "one.h5")}`);
  const shards = Array.from({ length: files }, (_, k) =>
    preprocess(`output_path=${join(folder, "joined.h5")}`, `shards=${files}`, `shard=${k}`),
  );
  const joined = preprocess(`output_path=${join(folder, "joined.h5")}`, `shards=${files}`);
  const all = shards.reduce((sum, { seconds }) => sum + seconds - start, 0);
  const show = (what: string, seconds: number, memory: number): unknown =>
    say(`${what}: ${seconds.toFixed(1)} s, ${Math.round(rows / seconds)} rows/s, ${memory.toFixed(2)} GB`);
  say(`${rows} rows in ${files} files of ${values.form}; a start takes ${start.toFixed(1)} s`);
  show("one process", one.seconds - start, one.memory);
  show("all shards", all, Math.max(...shards.map(({ memory }) => memory)));
  show("joining", joined.seconds - start, joined.memory);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
