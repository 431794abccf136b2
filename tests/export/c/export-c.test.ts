import { execFileSync } from "node:child_process";
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { cFloat } from "../../../src/backend/c/elementwise.ts";
import { tf } from "../../../src/backend/tf.ts";
import { Conservation } from "../../../src/chemistry/conservation.ts";
import { tableOfNames } from "../../../src/chemistry/element-table.ts";
import { checkName, exportC, filesOfC } from "../../../src/export/c/export-c.ts";
import { partProgram } from "../../../src/export/c/parts.ts";
import { Inference } from "../../../src/inference/inference.ts";
import { parameters, variants } from "../../helpers/evolver-variants.ts";
import { species, writtenModels } from "../../helpers/exported-models.ts";
import { testFolder } from "../../helpers/folder.ts";
import { hasProgram as has } from "../../helpers/programs.ts";
import { useWasm } from "../../helpers/tensors.ts";

const folder = testFolder();
const hasTools = has("cc") && has("make");
const hasFortran = has("gfortran");
async function exported(
  label: string,
  model_name: string,
  model: object,
  name = "surrogate",
  { calibrated = false, members = 1, identity = false } = {},
): Promise<string> {
  const { place, paths } = writtenModels(join(folder, label), model_name, model, identity, calibrated, members);
  await exportC({ cwd: place, name, output: "c", ...paths }, () => {});
  return join(place, "c");
}

const make = (place: string, ...args: string[]): string =>
  execFileSync("make", ["-C", place, ...args], { encoding: "utf8", stdio: "pipe" });

/** A model of abundances without an encoder. */
const alone = {
  model_name: "emulator",
  model: { input_dim: parameters + species.length, output_dim: species.length, hidden_dim: 7 },
};

/** Without optimization for this processor, and with what finds mistakes. */
const strict = [
  "CFLAGS=-O1 -g -Wconversion -pedantic -Werror -fsanitize=address,undefined -fno-sanitize-recover=all",
  "FFLAGS=-O1 -Wall -Wextra -Werror -pedantic -fsanitize=address,undefined",
];

beforeAll(useWasm);

