import { readdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CacheJob, ensureCache } from "../../src/data/cache.ts";
import { createHdf5, type Hdf5File, openHdf5 } from "../../src/data/hdf5.ts";
import { DataError } from "../../src/errors.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";

const folder = testFolder();
const parts = { species: ["CO", "H2"], window_size: 240, "clean dataset": "abc" };
let folders = 0;

/** A job in a folder of its own, and what it logs. */
function newJob(): { job: CacheJob; logged: string[] } {
  const logged: string[] = [];
  const job: CacheJob = {
    path: join(folder, `run-${folders++}`, "cache.h5"),
    parts,
    mode: "both",
    command: "train-emulator",
    write: async (file) => writeValues(file, 1),
    log: (message) => logged.push(message.replaceAll(folder, "…")),
  };
  return { job, logged };
}

function writeValues(file: Hdf5File, first: number): void {
  file
    .createDataset("dataset", { shape: [500, 2], dtype: "<f4" })
    .writeRows(0, 500, new Float32Array(1000).fill(first));
}

async function valueIn(path: string): Promise<number> {
  const file = await openHdf5(path);
  const values = new Float32Array(2);
  file.dataset("dataset").readRows(499, 1, values);
  file.close();
  return values[0]!;
}

/** Must not be called. */
const unwanted = async (): Promise<void> => expect.fail("the cache was made again");

describe("ensureCache", () => {
  it("makes what is absent, with its folder, and keeps what fits", async () => {
    const { job, logged } = newJob();
    await ensureCache(job);
    for (const mode of ["preprocess", "train", "both"] as const) {
      await ensureCache({ ...job, mode, write: unwanted });
    }
    expect(await valueIn(job.path)).toBe(1);
    expect(logged.map((message) => message.replace(/run-\d+/, "run"))).toEqual([
      "making cache …/run/cache.h5: it is absent",
      ...Array(3).fill("cache …/run/cache.h5 fits"),
    ]);
  });

  it.each(["preprocess", "both"] as const)("makes it again where something differs, mode %s", async (mode) => {
    const { job, logged } = newJob();
    await ensureCache(job);
    const other = { ...parts, window_size: 48, "clean dataset": "def" };
    await ensureCache({ ...job, mode, parts: other, write: async (file) => writeValues(file, 2) });
    expect(await valueIn(job.path)).toBe(2);
    expect(logged.at(-1)).toMatch(/: it was made with another window_size, clean dataset$/);
  });

  it("says in mode train what is missing and which command makes it", async () => {
    const { job } = newJob();
    const missing = () => ensureCache({ ...job, mode: "train", write: unwanted });
    expect((await thrownBy(missing, folder)).replace(/run-\d+/g, "run")).toMatchInlineSnapshot(`
      "DataError: mode=train wants the cache …/run/cache.h5, but it is absent
        at   …/run/cache.h5
        fix  make it: astrochem train-emulator mode=preprocess (or mode=both)"
    `);
  });

  it("says in mode train what differs, and leaves the cache as it is", async () => {
    const { job } = newJob();
    await ensureCache(job);
    const other = { ...parts, species: ["CO", "H2", "N2"], seed: 3 };
    const differing = () => ensureCache({ ...job, mode: "train", parts: other, write: unwanted });
    expect((await thrownBy(differing, folder)).replace(/run-\d+/g, "run")).toMatchInlineSnapshot(`
      "DataError: mode=train wants the cache …/run/cache.h5, but it was made with another species, seed
        at   …/run/cache.h5
        fix  make it: astrochem train-emulator mode=preprocess (or mode=both)"
    `);
    expect(await valueIn(job.path)).toBe(1);
  });

  it.each([
    ["cut off", (path: string) => truncateSync(path, statSync(path).size >> 1)],
    ["cut off by a byte", (path: string) => truncateSync(path, statSync(path).size - 1)],
    ["empty", (path: string) => truncateSync(path, 0)],
    ["something else", (path: string) => writeFileSync(path, "not HDF5 at all")],
  ])("makes it again where the file is %s; in mode train says so", async (_, damage) => {
    const { job } = newJob();
    await ensureCache(job);
    damage(job.path);
    const wanted = () => ensureCache({ ...job, mode: "train", write: unwanted });
    expect(await thrownBy(wanted, folder)).toMatch(
      /^DataError: mode=train wants the cache .*, but it cannot be used: /,
    );
    await ensureCache({ ...job, write: async (file) => writeValues(file, 3) });
    expect(await valueIn(job.path)).toBe(3);
  });

  it.each([
    ["another program", {}],
    ["another version", { astrochem_hash: "0", astrochem_parts: "[]" }],
    ["a broken one", { astrochem_hash: "0", astrochem_parts: "{" }],
  ])("makes again what comes from %s", async (_, attributes) => {
    const { job, logged } = newJob();
    await ensureCache(job);
    await writeForeign(job.path, attributes);
    await ensureCache({ ...job, write: async (made) => writeValues(made, 4) });
    expect(await valueIn(job.path)).toBe(4);
    expect(logged.at(-1)).toContain("nothing tells what it was made of");
  });

  it("leaves the old cache, and nothing else, where making the new one fails", async () => {
    const { job } = newJob();
    await ensureCache(job);
    const failing = ensureCache({
      ...job,
      parts: { ...parts, window_size: 48 },
      write: async (file) => {
        writeValues(file, 5);
        throw new DataError("the disk is full");
      },
    });
    await expect(failing).rejects.toThrow("the disk is full");
    expect(readdirSync(join(job.path, ".."))).toEqual(["cache.h5"]);
    await ensureCache({ ...job, mode: "train", write: unwanted });
    expect(await valueIn(job.path)).toBe(1);
  });

  it("makes nothing where the first attempt fails", async () => {
    const { job } = newJob();
    const failing = ensureCache({ ...job, write: async () => Promise.reject(new DataError("a NaN")) });
    await expect(failing).rejects.toThrow("a NaN");
    expect(readdirSync(join(job.path, ".."))).toEqual([]);
  });
});

/** Puts a file in the cache's place that carries these attributes only. */
async function writeForeign(path: string, attributes: Readonly<Record<string, string>>): Promise<void> {
  const file = await createHdf5(path);
  writeValues(file, 0);
  for (const [name, value] of Object.entries(attributes)) file.setAttribute("/", name, value);
  file.close();
}
