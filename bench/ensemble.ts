/**
 * What 1, 2, 4, 8 … members bring in error and cost. Trainings of different seeds, as `train-emulator` writes them (or the members of an
 * ensemble: `RUN/checkpoints/members/*.safetensors`), are joined; the validation and test tracers are emulated over their full length.
 * Run: npx tsx bench/ensemble.ts --autoencoder A.safetensors --members 0.safetensors,1.safetensors,… --data clean.h5 [--test clean.h5]
 *   [--counts 1,2,4,8 --rounds 7 --skip errors|times]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { median } from "../src/analysis/prediction-metrics.ts";
import { formatTable } from "../src/commands/tables.ts";
import { Dataset, type DatasetSplit } from "../src/data/dataset.ts";
import { Inference } from "../src/inference/inference.ts";
import { joinMembers } from "../src/models/members.ts";
import { readEmulator, writeEmulator } from "../src/models/weights-file.ts";

const { values } = parseArgs({
  options: {
    autoencoder: { type: "string" },
    members: { type: "string" },
    data: { type: "string" },
    test: { type: "string" },
    counts: { type: "string", default: "1,2,4,8" },
    rounds: { type: "string", default: "7" },
    skip: { type: "string", default: "" },
  },
});
if (!values.autoencoder || !values.members || !values.data)
  throw new Error("--autoencoder, --members and --data are files");
const paths = values.members.split(",");
const counts = values.counts
  .split(",")
  .map(Number)
  .filter((count) => count <= paths.length);
const folder = mkdtempSync(join(tmpdir(), "ensemble-"));
const load = (emulator: string): Promise<Inference> =>
  Inference.load({ autoencoder: values.autoencoder!, emulator, device: "cpu", threads: 1, onWarning: () => {} });

/** An ensemble of the members from `first` on, going round. */
async function ensemble(count: number, first: number): Promise<Inference> {
  const chosen = Array.from({ length: count }, (_, m) => paths[(first + m) % paths.length]!);
  const path = join(folder, `${count}-${first}.safetensors`);
  writeEmulator(path, joinMembers(chosen.map(readEmulator), chosen));
  return load(path);
}

/** Errors of states, dex: mean over all species, and over those above 1e-12; the spread of the members where there are several. */
interface Errors {
  readonly all: number[];
  readonly abundant: number[];
  readonly spread: number[];
}

async function errorsOf(surrogate: Inference, split: DatasetSplit): Promise<Errors> {
  const errors: Errors = { all: [], abundant: [], spread: [] };
  const species = surrogate.species.length;
  const floor = Math.log10(surrogate.abundancesClipping.lower);
  const dex = (x: number): number => Math.max(Math.log10(x), floor);
  for (const { physical, abundances, rows } of split) {
    const parameters = physical.shape[1]!;
    const history = { data: physical.data.subarray(0, (rows - 1) * parameters), shape: [1, rows - 1, parameters] };
    const start = { data: abundances.data.subarray(0, species), shape: [1, species] };
    const isEnsemble = surrogate.members > 1;
    const { data, spread } = await surrogate.emulate(history, start, { conserve: false, spread: isEnsemble });
    for (let t = 0; t < rows - 1; t++) {
      let [all, abundant, count] = [0, 0, 0];
      for (let s = 0; s < species; s++) {
        const truth = dex(abundances.data[(t + 1) * species + s]!);
        const off = Math.abs(dex(data[t * species + s]!) - truth);
        all += off;
        if (truth > -12) [abundant, count] = [abundant + off, count + 1];
      }
      errors.all.push(all / species);
      errors.abundant.push(abundant / count);
      if (spread) errors.spread.push(spread.data[t]!);
    }
  }
  return errors;
}

const mean = (list: readonly number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;

/** Of ranks: whether the states with the larger spread are those with the larger error. */
function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const ranks = (list: readonly number[]): number[] => {
    const out = new Array<number>(list.length);
    for (const [rank, at] of [...list.keys()].sort((i, j) => list[i]! - list[j]!).entries()) out[at] = rank;
    return out;
  };
  const [x, y, middle] = [ranks(a), ranks(b), (a.length - 1) / 2];
  return mean(x.map((rank, i) => (rank - middle) * (y[i]! - middle))) / mean(x.map((rank) => (rank - middle) ** 2));
}

async function showErrors(name: string, split: DatasetSplit): Promise<void> {
  const rows: (string | number)[][] = [];
  for (const count of counts) {
    // As many disjoint ensembles as there are members for.
    const groups: Errors[] = [];
    for (let first = 0; first + count <= paths.length; first += count) {
      const surrogate = await ensemble(count, first);
      groups.push(await errorsOf(surrogate, split));
      await surrogate.dispose();
    }
    const each = groups.map(({ all }) => mean(all));
    const [{ spread }] = groups as [Errors];
    rows.push([
      count,
      mean(each).toFixed(4),
      `${Math.min(...each).toFixed(4)}–${Math.max(...each).toFixed(4)}`,
      mean(groups.map(({ abundant }) => mean(abundant))).toFixed(4),
      spread.length === 0 ? "–" : mean(groups.map((group) => mean(group.spread))).toFixed(4),
      spread.length === 0 ? "–" : mean(groups.map((group) => rankCorrelation(group.spread, group.abundant))).toFixed(2),
    ]);
  }
  const titles = ["members", "error, dex", "of the groups", "above 1e-12", "spread, dex", "rank correlation"];
  show(name, titles, rows);
}

/** Microseconds of a step of one trajectory, in turn. */
async function showTimes(): Promise<void> {
  const all = await Promise.all(counts.map((count) => ensemble(count, 0)));
  for (const [batch, steps] of [
    [1, 256],
    [1024, 32],
  ] as const) {
    const { physicalParameters, species } = all[0]!;
    const physical = new Float32Array(batch * steps * physicalParameters.length).fill(0.5);
    const start = new Float32Array(batch * species.length).fill(0.4);
    const times = all.map((): number[] => []);
    for (let round = 0; round <= Number(values.rounds); round++) {
      for (const [i, surrogate] of all.entries()) {
        const begun = performance.now();
        const shapes = [
          [batch, steps, physicalParameters.length],
          [batch, species.length],
        ] as const;
        await surrogate.emulate(
          { data: physical, shape: shapes[0] },
          { data: start, shape: shapes[1] },
          { scaled: true, conserve: false },
        );
        if (round > 0) times[i]!.push((1000 * (performance.now() - begun)) / (batch * steps));
      }
    }
    const first = times[0]!;
    const rows = counts.map((count, i) => [
      count,
      median(times[i]!).toPrecision(3),
      median(times[i]!.map((time, k) => time / first[k]!)).toFixed(2),
    ]);
    show(`batch ${batch}`, ["members", "µs a step", "ratio"], rows);
  }
  await Promise.all(all.map((surrogate) => surrogate.dispose()));
}

function show(name: string, titles: readonly string[], rows: readonly (string | number)[][]): void {
  const columns = titles.map((title, k) => ({ title, value: (row: readonly (string | number)[]) => row[k]! }));
  process.stdout.write(`${name}\n${formatTable(columns, rows)}\n`);
}

try {
  if (values.skip !== "errors") {
    const surrogate = await load(paths[0]!);
    await showErrors("validation tracers", (await Dataset.open(values.data, surrogate)).val);
    if (values.test) await showErrors("test tracers", (await Dataset.open(values.test, surrogate)).test);
    await surrogate.dispose();
  }
  if (values.skip !== "times") await showTimes();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
