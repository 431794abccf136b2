import { existsSync, mkdirSync, readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AbundanceScaling, LatentScaling, PhysicalScaling } from "../../src/chemistry/scaling.ts";
import { type AutoencoderCacheOptions, autoencoderCache } from "../../src/data/autoencoder-cache.ts";
import { type CacheMode, cacheHash } from "../../src/data/cache.ts";
import { type CleanData, openCleanData } from "../../src/data/clean-data.ts";
import { type EmulatorCacheOptions, emulatorCache } from "../../src/data/emulator-cache.ts";
import { openHdf5 } from "../../src/data/hdf5.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { type CleanSplit, cleanColumns, cleanValue, writeClean } from "./clean-sample.ts";

const folder = testFolder();
const scaling = new AbundanceScaling({ lower: 1e-20, upper: 1 });
const physicalRanges = { Av: [1e-3, 10], Density: [1e-4, 1] } as const;
let count = 0;

/** A clean dataset and a folder for its caches, for one use. */
async function withClean<T>(
  splits: { train: CleanSplit; val?: CleanSplit },
  use: (clean: CleanData, caches: string) => Promise<T>,
): Promise<T> {
  count += 1;
  // A folder each: messages are shown without it, and so do not depend on which tests ran before.
  const own = join(folder, String(count));
  mkdirSync(own);
  const path = await writeClean(own, "clean.h5", splits.train, splits.val ?? { tracers: [4] });
  const clean = await openCleanData(path, cleanColumns);
  try {
    return await use(clean, join(own, "caches"));
  } finally {
    clean.close();
  }
}

/** Builds or finds the autoencoder's caches. @returns what was logged */
async function autoencoder(
  clean: CleanData,
  caches: string,
  mode: CacheMode,
  changed: Partial<AutoencoderCacheOptions> = {},
): Promise<string[]> {
  const logged: string[] = [];
  const log = (message: string): number => logged.push(message.replaceAll(dirname(caches), "…"));
  await autoencoderCache({ clean, species: cleanColumns.species, scaling, folder: caches, mode, log, ...changed });
  return logged;
}

/** The same for the emulator, whose "autoencoder" gives the sum of the scaled abundances and the number of rows encoded at once. */
async function emulator(
  clean: CleanData,
  caches: string,
  mode: CacheMode,
  changed: Partial<EmulatorCacheOptions> = {},
): Promise<string[]> {
  const logged: string[] = [];
  await emulatorCache({
    clean,
    columns: cleanColumns,
    abundances: scaling,
    physical: new PhysicalScaling(cleanColumns.phys, physicalRanges),
    physicalRanges,
    latents: new LatentScaling([-1, 3]),
    latentDim: 2,
    encode: async (scaled, rows) =>
      Float32Array.from({ length: 2 * rows }, (_, i) => {
        const own = scaled.subarray(3 * (i >> 1), 3 * (i >> 1) + 3);
        return i % 2 === 0 ? own[0]! + own[1]! + own[2]! : 1;
      }),
    autoencoderHash: "a",
    window: 3,
    folder: caches,
    mode,
    log: (message) => logged.push(message.replaceAll(dirname(caches), "…")),
    ...changed,
  });
  return logged;
}

async function stored(path: string, dataset: string): Promise<number[]> {
  const file = await openHdf5(path);
  const found = file.dataset(dataset);
  const values = new Float64Array(found.shape.reduce((a, b) => a * b, 1));
  found.readRows(0, found.shape[0]!, values);
  file.close();
  return [...values];
}

describe("cacheHash", () => {
  it("does not depend on the order of keys, but on every value", () => {
    expect(cacheHash({ a: 1, b: { c: [1, 2], d: null } })).toBe(cacheHash({ b: { d: null, c: [1, 2] }, a: 1 }));
    const values = [{ a: 1 }, { a: "1" }, { a: [1] }, { b: 1 }, { a: null }, { a: 1, b: 1 }, { a: { b: 1 } }];
    expect(new Set(values.map(cacheHash)).size).toBe(values.length);
  });

  it("survives a round through JSON", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        expect(cacheHash(JSON.parse(JSON.stringify(value)))).toBe(cacheHash(value));
      }),
    );
  });
});

