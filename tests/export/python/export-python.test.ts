import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { exportPython } from "../../../src/export/python/export-python.ts";
import { Inference } from "../../../src/inference/inference.ts";
import { parameters, variants } from "../../helpers/evolver-variants.ts";
import { species, writtenModels } from "../../helpers/exported-models.ts";
import { testFolder } from "../../helpers/folder.ts";
import { useWasm } from "../../helpers/tensors.ts";

const folder = testFolder();
const python = [process.env.PYTHON ?? "python3", "/usr/bin/python3"].find((program) => {
  try {
    execFileSync(program, ["-c", "import numpy"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

/** @returns the folder of `surrogate.py` */
async function exported(
  label: string,
  model_name: string,
  model: object,
  calibrated = false,
  members = 1,
): Promise<string> {
  const at = join(folder, label);
  const { place, paths } = writtenModels(at, model_name, model, label === "identity", calibrated, members);
  await exportPython({ cwd: place, name: "surrogate", output: "python", ...paths }, () => {});
  return join(place, "python");
}

/** Warnings of numpy are errors. */
const run = (place: string, ...args: string[]): string =>
  execFileSync(python!, ["-W", "error", ...args], { cwd: place, encoding: "utf8", stdio: "pipe" });

beforeAll(useWasm);

describe.skipIf(!python)("the Python source (skipped without python3 and numpy)", () => {
  it.each(variants)("of $label has the numbers of Inference", async ({ label, model_name, model }) => {
    expect(run(await exported(label, model_name, model), "surrogate.py")).toMatch(/^ok: the largest deviation/);
  });

  it.each(["emulator", "latent_rnn"])(
    "of calibrated weights has the expected errors of Inference: %s",
    async (label) => {
      const { model_name, model } = variants.find((each) => each.label === label)!;
      const place = await exported(`calibrated-${label}`, model_name, model, true);
      const said = run(place, "surrogate.py");
      expect(said).toMatch(/^ok: the largest deviation is .* in scaled units/);
      expect(said).toMatch(/expected errors: the largest deviation is \S+ of them/);
      const script = `
import numpy as np
import surrogate as s
assert s.TRUST_LEVEL == 0.9
start = 1e-10 * np.array([0.5, 1, 1, 1, 0.5, 2.5]) * np.linspace(1, 3, 1100)[:, None]
physical = np.full((1100, 3, 3), (1e4, 100.0, 1.0))
evolved, expected, flags = s.emulate(physical, start, return_expected_error=True, return_flags=True)
assert expected.shape == (1100, 3) and (np.diff(expected) >= 0).all() and len(np.unique(expected)) > 100
assert ((flags & s.TRUST_START) != 0).any() and not (flags[0] & s.TRUST_START)
assert ((flags & s.TRUST_LENGTH) != 0).all()
apart = [s.emulate(physical[i : i + 1], start[i : i + 1], return_expected_error=True)[1] for i in (0, 700, 1099)]
assert np.allclose(np.concatenate(apart), expected[[0, 700, 1099]], rtol=1e-5, atol=0)
decoded = s.emulate(physical, start, conserve=False, return_expected_error=True)[1]
assert (decoded <= expected).all() and (decoded < expected).any()
latents, trust = s.encode(start), s.trust_begin(start)
physical[3, 0, 0] = 1e12
latents[4, 0] = np.nan
before = trust.copy()
after, error, flags = s.trust_step(physical[:, 0], latents, trust, return_flags=True)
assert (trust == before).all() and after.shape == (1100, s.TRUST)
assert flags[3] & s.TRUST_CONDITIONS and error[4] == 20 and flags[4] & s.TRUST_DISTANCE
start[5, 1] = np.nan
assert s.trust_step(physical[:, 0], latents, s.trust_begin(start))[1][5] == 20
_, error, flags = s.trust_correct([0.0, np.inf, 0.3], after[:3], return_flags=True)
assert error[1] == 20 and flags[2] & s.TRUST_CORRECTION and not (flags[0] & s.TRUST_CORRECTION)
`;
      run(place, "-c", script);
      const path = join(place, "surrogate.py");
      const text = readFileSync(path, "utf8");
      // Small errors are known to some 1e-4 dex: distances are differences of large squares.
      writeFileSync(path, text.replace('"intercept": 0.02', '"intercept": 0.0201'));
      run(place, "surrogate.py");
      writeFileSync(path, text.replace('"intercept": 0.02', '"intercept": 0.021'));
      expect(() => run(place, "surrogate.py")).toThrow();
    },
  );

  it.each(["emulator", "latent_rnn"])(
    "of an ensemble has mean, spread and expected errors of Inference: %s",
    async (label) => {
      const { model_name, model } = variants.find((each) => each.label === label)!;
      const place = await exported(`members-${label}`, model_name, model, true, 3);
      const said = run(place, "surrogate.py");
      expect(said).toMatch(/^ok: the largest deviation is .* in scaled units/);
      expect(said).toMatch(/expected errors: the largest deviation is \S+ of them/);
      const [start, physical] = [new Float32Array(4 * species.length), new Float32Array(4 * 3 * parameters)];
      for (const k of start.keys()) start[k] = 1e-10 * (1 + (k % 4));
      for (const k of physical.keys()) physical[k] = [1e4, 100, 1][k % 3]! * (1 + (k % 5));
      const weights = join(folder, `members-${label}`);
      const inference = await Inference.load({
        autoencoder: join(weights, "autoencoder.safetensors"),
        emulator: join(weights, "emulator.safetensors"),
        onWarning: () => {},
      });
      const { data, spread, trust } = await inference.emulate(
        { data: physical, shape: [4, 3, parameters] },
        { data: start, shape: [4, species.length] },
        { spread: true, trust: true },
      );
      await inference.dispose();
      const script = `
import numpy as np
import surrogate as s
start = np.float32(${JSON.stringify([...start])}).reshape(4, -1)
physical = np.float32(${JSON.stringify([...physical])}).reshape(4, 3, -1)
evolved, expected, spread = s.emulate(physical, start, return_spread=True, return_expected_error=True)
assert s.MEMBERS == 3 and s.LATENTS == 6
wanted = np.array(${JSON.stringify([...data])}).reshape(evolved.shape)
assert np.allclose(np.log10(evolved), np.log10(wanted), rtol=0, atol=2e-4)
wanted = np.array(${JSON.stringify([...spread!.data])}).reshape(4, 3)
assert np.allclose(spread, wanted, rtol=0, atol=2e-5) and spread.max() > 0.005
wanted = np.array(${JSON.stringify([...trust!.expectedError])}).reshape(4, 3)
assert np.allclose(expected, wanted, rtol=1e-3, atol=0), (expected, wanted)
# Members step apart.
latents = s.encode(start)
assert (latents[:, :2] == latents[:, 4:]).all()
latents = s.step(physical[:, 0], latents, *([s.start(latents)] if s.CARRY else []))
latents = latents[0] if s.CARRY else latents
assert (latents[:, :2] != latents[:, 4:]).all()
states, told = s.decode(latents, return_spread=True)
assert np.allclose(told, spread[:, 0], rtol=0, atol=1e-6)
trust = s.trust_begin(start)
flags = [s.trust_correct(np.zeros(4), trust, each, return_flags=True)[2] & s.TRUST_SPREAD for each in (None, 0.1 * told, 100 * told)]
assert not flags[0].any() and not flags[1].any() and flags[2].all(), flags
`;
      run(place, "-W", "ignore::surrogate.SurrogateWarning", "-c", script);
    },
  );

  it("of weights that are not calibrated says so, where it is written, checked and asked", async () => {
    const lines: string[] = [];
    const { place, paths } = writtenModels(join(folder, "uncalibrated"), "emulator", variants[0]!.model);
    await exportPython({ cwd: place, name: "surrogate", output: "python", ...paths }, (line) => lines.push(line));
    expect(lines).toEqual([
      "the weights are not calibrated: no expected errors (astrochem calibrate, and export again)",
    ]);
    expect(run(join(place, "python"), "surrogate.py")).toMatch(/^ok.*\nnot calibrated: no expected errors\n$/);
    const script = `
import numpy as np
import surrogate as s
assert s.TRUST_LEVEL is None
start, physical = np.full((2, len(s.SPECIES)), 1e-10), np.full((2, 3, 3), (1e4, 100.0, 1.0))
for call in (
    lambda: s.emulate(physical, start, return_expected_error=True),
    lambda: s.trust_begin(start),
    lambda: s.trust_step(physical[:, 0], s.encode(start), np.zeros((2, s.TRUST))),
    lambda: s.trust_correct([0.0, 0.0], np.zeros((2, s.TRUST))),
):
    try:
        call()
        raise SystemExit("an error is told")
    except s.NotCalibrated as error:
        text = str(error)
print(text)
`;
    expect(run(join(place, "python"), "-c", script)).toContain("astrochem calibrate CLEAN_FILE");
  });

  it("of abundances without an encoder has the numbers of Inference", async () => {
    const model = { input_dim: parameters + species.length, output_dim: species.length, hidden_dim: 7 };
    const place = await exported("identity", "emulator", model, true);
    expect(run(place, "surrogate.py")).toMatch(/^ok: the largest deviation.*\nexpected errors/);
  });

  it("warns of what is doubtful, or tells it as flags, and names what has another shape", async () => {
    const place = await exported("told", "latent_rnn", variants.find(({ label }) => label === "latent_rnn")!.model);
    const script = `
import warnings
import numpy as np
import surrogate as s
start = np.full((5, len(s.SPECIES)), 1e-10)
physical = np.full((5, 3, 3), (1e4, 100.0, 1.0))
evolved = s.emulate(physical, start)
assert evolved.shape == (5, 3, len(s.SPECIES)) and evolved.dtype == np.float32
kept = s.totals(evolved[:, -1])[:, :-1] / s.totals(start)[:, :-1]
assert (abs(kept - 1) < 1e-6).all(), kept
physical[1, 2, 2] = 1e5
start[2, 0] = np.nan
start[3, 0] = 0.0
assert list(s.emulate(physical, start, return_flags=True)[1] & 7) == [0, 1, 4, 2, 0]
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    s.emulate(physical, start)
assert "1 of 5 cells have a condition outside of the trained range" in [str(w.message) for w in told]
assert s.emulate(np.empty((0, 3, 3)), np.empty((0, len(s.SPECIES)))).shape == (0, 3, len(s.SPECIES))
totals = s.totals(np.full((5, len(s.SPECIES)), 1e-10))
totals[1, 0] = np.inf
_, correction, flags = s.conserve(np.full((5, len(s.SPECIES)), 2e-10), totals, return_flags=True)
assert flags[1] == s.NOT_CONSERVED | s.NOT_FINITE and np.isinf(correction[1]) and not flags[0]
assert 0.1 < correction[0] < 1
for wrong in (lambda: s.encode(np.zeros((2, 3))), lambda: s.emulate(physical, start, return_spread=True)):
    try:
        wrong()
    except ValueError as error:
        print(error)
`;
    expect(run(place, "-c", script)).toBe(
      `abundances has shape [2, 3], not [n, ${species.length}]\n` +
        "one emulator has no spread: export an ensemble (astrochem train-emulator members=4)\n",
    );
  });

  it("is called as docs/export.md shows", async () => {
    const place = await exported("shown", "emulator", variants[0]!.model, true);
    const texts = [...readFileSync("docs/export.md", "utf8").matchAll(/```python\n([\s\S]*?)```/g)].map(
      ([, text]) => text,
    );
    expect(texts.length).toBe(2);
    const arrays = `
import numpy as np
abundances = np.full((5, ${species.length}), 1e-10)
physical = np.full((5, 3, ${parameters}), (1e4, 100.0, 1.0))
`;
    run(
      place,
      "-W",
      "ignore::surrogate.SurrogateWarning",
      "-c",
      `${arrays}${texts.join("")}\nassert correction.shape == expected.shape == (5,)`,
    );
  });

  it("is found to deviate where a weight is another", async () => {
    const place = await exported("damaged", "emulator", variants[0]!.model);
    const text = readFileSync(join(place, "surrogate.py"), "utf8");
    writeFileSync(join(place, "surrogate.py"), text.replace(/(?<=b64decode\(b"""\n).{4}/, "AACA"));
    expect(() => run(place, "surrogate.py")).toThrow();
  });
});
