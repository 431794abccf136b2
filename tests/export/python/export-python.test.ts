import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { exportPython } from "../../../src/export/python/export-python.ts";
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
async function exported(label: string, model_name: string, model: object): Promise<string> {
  const { place, paths } = writtenModels(join(folder, label), model_name, model, label === "identity");
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

  it("of abundances without an encoder has the numbers of Inference", async () => {
    const model = { input_dim: parameters + species.length, output_dim: species.length, hidden_dim: 7 };
    expect(run(await exported("identity", "emulator", model), "surrogate.py")).toMatch(/^ok: the largest deviation/);
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
try:
    s.encode(np.zeros((2, 3)))
except ValueError as error:
    print(error)
`;
    expect(run(place, "-c", script)).toBe(`abundances has shape [2, 3], not [n, ${species.length}]\n`);
  });

  it("is called as docs/export.md shows", async () => {
    const place = await exported("shown", "emulator", variants[0]!.model);
    const [, text] = /```python\n([\s\S]*?)```/.exec(readFileSync("docs/export.md", "utf8"))!;
    const arrays = `
import numpy as np
abundances = np.full((5, ${species.length}), 1e-10)
physical = np.full((5, 3, ${parameters}), (1e4, 100.0, 1.0))
`;
    run(place, "-c", `${arrays}${text}\nassert correction.shape == (5,)`);
  });

  it("is found to deviate where a weight is another", async () => {
    const place = await exported("damaged", "emulator", variants[0]!.model);
    const text = readFileSync(join(place, "surrogate.py"), "utf8");
    writeFileSync(join(place, "surrogate.py"), text.replace(/(?<=b64decode\(b"""\n).{4}/, "AACA"));
    expect(() => run(place, "surrogate.py")).toThrow();
  });
});
