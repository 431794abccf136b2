import { execFileSync, spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chooseEngine } from "../../../src/backend/choose-engine.ts";
import type { Engine } from "../../../src/backend/engine.ts";
import { installedKernels, installKernels, kernelsFolder } from "../../../src/backend/kernels/install.ts";
import { main } from "../../../src/commands/main.ts";
import { RandomStream } from "../../../src/data/random.ts";
import { initialEvolver } from "../../../src/models/evolver.ts";
import { evolverOf } from "../../../src/models/evolvers.ts";
import { ConservingDecoder, Decoder, Encoder, Roller } from "../../../src/models/runners.ts";
import type { AutoencoderWeights, EmulatorWeights } from "../../../src/models/weights-file.ts";
import { testContext } from "../../commands/buffers.ts";
import { latent, parameters, variants } from "../../helpers/evolver-variants.ts";
import { testFolder } from "../../helpers/folder.ts";
import { initialAutoencoder } from "../../helpers/models.ts";
import { hasProgram } from "../../helpers/programs.ts";
import { expectClose } from "../../helpers/tensors.ts";

const folder = testFolder();
const newCache = (): string => mkdtempSync(join(folder, "cache-"));
const hasCompiler = hasProgram("cc");
const tools = (env: Record<string, string> = {}) => ({
  env: { ...process.env, CC: "cc", ...env },
  signal: AbortSignal.timeout(120_000),
  say: () => {},
});
const random = new RandomStream(5);
const uniform = (size: number): Float32Array => {
  const data = new Float32Array(size);
  random.fillUniform(data, 0, 1);
  return data;
};
/** A compiler that says its version, and then does what the script says; `$out` is the file that is asked for. */
function fakeCompiler(name: string, script: string): string {
  const path = join(folder, name);
  const out = 'while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; shift; done';
  writeFileSync(path, `#!/bin/sh\n[ "$1" = --version ] && echo ${name} 1.0 && exit 0\n${out}\n${script}\n`, {
    mode: 0o755,
  });
  return path;
}
/** All files of an installation but for the sources. */
const made = (cache: string): string[] => readdirSync(kernelsFolder(cache)).filter((name) => !name.endsWith(".c"));

const before = process.env.ASTROCHEM_CACHE;
afterAll(() => {
  if (before === undefined) delete process.env.ASTROCHEM_CACHE;
  else process.env.ASTROCHEM_CACHE = before;
});

const shape = { input_dim: 21, hidden_dims: [18, 6], latent_dim: 3 } as const;
const autoencoder = {
  model_name: "autoencoder",
  model: shape,
  abundances_clipping: { lower: 1e-20, upper: 1 },
  abundance_range: { lower: new Array(21).fill(-18), upper: new Array(21).fill(-1) },
  ...initialAutoencoder(shape, random),
} as unknown as AutoencoderWeights;

