import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { chooseEngine } from "../../src/backend/choose-engine.ts";
import { installKernels } from "../../src/backend/kernels/install.ts";
import { readSpeciesList } from "../../src/chemistry/species.ts";
import { main } from "../../src/commands/main.ts";
import { openFrame } from "../../src/data/frame.ts";
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts";
import { readEmulator } from "../../src/models/weights-file.ts";
import { testFolder } from "../helpers/folder.ts";
import { hasProgram } from "../helpers/programs.ts";
import { type RawRow, writeRawRows } from "../helpers/raw-frame.ts";
import { Buffered, temporaryFolder } from "./buffers.ts";

const species = readSpeciesList(fileURLToPath(new URL("../../utils/species.txt", import.meta.url)));
const [tracers, rowsEach] = [8, 8];
const common = ["recipe=original", "dataset.dataset_path=clean.h5", "model.batch_size=16", "model.max_epochs=1"];
const emulatorWords = ["autoencoder.latent_dim=3", "model.hidden_dim=8", "model.window_size=6"];

async function command(cwd: string, ...args: string[]) {
  const [stdout, stderr] = [new Buffered(), new Buffered()];
  const signal = new AbortController().signal;
  const code = await main(args, { cwd, env: {}, now: () => new Date(), stdout, stderr, signal });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

/** Tracers of smooth made-up chemistry; `richer` by so many times in all but hydrogen. */
function rawRows(count: number, richer = 1): RawRow[] {
  return Array.from({ length: count * rowsEach }, (_, i) => {
    const [tracer, step] = [Math.floor(i / rowsEach), i % rowsEach];
    const abundances = species.map((name, s) => [
      name,
      richer * 10 ** (-5 - (s % 12) - 0.3 * Math.sin(tracer + step / 6 + s)),
    ]);
    const row = {
      Tracer: 3 * tracer + 7,
      Time: 100 * step,
      Density: 1e5 * (1 + tracer + step),
      gasTemp: 20 + tracer + step,
    };
    return { ...row, Av: 1 + step, radfield: 1 + tracer / 10, ...Object.fromEntries(abundances) };
  });
}

const hasCompiler = hasProgram("cc");
const made = testFolder();
const weights = (folder = made): string => join(folder, "weights/grav/emulator.safetensors");
let trained: Awaited<ReturnType<typeof command>>;

beforeAll(async () => {
  await writeRawRows(join(made, "raw.h5"), rawRows(tracers));
  await writeRawRows(join(made, "rich.h5"), rawRows(2, 30));
  await command(made, "preprocess", "input_path=raw.h5", "output_path=clean.h5");
  await command(made, "train-autoencoder", ...common, "model.hidden_dims=[8,4]", "model.latent_dim=3");
  trained = await command(made, "train-emulator", ...common, ...emulatorWords);
});

function folderWith(...names: readonly string[]): string {
  const cwd = temporaryFolder();
  for (const name of names) cpSync(join(made, name), join(cwd, name), { recursive: true });
  return cwd;
}

/** The weights without their calibration. */
function forget(path: string): void {
  const { tensors, metadata } = readSafetensors(path);
  const { trust: _, ...rest } = metadata;
  writeSafetensors(path, new Map([...tensors].filter(([name]) => !name.startsWith("trust."))), rest);
}

async function column(path: string, name: string): Promise<number[]> {
  const frame = await openFrame(path, "emulated");
  const values = new Float32Array(frame.rows);
  frame.read(0, frame.rows, [name], values);
  frame.close();
  return [...values];
}

describe("calibrate", () => {
  it("is done at the end of a training, in the weights and in the run's", () => {
    expect([trained.code, trained.stderr]).toEqual([0, expect.stringContaining("calibrated on 2 validation tracers")]);
    const { trust } = readEmulator(weights());
    expect(trust).toMatchObject({ level: 0.9, tracers: 2, rows: 14, steps: 7 });
    expect(trust!.sample.length).toBe(6 * 7 * 7); // 6 training tracers of 7 steps, 4 conditions and 3 latents
    expect(trust!.reference.distance).toBeGreaterThan(0);
  });

  it("finds the same bits again, in weights that had none", async () => {
    const cwd = folderWith("clean.h5", "weights");
    forget(weights(cwd));
    expect(readEmulator(weights(cwd)).trust).toBeUndefined();
    const { code, stdout } = await command(cwd, "calibrate", "clean.h5");
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^calibrated on 2 .*\nweights\/grav\/emulator.safetensors\n$/),
    ]);
    expect(readFileSync(weights(cwd)).equals(readFileSync(weights()))).toBe(true);
  });

  it.skipIf(!hasCompiler)("finds the same bits where compiled kernels are installed (skipped without cc)", async () => {
    const cwd = folderWith("clean.h5", "weights");
    forget(weights(cwd));
    const before = process.env.ASTROCHEM_CACHE;
    process.env.ASTROCHEM_CACHE = join(cwd, "cache");
    try {
      await installKernels(join(cwd, "cache"), {
        env: process.env,
        signal: AbortSignal.timeout(60_000),
        say: () => {},
      });
      expect((await chooseEngine({}, () => {}, { isInference: true })).choice.engine).toBe("native-c");
      expect((await command(cwd, "calibrate", "clean.h5")).code).toBe(0);
      expect(readFileSync(weights(cwd)).equals(readFileSync(weights()))).toBe(true);
    } finally {
      if (before === undefined) delete process.env.ASTROCHEM_CACHE;
      else process.env.ASTROCHEM_CACHE = before;
    }
  });

  it("counts the spread of an ensemble's members", async () => {
    const cwd = folderWith("clean.h5", "weights");
    const { code } = await command(cwd, "train-emulator", ...common, ...emulatorWords, "members=2");
    const { members, trust } = readEmulator(weights(cwd));
    expect([code, members?.length]).toEqual([0, 2]);
    expect(trust!.reference.spread).toBeGreaterThan(0);
    // Of the two members' first steps, which are the same, one is enough.
    expect(trust!.sample.length).toBe((2 * 6 * 7 - 6) * 7);
  });

  it("can be left out of a training", async () => {
    const cwd = folderWith("clean.h5", "weights");
    const { code } = await command(cwd, "train-emulator", ...common, ...emulatorWords, "calibrate=false");
    expect([code, readEmulator(weights(cwd)).trust]).toEqual([0, undefined]);
  });

  it("names a damaged array", async () => {
    const cwd = folderWith("clean.h5", "weights");
    const { tensors, metadata } = readSafetensors(weights(cwd));
    tensors.delete("trust.sample");
    writeSafetensors(weights(cwd), tensors, metadata);
    const { code, stderr } = await command(cwd, "emulate", "clean.h5");
    expect(code).toBe(4);
    expect(stderr).toMatch(/damaged calibration: the array trust\.sample is absent[\s\S]*astrochem calibrate/);
  });
});

