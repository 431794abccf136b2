/**
 * Measures preprocessing and evaluation in one process and by shards, in rows per second of processor time: a busy machine changes that
 * little. The raw files repeat the bundled sample, as float64 in HDF5 or as text; one file with more shards is cut. The clean file repeats
 * the demo's tracers. Run: npm run build && npx tsx bench/shards.ts [--files 8 --shards 8 --repeat 1 --form text]
 * or: npx tsx bench/shards.ts --evaluate 300000 [--shards 8 --demo outputs/demo --clean CLEAN max_rows=null]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { FrameWriter, openFrame } from "../src/data/frame.ts";
import { createHdf5 } from "../src/data/hdf5.ts";
import { writeTracerFile } from "./tracer-file.ts";

const { values, positionals } = parseArgs({
  options: {
    files: { type: "string", default: "8" },
    shards: { type: "string" },
    repeat: { type: "string", default: "1" },
    form: { type: "string", default: "hdf5" },
    evaluate: { type: "string" },
    demo: { type: "string", default: "outputs/demo" },
    clean: { type: "string" },
  },
  allowPositionals: true,
});
const files = Number(values.files);
const repeat = Number(values.repeat);
const count = Number(values.shards ?? files);
const isText = values.form === "text";
const root = fileURLToPath(new URL("../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "astrochem-shards-"));
/** Tells at the end of a process what it used. */
const usage = `process.on("exit", () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  process.stderr.write(["\\ncpu", (userCPUTime + systemCPUTime) / 1e6, maxRSS / 1e6].join(" "));
})`;

interface Used {
  /** Of processor time. */
  readonly seconds: number;
  /** GB */
  readonly memory: number;
}

function astrochem(...words: string[]): Used {
  const program = ["--import", `data:text/javascript,${encodeURIComponent(usage)}`, join(root, "dist/cli.js")];
  const { stderr, status } = spawnSync(process.execPath, [...program, ...words], { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  const [, seconds, memory] = /cpu (\S+) (\S+)$/.exec(stderr)!;
  return { seconds: Number(seconds), memory: Number(memory) };
}

function preprocess(...words: string[]): Used {
  const inputs = `input_path=${join(folder, isText ? "raw*.csv" : "raw*.h5")}`;
  const own = ["preprocess", "dataset=sample", inputs, `working_path=${root}`, `run_dir=${join(folder, "run")}`];
  return astrochem(...own, ...words);
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
    const writer = new FrameWriter(file, "df", columns, repeat * frame.rows);
    const every = <T>(pick: (values: Float64Array) => T): T[] =>
      Array.from({ length: frame.rows }, (_, i) => pick(row(i)));
    const doubles = new Float64Array(frame.rows * float64.length);
    for (let i = 0; i < frame.rows; i++) doubles.set(row(i).subarray(2), i * float64.length);
    for (let time = 0; time < repeat; time++) {
      const ids = BigInt64Array.from(every(([id]) => BigInt(id!) + BigInt(1000 * time)));
      writer.append(Float32Array.from(every(([, first]) => first!)), ids, frame.rows, doubles);
    }
    writer.finish();
    file.close();
  }
  frame.close();
  return files * (isText ? 1 : repeat) * frame.rows;
}

const say = (line: string): unknown => process.stdout.write(`${line}\n`);

/** One process, all shards, and their join. @param start seconds of a process that does nothing */
function compare(rows: number, start: number, run: (...words: string[]) => Used): void {
  const show = (what: string, { seconds, memory }: Used): unknown =>
    say(`${what}: ${seconds.toFixed(1)} s, ${Math.round(rows / seconds)} rows/s, ${memory.toFixed(2)} GB`);
  const less = ({ seconds, memory }: Used): Used => ({ seconds: seconds - start, memory });
  show("one process", less(run()));
  const shards = Array.from({ length: count }, (_, k) => less(run(`shards=${count}`, `shard=${k}`)));
  const memory = Math.max(...shards.map((shard) => shard.memory));
  show(`${count} shards`, { seconds: shards.reduce((sum, { seconds }) => sum + seconds, 0), memory });
  say(`the longest of them: ${Math.max(...shards.map(({ seconds }) => seconds)).toFixed(1)} s`);
  show("joining", less(run(`shards=${count}`)));
}

async function comparePreprocessing(): Promise<void> {
  const rows = await makeFiles();
  // A shard without rows: text is not cut, and there is no tracer for it in the frames.
  const empty = isText ? files + 1 : 1000 * files;
  const output = `output_path=${join(folder, "clean.h5")}`;
  const start = preprocess(output, `shards=${empty}`, `shard=${empty - 1}`).seconds;
  say(`${rows} rows in ${files} files of ${values.form}; a start takes ${start.toFixed(1)} s`);
  compare(rows, start, (...words) => preprocess(output, ...words));
}

async function compareEvaluation(): Promise<void> {
  const demo = resolve(values.demo);
  const source = resolve(values.clean ?? join(demo, "data/sample_collapse_clean.h5"));
  const weights = (name: string): string => join(demo, "weights/sample", `${name}.safetensors`);
  const small = await openFrame(source, "val");
  const tracers = Math.round(Number(values.evaluate) / (small.rows / small.labels("Model").values.length));
  small.close();
  const val = Math.round(tracers / 4);
  const clean = join(folder, "clean.h5");
  const phys = ["Density", "Radfield", "Av", "gasTemp"];
  await writeTracerFile(clean, source, phys, { train: tracers - val, val });
  say(`${values.evaluate} rows, a quarter of them to validate, ${positionals.join(" ")}`);
  let runs = 0;
  const own = [`autoencoder=${weights("autoencoder")}`, `emulator=${weights("emulator")}`, "threads=1"];
  compare(Number(values.evaluate), 0, (...words) =>
    astrochem(
      ...["evaluate", "dataset=sample", `dataset.dataset_path=${clean}`, `shards_path=${join(folder, "shards")}`],
      ...[...own, `run_dir=${join(folder, `run-${runs++}`)}`, ...positionals, ...words],
    ),
  );
  const bytes = readdirSync(join(folder, "shards")).map((name) => statSync(join(folder, "shards", name)).size);
  say(`the shards take ${(bytes.reduce((sum, size) => sum + size, 0) / 1e6).toFixed(0)} MB`);
}

try {
  await (values.evaluate === undefined ? comparePreprocessing() : compareEvaluation());
} finally {
  rmSync(folder, { recursive: true, force: true });
}
