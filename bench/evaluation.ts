/**
 * Measures `evaluate` on a clean file of any size, made from the demo's: seconds and CPU seconds of each stage, and a million rows'
 * worth of them; peak memory. Run (after `npm run demo`): npx tsx bench/evaluation.ts [--rows 300000 --demo outputs/demo --tracers CLEAN]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { evaluateSurrogate } from "../src/analysis/evaluate.ts";
import { TracerReader, tracerPlaces } from "../src/analysis/tracer-blocks.ts";
import { formatTable } from "../src/commands/tables.ts";
import { openCleanData } from "../src/data/clean-data.ts";
import { openFrame } from "../src/data/frame.ts";
import { Inference } from "../src/inference/inference.ts";
import { writeTracerFile } from "./tracer-file.ts";

const { values } = parseArgs({
  options: {
    rows: { type: "string", default: "300000" },
    demo: { type: "string", default: "outputs/demo" },
    tracers: { type: "string" },
  },
});
const demo = resolve(values.demo);
const source = resolve(values.tracers ?? join(demo, "data/sample_collapse_clean.h5"));
const folder = mkdtempSync(join(tmpdir(), "astrochem-bench-"));

interface Stage {
  readonly name: string;
  readonly rows: number;
  readonly seconds: number;
  readonly cpu: number;
}

/** Times what happens between two messages of the log. */
class StageClock {
  readonly stages: { name: string; seconds: number; cpu: number }[] = [];
  #name: string | null = null;
  #started = performance.now();
  #cpu = process.cpuUsage();

  next(name: string | null): void {
    const { user, system } = process.cpuUsage(this.#cpu);
    const seconds = (performance.now() - this.#started) / 1000;
    if (this.#name !== null) this.stages.push({ name: this.#name, seconds, cpu: (user + system) / 1e6 });
    [this.#name, this.#started, this.#cpu] = [name, performance.now(), process.cpuUsage()];
  }
}

try {
  const weights = (name: string): string => join(demo, "weights/sample", `${name}.safetensors`);
  const surrogate = await Inference.load({ autoencoder: weights("autoencoder"), emulator: weights("emulator") });
  const phys = surrogate.physicalParameters.map(({ name }) => name);
  const path = join(folder, "clean.h5");
  const small = await openFrame(source, "val");
  const each = small.rows / small.labels("Model").values.length;
  small.close();
  const tracers = Math.max(4, Math.round(Number(values.rows) / each));
  const val = Math.round(tracers / 4);
  await writeTracerFile(path, source, phys, { train: tracers - val, val });
  const clean = await openCleanData(path, { metadata: ["Model", "Time"], phys, species: surrogate.species });
  const reading = performance.now();
  const columns = { species: surrogate.species, physical: phys, clipping: surrogate.abundancesClipping };
  for (const split of [clean.train, clean.val]) {
    for (const block of new TracerReader(split, columns, split === clean.val).blocks(tracerPlaces(split))) block.rows;
  }
  const seconds_reading = (performance.now() - reading) / 1000;
  const file = { path: "", hash: "" };
  const clock = new StageClock();
  const request = {
    ...{
      surrogate,
      clean,
      physical: phys,
      physicalRanges: {},
      chosen: ["CO"],
      maxTracers: null,
      maxRows: 32_768,
      maxWindows: 4096,
    },
    ...{ seed: 0, files: { autoencoder: file, emulator: file }, version: "bench" },
  };
  await evaluateSurrogate(request, {
    log: (message) => clock.next(message.startsWith("reading") ? "training tracers" : message.split(" ")[0]!),
    signal: new AbortController().signal,
    now: () => new Date(),
  });
  clock.next(null);
  const rowsOf: Record<string, number> = { "training tracers": clean.train.rows };
  const stages: Stage[] = clock.stages.map((stage) => ({ ...stage, rows: rowsOf[stage.name] ?? clean.val.rows }));
  const perMillion = (value: number, { rows }: Stage): number => (value / rows) * 1e6;
  const table = formatTable<Stage>(
    [
      { title: "stage", value: ({ name }) => name },
      { title: "rows", value: ({ rows }) => rows },
      { title: "seconds", value: ({ seconds }) => seconds },
      { title: "CPU seconds", value: ({ cpu }) => cpu },
      { title: "seconds a million rows", value: (stage) => perMillion(stage.seconds, stage) },
      { title: "CPU seconds a million rows", value: (stage) => perMillion(stage.cpu, stage) },
    ],
    stages,
  );
  process.stdout.write(
    `${table}\nreading alone: ${seconds_reading.toFixed(1)} s\npeak memory: ${Math.round(process.resourceUsage().maxRSS / 1024)} MiB\n`,
  );
  clean.close();
  surrogate.dispose();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
