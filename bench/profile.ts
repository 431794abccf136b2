/**
 * Where the time of each training case goes, by ONNX Runtime's own profile: products, turned copies, cuts and joins, element by element, sums, and
 * beside them what this program does (drawing masks, cutting batches). Run: npx tsx bench/profile.ts [--threads 2 --only "239 64"]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CompiledEngine } from "../src/backend/compiled-engine.ts";
import { loadOnnxRuntime, type OnnxRuntime } from "../src/backend/onnx-runtime.ts";
import { formatTable } from "../src/commands/tables.ts";
import { type BenchCase, cases, flopsOf, prepare } from "./cases.ts";

const { values } = parseArgs({ options: { threads: { type: "string", default: "2" }, only: { type: "string" } } });
const runs = 3;
const kinds = {
  products: ["Gemm", "FusedGemm", "MatMul", "FusedMatMul"],
  turned: ["Transpose"],
  "cut, joined": ["Split", "Concat", "Slice", "Gather", "Pad", "Expand", "Identity"],
  sums: ["ReduceSum", "ReduceMean", "ReduceMax", "ArgMax", "Softmax"],
} as const;
const kindOf = (op: string): string =>
  Object.entries(kinds).find(([, ops]) => (ops as readonly string[]).includes(op))?.[0] ?? "each element";

interface Profiled {
  readonly label: string;
  readonly wall: number;
  readonly gflops: number;
  /** Milliseconds of a step by kind of node, and by operation. */
  readonly kinds: ReadonlyMap<string, number>;
  readonly ops: ReadonlyMap<string, number>;
}

async function profiled(bench: BenchCase, runtime: OnnxRuntime): Promise<Profiled> {
  const folder = mkdtempSync(join(tmpdir(), "profile-"));
  const sessions: { endProfiling(): void }[] = [];
  const create = async (bytes: Uint8Array, options: object) => {
    const profiling = { enableProfiling: true, profileFilePrefix: join(folder, `${sessions.length}`) };
    const session = await runtime.InferenceSession.create(bytes, { ...options, ...profiling });
    sessions.push(session);
    return session;
  };
  const watched = { Tensor: runtime.Tensor, InferenceSession: { create } } as unknown as OnnxRuntime;
  const refuse = (message: string): never => {
    throw new Error(message);
  };
  const engine = new CompiledEngine(watched, {
    threads: Number(values.threads),
    fallback: () => refuse("a step cannot be compiled"),
    note: refuse,
  });
  const { run, dispose } = prepare(bench, engine);
  await run();
  const started = performance.now();
  for (let k = 0; k < runs; k++) await run();
  const wall = (performance.now() - started) / runs;
  for (const session of sessions) session.endProfiling();
  const [byKind, ops] = [new Map<string, number>(), new Map<string, number>()];
  for (const file of readdirSync(folder)) {
    for (const { cat, args, dur } of JSON.parse(readFileSync(join(folder, file), "utf8"))) {
      if (cat !== "Node" || !args?.op_name) continue;
      // Of the first step, too: all take much the same.
      const time = dur / 1000 / (runs + 1);
      byKind.set(kindOf(args.op_name), (byKind.get(kindOf(args.op_name)) ?? 0) + time);
      ops.set(args.op_name, (ops.get(args.op_name) ?? 0) + time);
    }
  }
  dispose();
  rmSync(folder, { recursive: true });
  const label = `${bench.name} ${bench.steps} ${bench.batch}`;
  return { label, wall, gflops: (await flopsOf(bench)) / 1e6 / byKind.get("products")!, kinds: byKind, ops };
}

const loaded = await loadOnnxRuntime();
if (loaded instanceof Error) throw loaded;
const rows: Profiled[] = [];
for (const bench of cases.filter(({ name }) => name.startsWith("train"))) {
  if (values.only && !`${bench.name} ${bench.steps} ${bench.batch}`.includes(values.only)) continue;
  const made = await profiled(bench, loaded);
  rows.push(made);
  const ops = [...made.ops].sort((a, b) => b[1] - a[1]).slice(0, 14);
  process.stderr.write(`${made.label}: ${ops.map(([op, time]) => `${op} ${time.toFixed(1)}`).join(", ")}\n`);
}
const share = (row: Profiled, kind: string): string => `${Math.round((100 * (row.kinds.get(kind) ?? 0)) / row.wall)} %`;
const nodes = (row: Profiled): number => [...row.kinds.values()].reduce((sum, time) => sum + time, 0);
process.stdout.write(
  `${formatTable(
    [
      { title: "case", value: (row: Profiled) => row.label },
      { title: "ms", value: (row) => row.wall },
      ...[...Object.keys(kinds), "each element"].map((kind) => ({
        title: kind,
        value: (row: Profiled) => share(row, kind),
      })),
      { title: "beside", value: (row) => `${Math.round(100 * (1 - nodes(row) / row.wall))} %` },
      { title: "products, GFLOP/s", value: (row) => row.gflops },
    ],
    rows,
  )}\n`,
);
process.exit(0);