describe("autoencoderCache", () => {
  it("holds the clipped and scaled abundances of both splits", async () => {
    const values = [
      { row: 1, column: "H2", value: 0 },
      { row: 2, column: "H2", value: 5 },
    ];
    await withClean({ train: { tracers: [2, 2], values } }, async (clean, caches) => {
      await autoencoder(clean, caches, "both");
      expect(readdirSync(caches).sort()).toEqual([
        "autoencoder_train_preprocessed.h5",
        "autoencoder_val_preprocessed.h5",
      ]);
      const scaled = await stored(join(caches, "autoencoder_train_preprocessed.h5"), "dataset");
      const linear = [0, 1, 2, 3].flatMap((row) =>
        cleanColumns.species.map((name) =>
          values.find((v) => v.row === row)?.column === name
            ? values.find((v) => v.row === row)!.value
            : cleanValue(name, row),
        ),
      );
      for (const [i, x] of linear.entries()) {
        expect(scaled[i]).toBeCloseTo((Math.log10(Math.min(Math.max(x, 1e-20), 1)) + 20) / 20, 6);
      }
      expect([scaled[4], scaled[7]]).toEqual([0, 1]);
    });
  });

  it("is kept while it fits, and made again when the data or the settings change", async () => {
    await withClean({ train: { tracers: [4] } }, async (clean, caches) => {
      expect(await autoencoder(clean, caches, "preprocess")).toMatchInlineSnapshot(`
        [
          "making cache …/caches/autoencoder_train_preprocessed.h5: it is absent",
          "making cache …/caches/autoencoder_val_preprocessed.h5: it is absent",
        ]
      `);
      const file = join(caches, "autoencoder_train_preprocessed.h5");
      const made = statSync(file).ino;
      expect((await autoencoder(clean, caches, "train"))[0]).toContain("fits");
      expect(statSync(file).ino).toBe(made);
      const other = new AbundanceScaling({ lower: 1e-10, upper: 1 });
      expect((await autoencoder(clean, caches, "both", { scaling: other }))[0]).toMatchInlineSnapshot(
        `"making cache …/caches/autoencoder_train_preprocessed.h5: it was made with another abundances_clipping"`,
      );
      const species = [...cleanColumns.species].reverse();
      expect((await autoencoder(clean, caches, "both", { species }))[0]).toContain("made with another species");
      await withClean({ train: { tracers: [3] } }, async (another) => {
        expect((await autoencoder(another, caches, "both", { species }))[0]).toContain("with another clean dataset");
      });
    });
  });

  it("is wanted ready in mode train", async () => {
    await withClean({ train: { tracers: [4] } }, async (clean, caches) => {
      expect(await thrownBy(() => autoencoder(clean, caches, "train"), dirname(caches))).toMatchInlineSnapshot(`
        "DataError: mode=train wants the cache …/caches/autoencoder_train_preprocessed.h5, but it is absent
          at   …/caches/autoencoder_train_preprocessed.h5
          fix  make it: astrochem train-autoencoder mode=preprocess (or mode=both)"
      `);
      await autoencoder(clean, caches, "preprocess");
      const other = { scaling: new AbundanceScaling({ lower: 1e-10, upper: 1 }) };
      expect(await thrownBy(() => autoencoder(clean, caches, "train", other), dirname(caches))).toContain(
        "but it was made with another abundances_clipping",
      );
    });
  });

  it.each([
    ["is cut off", (path: string) => truncateSync(path, 1000)],
    ["is no HDF5 file", (path: string) => writeFileSync(path, "no")],
    ["is empty", (path: string) => truncateSync(path, 0)],
  ])("is made again where the one there %s", async (_, damage) => {
    await withClean({ train: { tracers: [4] } }, async (clean, caches) => {
      await autoencoder(clean, caches, "both");
      damage(join(caches, "autoencoder_train_preprocessed.h5"));
      expect(await autoencoder(clean, caches, "both")).toEqual([
        expect.stringMatching(/^making cache .*_train_preprocessed.h5: it cannot be used: ./),
        expect.stringMatching(/^cache .*_val_preprocessed.h5 fits$/),
      ]);
    });
  });

  it.each([
    ["H2", Number.NaN],
    ["CO", -1e-10],
    ["H", Number.POSITIVE_INFINITY],
  ])("names the place of an abundance (%s) of %d and leaves nothing behind", async (column, value) => {
    await withClean({ train: { tracers: [4], values: [{ row: 2, column, value }] } }, async (clean, caches) => {
      const message = await thrownBy(() => autoencoder(clean, caches, "both"), dirname(caches));
      expect(message).toContain(`key train, row 2, column ${column}`);
      expect(existsSync(caches) ? readdirSync(caches) : []).toEqual([]);
    });
  });
});

describe("a solver's rounding", () => {
  const values = [
    { row: 1, column: "CO", value: -1e-31 },
    { row: 2, column: "H2", value: -9e-21 },
  ];
  const line = "raised 2 negative abundances (a solver's rounding, less than 1e-20 in size) to 1e-20";

  it("is raised to the clipping and counted, in either cache", async () => {
    await withClean({ train: { tracers: [4], values } }, async (clean, caches) => {
      expect((await autoencoder(clean, caches, "both")).filter((message) => message === line)).toHaveLength(1);
      const scaled = await stored(join(caches, "autoencoder_train_preprocessed.h5"), "dataset");
      expect([scaled[1 * 3 + 2], scaled[2 * 3 + 1]]).toEqual([0, 0]);
      expect((await emulator(clean, caches, "both")).filter((message) => message === line)).toHaveLength(1);
    });
  });
});