describe.skipIf(!hasCompiler)("compiled kernels (skipped without cc)", () => {
  const cache = newCache();
  let [kernels, reference] = [null as unknown as Engine, null as unknown as Engine];
  const warnings: string[] = [];
  beforeAll(async () => {
    await installKernels(cache, tools());
    process.env.ASTROCHEM_CACHE = cache;
    const chosen = await chooseEngine({ engine: "native-c", threads: 2 }, (message) => warnings.push(message));
    expect(chosen.choice).toMatchObject({ device: "cpu", engine: "native-c", threads: 2 });
    kernels = chosen.engine;
    reference = (await chooseEngine({ engine: "compiled" })).engine;
  }, 120_000);

  it.each(variants)(
    "roll $label out as the compiled engine does",
    { timeout: 120_000 },
    async ({ model_name, model }) => {
      const evolver = evolverOf({ model_name, model });
      const weights = {
        model_name,
        model: evolver.shape,
        trainable: initialEvolver(evolver, new RandomStream(3), 0.3),
        scaled_latent_range: { lower: new Array(latent).fill(0), upper: new Array(latent).fill(1) },
      } as unknown as EmulatorWeights;
      const [mine, theirs] = [new Roller(kernels, weights), new Roller(reference, weights)];
      const steps = 5;
      for (const batch of [1, 3, 11, 75]) {
        const [physical, start] = [uniform(batch * steps * parameters), uniform(batch * latent)];
        const expected = await theirs.rollout(physical, start, batch, steps);
        expectClose(await mine.rollout(physical, start, batch, steps), expected, { absolute: 1e-5 });
      }
      await Promise.all([mine.dispose(), theirs.dispose()]);
      expect(warnings).toEqual([]);
    },
  );

  it("encode and decode any number of rows, by several threads too", async () => {
    const [encoder, decoder] = [new Encoder(kernels, autoencoder), new Decoder(kernels, autoencoder)];
    const [ofTheirs, toTheirs] = [new Encoder(reference, autoencoder), new Decoder(reference, autoencoder)];
    for (const rows of [1, 5, 16, 33, 1000, 70_001]) {
      const x = uniform(rows * 21);
      const z = await encoder.encode(x, rows);
      expectClose(z, await ofTheirs.encode(x, rows), { absolute: 1e-5 });
      const { scaled } = await decoder.decode(z, rows);
      expectClose(scaled, (await toTheirs.decode(z, rows)).scaled, { absolute: 1e-5 });
      const into = new Float32Array(rows * 21);
      const { abundances } = await decoder.decodeLinear(z, rows, into);
      expect(abundances).toBe(into);
      if (rows > 1000) continue;
      expectClose(into.map(Math.log10), (await toTheirs.decodeLinear(z, rows)).abundances.map(Math.log10), {
        absolute: 2e-4,
      });
    }
    // Calls at the same time do not disturb each other, nor does giving up while they run.
    const x = uniform(70_000 * 21);
    const [first, second] = [encoder.encode(x, 70_000), encoder.encode(x.subarray(0, 21), 1)];
    const all = await first;
    expectClose(await second, all.slice(0, 3), { absolute: 1e-6 });
    const last = encoder.encode(x, 70_000);
    await encoder.dispose();
    expect((await last).length).toBe(210_000);
  });

  it.each([1, 3])(
    "decode to given totals as the compiled engine does, near by and far off, %i members",
    async (members) => {
      const species = "H H2 H+ E- C O CO OH H2O N N2 NH3 C+ CO+ HCO+ O2 CN HCN S CS H3+".split(" ");
      const weights = { ...autoencoder, species } as unknown as AutoencoderWeights;
      const [mine, theirs] = [kernels, reference].map((engine) => new ConservingDecoder(engine, weights, members)) as [
        ConservingDecoder,
        ConservingDecoder,
      ];
      const plain = new Decoder(reference, weights, members);
      const { conservation } = mine;
      for (const rows of [1, 3, 16, 17, 75, 1000]) {
        const latents = uniform(rows * 3 * members);
        const { abundances } = await plain.decodeLinear(latents, rows);
        const totals = new Float64Array(rows * conservation.names.length);
        for (let row = 0; row < rows; row++) {
          // From a thousandth to a hundred times what they were; now and then of something that is not there.
          const far = row % 5 === 4 ? 2 : row % 2 === 1 ? 0.3 : 1e-3;
          const state = abundances
            .slice(row * 21, (row + 1) * 21)
            .map((x) => x * 10 ** (far * (2 * random.uniform() - 1)));
          const wanted = conservation.totals(state);
          if (row % 7 === 6) wanted[0] = 0;
          totals.set(wanted, row * wanted.length);
        }
        const [made, expected] = [await mine.decode(latents, totals, rows), await theirs.decode(latents, totals, rows)];
        expect(made.unmet).toEqual(expected.unmet);
        expectClose(made.abundances.map(Math.log10), expected.abundances.map(Math.log10), { absolute: 1e-4 });
        expectClose(made.correction, expected.correction, { absolute: 1e-4 });
        if (members > 1) expectClose(made.spread!, expected.spread!, { absolute: 1e-4 });
      }
      await Promise.all([mine.dispose(), theirs.dispose(), plain.dispose()]);
      expect(warnings).toEqual([]);
    },
  );

  it("are taken by themselves for inference, not for training, and compiled once for a shape", async () => {
    expect((await chooseEngine({}, () => {}, { isInference: true })).choice.engine).toBe("native-c");
    expect((await chooseEngine({})).choice.engine).toBe("compiled");
    expect((await chooseEngine({ engine: "compiled" }, () => {}, { isInference: true })).choice.engine).toBe(
      "compiled",
    );
    await expect(chooseEngine({ engine: "native-c", device: "wasm" })).rejects.toThrow(
      "compiled kernels run on the CPU",
    );
    const count = made(cache).length;
    const others = { ...autoencoder, ...initialAutoencoder(shape, random) } as unknown as AutoencoderWeights;
    const { engine } = await chooseEngine({ engine: "native-c" });
    const encoder = new Encoder(engine, others);
    const x = uniform(21 * 4);
    expectClose(await encoder.encode(x, 4), await new Encoder(reference, others).encode(x, 4), { absolute: 1e-5 });
    expect(made(cache)).toHaveLength(count);
  });

  it("fall back to the compiled engine, with one line, where the compiler fails", async () => {
    const own = newCache();
    const CC = join(folder, "breaking");
    writeFileSync(CC, '#!/bin/sh\n[ -e "$0.now" ] && echo "fatal error: no" >&2 && exit 1\nexec cc "$@"\n', {
      mode: 0o755,
    });
    await installKernels(own, tools({ CC }));
    writeFileSync(`${CC}.now`, "");
    process.env.ASTROCHEM_CACHE = own;
    const said: string[] = [];
    const { engine } = await chooseEngine({ engine: "native-c" }, (message) => said.push(message));
    process.env.ASTROCHEM_CACHE = cache;
    const encoder = new Encoder(engine, autoencoder);
    const x = uniform(21 * 4);
    const expected = await new Encoder(reference, autoencoder).encode(x, 4);
    expect(await encoder.encode(x, 4)).toEqual(expected);
    expect(await encoder.encode(x, 4)).toEqual(expected);
    expect(said).toEqual([expect.stringMatching(/^warning: encode runs without a compiled kernel: .*fatal error: no/)]);
    expect(made(own).filter((name) => name.startsWith("kernel"))).toHaveLength(1);
  });

  it("are compiled by whatever CC holds: a command with arguments, a file with blanks in its path", async () => {
    const own = newCache();
    const real = execFileSync("sh", ["-c", "command -v cc"], { encoding: "utf8" }).trim();
    const blanks = join(folder, "my tools");
    mkdirSync(blanks);
    symlinkSync(real, join(blanks, "cc"));
    const plain = await installKernels(own, tools());
    const argued = await installKernels(own, tools({ CC: " cc  -DNOTHING " }));
    expect(argued.compiler).toEqual({ ...plain.compiler, command: "cc -DNOTHING" });
    // Arguments make other code, another path to the same compiler does not.
    expect(argued.addon).not.toBe(plain.addon);
    const path = relative(process.cwd(), join(blanks, "cc"));
    const { compiler, addon } = await installKernels(own, tools({ CC: path }));
    expect(addon).toBe(plain.addon);
    expect(compiler.command).toBe(join(blanks, "cc"));
    expect(installedKernels(own)).toMatchObject({ addon, compiler });
  });

  it("are one where two compile the same at a time, and a damaged one is compiled again", async () => {
    const own = newCache();
    await installKernels(own, tools());
    const x = uniform(21 * 4);
    const expected = await new Encoder(reference, autoencoder).encode(x, 4);
    const encodeIn = async (cacheOf: string, said: string[] = []) => {
      process.env.ASTROCHEM_CACHE = cacheOf;
      const { engine } = await chooseEngine({ engine: "native-c" }, (message) => said.push(message));
      process.env.ASTROCHEM_CACHE = cache;
      expectClose(await new Encoder(engine, autoencoder).encode(x, 4), expected, { absolute: 1e-5 });
      return said;
    };
    const kernelsOf = () => made(own).filter((name) => name.startsWith("kernel"));
    const [check] = kernelsOf();
    expect(await Promise.all([encodeIn(own), encodeIn(own)])).toEqual([[], []]);
    expect(kernelsOf()).toHaveLength(2);
    // A process loads a path once: the damaged one needs another.
    const other = newCache();
    cpSync(own, other, { recursive: true });
    const kernel = join(kernelsFolder(other), kernelsOf().find((name) => name !== check)!);
    writeFileSync(kernel, "half");
    expect(await encodeIn(other)).toEqual([]);
    expect(readFileSync(kernel).length).toBeGreaterThan(1000);
  });

  it("are done without, with one line, in a cache that nothing can be written to", async () => {
    const own = newCache();
    await installKernels(own, tools());
    process.env.ASTROCHEM_CACHE = own;
    const said: string[] = [];
    const { engine } = await chooseEngine({ engine: "native-c" }, (message) => said.push(message));
    process.env.ASTROCHEM_CACHE = cache;
    // Permissions bind no superuser: a file in the folder's place does.
    renameSync(kernelsFolder(own), `${kernelsFolder(own)}.away`);
    writeFileSync(kernelsFolder(own), "");
    const encoder = new Encoder(engine, autoencoder);
    const x = uniform(21 * 4);
    const expected = await new Encoder(reference, autoencoder).encode(x, 4);
    expect(await encoder.encode(x, 4)).toEqual(expected);
    expect(await encoder.encode(x, 4)).toEqual(expected);
    expect(said).toEqual([
      expect.stringMatching(/^warning: encode runs without a compiled kernel: cannot write .*\.c: /),
    ]);
  });

  it("run in several threads of JavaScript, and again once all those have ended", async () => {
    const own = newCache();
    const { addon } = await installKernels(own, tools());
    const kernel = join(kernelsFolder(own), made(own).find((name) => name.startsWith("kernel"))!);
    // Each runs calls that wait and calls that do not, with more threads than there are; the main thread never loads the addon.
    const program = `const { Worker } = require("node:worker_threads");
const [addon, path] = process.argv.slice(1);
const inWorker = async () => {
  const { load, run } = require(addon);
  const kernel = load(path, Float32Array.of(2, 1));
  const x = Float32Array.from({ length: 99 }, (_, k) => k);
  const calls = Array.from({ length: 40 }, async (_, k) => {
    const y = new Float32Array(99);
    await run(kernel, [x, y], 1, 99, 10, 5, k % 2 === 0);
    return y.every((value, j) => value === 2 * j + 11);
  });
  if (!(await Promise.all(calls)).every(Boolean)) throw new Error("wrong");
};
const text = "const [addon, path] = process.argv.slice(2); (" + inWorker.toString() + ")()";
const life = () => new Promise((done, fail) =>
  new Worker(text, { eval: true, argv: [addon, path] }).once("error", fail).once("exit", done));
(async () => {
  for (let round = 0; round < 5; round++) await Promise.all([1, 2, 3].map(life));
  console.log("done");
})();`;
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", program, addon, kernel], {
      encoding: "utf8",
      timeout: 60_000,
    });
    expect({ stdout, stderr }).toEqual({ stdout: "done\n", stderr: "" });
  });

  it("get the addon of this version where an earlier one installed its own", async () => {
    const own = newCache();
    const { addon } = await installKernels(own, tools());
    const marker = join(kernelsFolder(own), "installed.json");
    const old = `addon-${"0".repeat(32)}.node`;
    writeFileSync(join(kernelsFolder(own), old), "of another version");
    rmSync(addon);
    writeFileSync(marker, JSON.stringify({ ...JSON.parse(readFileSync(marker, "utf8")), addon: old }));
    process.env.ASTROCHEM_CACHE = own;
    const { choice } = await chooseEngine({ engine: "native-c" });
    process.env.ASTROCHEM_CACHE = cache;
    expect(choice.engine).toBe("native-c");
    expect(existsSync(addon)).toBe(true);
    expect(installedKernels(own)).not.toMatchObject({ addon });
    await installKernels(own, tools());
    expect(installedKernels(own)).toMatchObject({ addon });
  });

  it("are installed by two at once", async () => {
    const own = newCache();
    const [first, second] = await Promise.all([installKernels(own, tools()), installKernels(own, tools())]);
    expect(second).toMatchObject({ addon: first.addon, compiler: first.compiler });
    expect(made(own).sort()).toEqual([
      expect.stringMatching(/^addon-[0-9a-f]{32}\.node$/),
      "installed.json",
      expect.stringMatching(/^kernel-[0-9a-f]{32}\.so$/),
    ]);
  });

  it("are not there after an installation that was killed half way, and the next one succeeds", async () => {
    const own = newCache();
    const CC = fakeCompiler("hanging", 'echo half > "$out"; touch "$(dirname "$0")/reached"; exec sleep 60');
    const words = ["dist/cli.js", "backend", "install", "kernels", "--prefix", own];
    const child = spawn(process.execPath, words, { env: { ...process.env, CC }, stdio: "ignore" });
    await expect.poll(() => existsSync(join(folder, "reached")), { timeout: 30_000 }).toBe(true);
    child.kill("SIGKILL");
    await new Promise((done) => child.once("close", done));
    expect(installedKernels(own)).toMatchObject({ why: "no compiled kernels are installed" });
    expect(made(own).filter((name) => /^(addon|kernel)-[0-9a-f]{32}\.(node|so)$/.test(name))).toEqual([]);
    await installKernels(own, tools());
    expect(installedKernels(own)).toHaveProperty("addon");
  });

  it("are listed, installed and removed by the command", async () => {
    const run = async (...words: string[]) => {
      const context = testContext({ cwd: folder, env: { HOME: folder, PATH: process.env.PATH! } });
      const code = await main(["backend", ...words], context);
      return { code, stdout: context.stdout.text, stderr: context.stderr.text };
    };
    expect((await run("install", "kernels", "--prefix", "own")).stdout).toMatch(
      /^the addon works .*\n.*\nruns find it with/,
    );
    expect((await run("install", "kernels", "--prefix", "own")).stdout).toMatch(/^it is there and fits/);
    expect((await run("list", "--prefix", "own")).stdout).toMatch(/native-c +yes +engine=native-c/);
    expect((await run("remove", "kernels", "--prefix", "own")).stdout).toMatch(/^removed .*kernels\n$/);
    expect((await run("remove", "kernels", "--prefix", "own")).stdout).toMatch(/^nothing is installed/);
  });
});