describe("emulate", () => {
  it("writes what error to expect of every row and why; rows that were given have none", async () => {
    const cwd = folderWith("clean.h5", "weights");
    const { code, stdout } = await command(cwd, "emulate", "clean.h5", "--fallback", "1e-9", "--output", "out.h5");
    expect([code, stdout]).toEqual([
      0,
      expect.stringContaining("for the solver: 14 states of 14 (100.0 %) in 2 tracers"),
    ]);
    const errors = await column(join(cwd, "out.h5"), "expected_error_dex");
    expect([errors[0], errors[8]]).toEqual([0, 0]);
    for (let row = 1; row < 8; row++) expect(errors[row]!).toBeGreaterThanOrEqual(row === 1 ? 1e-5 : errors[row - 1]!);
    expect(await column(join(cwd, "out.h5"), "solver")).toEqual([0, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1]);
  });

  it("expects more of starts with other elements, and says that it is the start", async () => {
    const cwd = folderWith("rich.h5", "weights");
    await command(cwd, "emulate", "rich.h5", "--output", "out.h5");
    const [flags, errors] = [
      await column(join(cwd, "out.h5"), "trust_flags"),
      await column(join(cwd, "out.h5"), "expected_error_dex"),
    ];
    expect(flags[1]! & 4).toBe(4);
    expect(errors[1]).toBeGreaterThan(2); // twice log10 30, less what validation tracers show
  });

  it("says in a line that weights are not calibrated, and refuses a fallback", async () => {
    const cwd = folderWith("clean.h5", "weights");
    forget(weights(cwd));
    const plain = await command(cwd, "emulate", "clean.h5");
    expect([plain.code, plain.stderr]).toEqual([0, expect.stringContaining("astrochem calibrate")]);
    const refused = await command(cwd, "emulate", "clean.h5", "--fallback", "0.3");
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining("these weights hold no calibration")]);
    const wrong = await command(cwd, "emulate", "clean.h5", "--fallback", "-1");
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("--fallback -1 is no error in dex")]);
  });
});

describe("evaluate", () => {
  it("holds the expected errors of a raw file against the true ones", async () => {
    const cwd = folderWith("clean.h5", "rich.h5", "weights");
    const words = ["dataset.dataset_path=clean.h5", "split=test", "test_path=rich.h5", "run_dir=run"];
    const { code, stdout } = await command(cwd, "evaluate", ...words);
    expect([code, stdout]).toEqual([0, expect.stringContaining("of the states are off by no more than expected")]);
    const { reliability } = JSON.parse(readFileSync(join(cwd, "run/metrics.json"), "utf8"));
    expect(reliability).toMatchObject({ level: 0.9, states: 14, flags: { start: 1 } });
    expect(readFileSync(join(cwd, "run/report.html"), "utf8")).toContain("How far to believe it");
  });
});

it.each(["c", "python"])(
  "export %s says of weights that are not calibrated that it tells no expected errors",
  async (format) => {
    const cwd = folderWith("weights");
    const line = "the weights are not calibrated: no expected errors (astrochem calibrate, and export again)";
    const calibrated = await command(cwd, "export", format);
    forget(weights(cwd));
    const not = await command(cwd, "export", format, "--overwrite");
    expect([calibrated.code, calibrated.stderr.includes("calibrated")]).toEqual([0, false]);
    expect([not.code, not.stderr]).toEqual([0, expect.stringContaining(line)]);
  },
);