describe.skipIf(!hasTools)("the C source (skipped without cc and make)", () => {
  it.each(variants)("of $label has the numbers of Inference", async ({ label, model_name, model }) => {
    const place = await exported(label, model_name, model);
    make(place, "check_c", ...strict);
    expect(execFileSync(join(place, "check_c"), { encoding: "utf8" })).toMatch(/^ok: the largest deviation/);
  });

  it("of abundances without an encoder has the numbers of Inference", async () => {
    const place = await exported("identity", alone.model_name, alone.model, "surrogate", { identity: true });
    make(place, "check_c", ...strict);
    expect(execFileSync(join(place, "check_c"), { encoding: "utf8" })).toMatch(/^ok: the largest deviation/);
  });

  it.each([
    ["emulator", 1],
    ["latent_rnn", 1],
    ["emulator", 3],
    ["latent_rnn", 2],
    // Its starts leave some species to differences of totals.
    ["identity", 1],
  ])(
    "of calibrated weights has the expected errors and flags of Inference: %s, members: %i",
    async (label, members) => {
      const identity = label === "identity";
      const { model_name, model } = identity ? alone : variants.find((each) => each.label === label)!;
      const place = await exported(`calibrated-${label}-${members}`, model_name, model, "gas", {
        calibrated: true,
        members,
        identity,
      });
      const args = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", "-O1"];
      const sanitized = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];
      for (const compiler of ["cc", "clang"].filter((program) => has(program))) {
        execFileSync(compiler, [...args, ...sanitized, "check.c", "gas.c", "-lm", "-o", "checked"], {
          cwd: place,
          stdio: "pipe",
        });
        const said = execFileSync("./checked", { cwd: place, encoding: "utf8" });
        expect(said).toMatch(/expected errors: the largest deviation/);
      }
      const check = readFileSync(join(place, "check.c"), "utf8");
      // Not all are the most that an error can be, and not all are flagged.
      const [, errors] = /expected_errors\[\] = \{([^}]*)/.exec(check)!;
      expect(new Set(errors!.split(",").map((each) => each.trim())).size).toBeGreaterThan(4);
      const [, why] = /why\[\] = \{([^}]*)/.exec(check)!;
      expect(why!.split(", ").some((each) => (Number.parseInt(each, 10) & 512) === 0)).toBe(true);
      expect(new Set(why!.split(", ")).size).toBeGreaterThan(1);
      // The spread of members is among the reasons.
      expect(why!.split(", ").some((each) => (Number.parseInt(each, 10) & 4096) !== 0)).toBe(members > 1);
    },
  );

  it.skipIf(!has("valgrind"))("reads nothing that was not written (skipped without valgrind)", async () => {
    for (const [label, calibrated, members] of [
      ["latent_rnn", false, 1],
      ["emulator", true, 2],
    ] as const) {
      const { model_name, model } = variants.find((each) => each.label === label)!;
      const place = await exported(`read-${label}`, model_name, model, "gas", { calibrated, members });
      // Valgrind knows no AVX-512: for any processor.
      execFileSync("cc", ["-std=c99", "-O1", "-g", "check.c", "gas.c", "-lm", "-o", "checked"], { cwd: place });
      const quiet = ["-q", "--error-exitcode=9", "--main-stacksize=16777216", "./checked"];
      expect(execFileSync("valgrind", quiet, { cwd: place, encoding: "utf8", stdio: "pipe" })).toMatch(/^ok/);
    }
  });

  it("gives states the totals of their start, with the same bits in threads, and takes hostile input", async () => {
    const place = await exported(
      "conserving",
      "latent_rnn",
      variants.find(({ label }) => label === "latent_rnn")!.model,
      "gas",
    );
    cpSync(new URL("hostile.c", import.meta.url), join(place, "hostile.c"));
    make(place, "libgas.a", ...strict);
    const flags = ["-std=c99", "-O1", "-g", "-Wall", "-Wextra", "-fopenmp", "-fsanitize=address,undefined"];
    execFileSync("cc", [...flags, "hostile.c", "libgas.a", "-lm", "-o", "hostile"], { cwd: place, stdio: "pipe" });
    const numbers = execFileSync("./hostile", { cwd: place, maxBuffer: 1 << 26 });
    const conservation = new Conservation(tableOfNames(species));
    const width = species.length;
    const floats = Float32Array.from({ length: numbers.byteLength / 4 }, (_, k) => numbers.readFloatLE(4 * k));
    const [weights, steps] = [join(folder, "conserving"), floats.length / width - 1];
    const inference = await Inference.load({
      autoencoder: join(weights, "autoencoder.safetensors"),
      emulator: join(weights, "emulator.safetensors"),
    });
    // The conditions of that cell, as hostile.c has them.
    const physical = Float32Array.from({ length: steps * 3 }, (_, k) => {
      const t = Math.floor(k / 3);
      return [1e3 * (6 + t), 100, 1 + t][k % 3]!;
    });
    const same = await inference.emulate(
      { data: physical, shape: [1, steps, 3] },
      { data: floats.slice(0, width), shape: [1, width] },
      { conserve: true },
    );
    await inference.dispose();
    for (const [k, x] of same.data.entries()) {
      expect(Math.abs(Math.log10(x) - Math.log10(floats[width + k]!)) / 20).toBeLessThan(1e-5);
    }
    const states = Array.from({ length: numbers.byteLength / 4 / width }, (_, k) => {
      const row = Float32Array.from({ length: width }, (_, s) => numbers.readFloatLE(4 * (k * width + s)));
      return conservation.totals(row);
    });
    // The start, then its states.
    for (const totals of states.slice(1)) {
      for (const [k, total] of totals.entries()) {
        const size = conservation.names[k] === "charge" ? states[0]![conservation.names.indexOf("C")]! : states[0]![k]!;
        expect(Math.abs(total - states[0]![k]!) / size).toBeLessThan(1e-6);
      }
    }
  });

  it.each(
    [
      ["emulator", 1],
      ["latent_rnn", 1],
      ["latent_rnn", 2],
    ].filter(() => hasFortran) as [string, number][],
  )(
    "of %s, members: %i, has a Fortran module with the same numbers (left out without gfortran)",
    async (model_name, members) => {
      const model = variants.find((each) => each.label === model_name)!.model;
      // One of them is not calibrated.
      const options = { calibrated: model_name === "emulator" || members > 1, members };
      // As long as a name may be.
      const name = members > 1 ? "a_chemistry_with_the_longest_of_all_name" : "chem_2";
      const place = await exported(`fortran-${model_name}-${members}`, model_name, model, name, options);
      const said = make(place, "check", ...strict);
      expect(said).toContain("Fortran: the largest deviation");
      expect(said).toContain("ok: the largest deviation");
    },
  );

  it("is called as docs/export.md and its own README show", async () => {
    const place = await exported("examples", "latent_relaxation", variants[0]!.model);
    for (const page of ["docs/export.md", join(place, "README.md")]) {
      const [, c] = /```c\n([\s\S]*?)```/.exec(readFileSync(page, "utf8"))!;
      const [, fortran] = /```fortran\n([\s\S]*?)```/.exec(readFileSync(page, "utf8"))!;
      const arrays = page.startsWith("docs")
        ? "static float abundances[9 * SURROGATE_SPECIES], latents[9 * SURROGATE_LATENTS], physical[9 * SURROGATE_PARAMETERS], totals[9 * SURROGATE_TOTALS];\nuint32_t flags[9];"
        : "";
      const main = c!.replace(/#include.*\n/, "");
      const counts = "int steps = 2; size_t n = 9; (void)n;";
      const program = `#include "surrogate.h"\n#define CELLS 9\nint main(void) {\n${counts}\n${arrays}\n${main}return 0; }\n`;
      writeFileSync(join(place, "example.c"), program);
      execFileSync("cc", ["-std=c99", "-Wall", "-Werror", "-c", "example.c"], { cwd: place, stdio: "pipe" });
      if (!hasFortran) continue;
      const text = fortran!.replace("use surrogate\n", "use surrogate\ninteger, parameter :: cells = 9\n");
      writeFileSync(join(place, "example.f90"), `${text}end\n`);
      make(place, "surrogate_f.o");
      execFileSync("gfortran", ["-std=f2003", "-c", "example.f90"], { cwd: place, stdio: "pipe" });
    }
  });

  it("is found to deviate where a weight is another", async () => {
    const place = await exported("damaged", "emulator", variants[0]!.model);
    const source = readFileSync(join(place, "surrogate.c"), "utf8");
    writeFileSync(join(place, "surrogate.c"), source.replace(/(sg_table_0\[\d+\] = \{\n {2})[^,]+/, "$10x1p+2f"));
    make(place, "check_c", "CFLAGS=-O1");
    expect(() => execFileSync(join(place, "check_c"), { stdio: "pipe" })).toThrow();
  });
});

describe("what is exported as C", () => {
  it("has the files that it names, and no function that allocates", async () => {
    const place = await exported("files", "emulator", variants[0]!.model, "gas");
    expect(readdirSync(place).sort()).toEqual(filesOfC("gas").sort());
    expect(readFileSync(join(place, "gas.c"), "utf8")).not.toMatch(/malloc|static (?!const|inline|void|uint32_t)/);
    expect(readFileSync(join(place, "README.md"), "utf8")).toContain("| 3 | HCO+ |");
  });

  it("refuses names that are none in C or Fortran", () => {
    for (const name of ["", "2d", "a-b", "Gas", "a".repeat(41)]) expect(() => checkName(name)).toThrow("--name");
    expect(() => checkName("dark_cloud_2")).not.toThrow();
  });

  it("names an operation that it cannot translate", () => {
    const part = { kind: "step", weights: {}, inputs: [{ name: "x", quantity: "carry", shape: [3] }], outputs: [] };
    const step = (_: object, { x }: Record<string, tf.Tensor>) => ({ outputs: { y: tf.argMax(x!, 1) } });
    expect(() => partProgram({ ...part, step } as never)).toThrow("the operation ArgMax");
  });
});

describe("a literal of C", () => {
  it.each([1, -0.1, 1e-38, 1e-45, 3.4028234e38, 2 ** 24 - 1, 1 - 2 ** -24])("is the float nearest to %d", (value) => {
    const [, sign, digits, exponent] = /^(-?)0x1\.?([0-9a-f]*)p(-?\d+)f$/.exec(cFloat(value))!;
    const size = (1 + Number.parseInt(digits || "0", 16) / 16 ** digits!.length) * 2 ** Number(exponent);
    expect(sign ? -size : size).toBe(Math.fround(value));
  });
});