describe("without a compiler", () => {
  it("an installation says so, and engine=native-c is refused with the remedy", async () => {
    const own = newCache();
    await expect(installKernels(own, tools({ CC: join(folder, "nothing") }))).rejects.toThrow(
      /no C compiler was found/,
    );
    const CC = fakeCompiler("empty", "exit 0");
    await expect(installKernels(own, tools({ CC }))).rejects.toThrow();
    const breaking = fakeCompiler("failing", "echo 'x.c:1: fatal error: no stdlib.h' >&2; exit 1");
    await expect(installKernels(own, tools({ CC: breaking }))).rejects.toThrow(
      /cannot compile the addon: x.c:1: fatal error: no stdlib.h/,
    );
    writeFileSync(join(folder, "file"), "");
    await expect(installKernels(join(folder, "file"), tools())).rejects.toThrow(/the folder cannot be made/);
    expect(installedKernels(own)).toMatchObject({ fix: "astrochem backend install kernels" });
    const kept = process.env.ASTROCHEM_CACHE;
    process.env.ASTROCHEM_CACHE = own;
    await expect(chooseEngine({ engine: "native-c" })).rejects.toThrow(/no compiled kernels are installed/);
    expect((await chooseEngine({}, () => {}, { isInference: true })).choice.engine).not.toBe("native-c");
    process.env.ASTROCHEM_CACHE = kept;
  });
});