describe("emulatorCache", () => {
  it("holds [Index, Model, Time, physical, abundances, latents] of every row and the windows of both splits", async () => {
    await withClean({ train: { tracers: [4, 2, 3] }, val: { tracers: [3] } }, async (clean, caches) => {
      const logged = await emulator(clean, caches, "both");
      expect(logged).toContain("warning: 1 tracer shorter than the window of 3 rows and give none");
      const path = join(caches, "training_seq.h5");
      const rows = await stored(path, "dataset");
      const width = 3 + 2 + 3 + 2;
      expect(rows).toHaveLength(9 * width);
      for (let row = 0; row < 9; row++) {
        const value = (column: string): number => Math.log10(cleanValue(column, row));
        const abundances = cleanColumns.species.map((name) => (value(name) + 20) / 20);
        const expected = [
          row,
          2 ** 40,
          cleanValue("Time", row),
          (value("Density") + 4) / 4,
          (value("Av") + 3) / 4,
          ...abundances,
          (abundances.reduce((a, b) => a + b) + 1) / 4,
          0.5,
        ];
        const found = rows.slice(row * width, (row + 1) * width);
        for (const [i, x] of expected.entries()) expect(found[i]).toBeCloseTo(x, 5);
      }
      // Ids beyond float32's integers, which all read 2^40 above: the windows tell the tracers apart all the same.
      expect(await stored(path, "starts")).toEqual([0, 1, 6]);
      expect(await stored(join(caches, "validation_seq.h5"), "starts")).toEqual([0]);
      expect(await stored(path, "tracers")).toEqual([0, 4, 4, 2, 6, 3]);
      // Of the range [-1, 3].
      expect(await stored(path, "latent_scaling")).toEqual([-1, 4]);
    });
  });

  it("scales each latent by the training rows' mean and deviation, in both splits, where that is wanted", async () => {
    await withClean({ train: { tracers: [4, 3] }, val: { tracers: [3] } }, async (clean, caches) => {
      await emulator(clean, caches, "both", { latents: "standard" });
      const sums = Array.from({ length: 7 }, (_, row) =>
        cleanColumns.species.reduce((sum, name) => sum + (Math.log10(cleanValue(name, row)) + 20) / 20, 0),
      );
      const mean = sums.reduce((a, b) => a + b) / 7;
      const deviation = Math.sqrt(sums.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 7);
      const found = await stored(join(caches, "training_seq.h5"), "latent_scaling");
      // The second latent is always 1: it is given a thousandth of the first one's deviation.
      const expected = [mean, 1, deviation, deviation / 1000];
      for (const [i, value] of expected.entries()) expect(found[i]! / value).toBeCloseTo(1, 4);
      const rows = await stored(join(caches, "training_seq.h5"), "dataset");
      for (const [row, sum] of sums.entries()) expect(rows[10 * row + 8]).toBeCloseTo((sum - mean) / deviation, 3);
      expect(await stored(join(caches, "validation_seq.h5"), "latent_scaling")).toEqual(found);
      expect((await emulator(clean, caches, "train", { latents: "standard" }))[0]).toContain("fits");
    });
  });

  it.each<[string, Partial<EmulatorCacheOptions>]>([
    ["window_size", { window: 2 }],
    ["autoencoder", { autoencoderHash: "b" }],
    ["abundances_clipping", { abundances: new AbundanceScaling({ lower: 1e-10, upper: 1 }) }],
    ["physical_parameter_ranges", { physicalRanges: { ...physicalRanges, Av: [1, 2] } }],
    ["latent scaling", { latents: "standard" }],
  ])("is made again when %s changes, and refused by that name in mode train", async (name, changed) => {
    await withClean({ train: { tracers: [5] } }, async (clean, caches) => {
      await emulator(clean, caches, "preprocess");
      expect((await emulator(clean, caches, "train"))[0]).toContain("fits");
      const message = await thrownBy(() => emulator(clean, caches, "train", changed), dirname(caches));
      expect(message).toContain(`training_seq.h5, but it was made with another ${name}\n`);
      expect(message).toContain("fix  make it: astrochem train-emulator mode=preprocess (or mode=both)");
      expect((await emulator(clean, caches, "both", changed))[0]).toContain(`made with another ${name}`);
      expect((await emulator(clean, caches, "train", changed))[0]).toContain("fits");
    });
  });

  it.each([
    ["Density", 0],
    ["Av", -1],
    ["Av", Number.NaN],
    ["CO", Number.NaN],
  ])("names the place of a %s of %d", async (column, value) => {
    const val = { tracers: [4], values: [{ row: 3, column, value }] };
    await withClean({ train: { tracers: [4] }, val }, async (clean, caches) => {
      expect(await thrownBy(() => emulator(clean, caches, "both"), dirname(caches))).toContain(
        `key val, row 3, column ${column}`,
      );
      expect(readdirSync(caches)).toEqual(["training_seq.h5"]);
    });
  });

  it("says in which split no tracer is as long as the window", async () => {
    await withClean({ train: { tracers: [5] } }, async (clean, caches) => {
      expect(
        await thrownBy(() => emulator(clean, caches, "both", { window: 5 }), dirname(caches)),
      ).toMatchInlineSnapshot(`
        "DataError: no tracer has the 5 rows of a window; the longest has 4
          at   …/clean.h5, key val
          fix  model.window_size=4 or less"
      `);
    });
  });
});
