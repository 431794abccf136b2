import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { forBlocks, openCleanData } from "../../src/data/clean-data.ts";
import { openFrame } from "../../src/data/frame.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { cleanColumns, cleanValue, writeClean } from "./clean-sample.ts";

const folder = testFolder();

/** Opens, takes the hash, closes. */
async function hashOf(path: string, columns = cleanColumns): Promise<string> {
  const clean = await openCleanData(path, columns);
  clean.close();
  return clean.hash;
}

describe("openCleanData", () => {
  it("gives both splits with the columns asked for", async () => {
    const clean = await openCleanData(
      await writeClean(folder, "clean.h5", { tracers: [3, 2] }, { tracers: [4] }),
      cleanColumns,
    );
    expect([clean.train.rows, clean.val.rows]).toEqual([5, 4]);
    const values = new Float32Array(4);
    clean.train.read(3, 2, ["CO", "Av"], values);
    expect([...values]).toEqual([3, 4].flatMap((row) => [cleanValue("CO", row), cleanValue("Av", row)]));
    clean.close();
  });

  it("has a hash that tells any value of either split", async () => {
    const changed = { tracers: [2], values: [{ row: 1, column: "CO", value: 0.25 }] };
    const hashes = [
      await hashOf(await writeClean(folder, "a.h5", { tracers: [2] }, { tracers: [2] })),
      await hashOf(await writeClean(folder, "b.h5", changed, { tracers: [2] })),
      await hashOf(await writeClean(folder, "c.h5", { tracers: [2] }, changed)),
      await hashOf(await writeClean(folder, "d.h5", { tracers: [1, 1] }, { tracers: [2] })),
    ];
    expect(new Set(hashes).size).toBe(4);
    expect(await hashOf(await writeClean(folder, "again.h5", { tracers: [2] }, { tracers: [2] }))).toBe(hashes[0]);
  });

  it("opens what pandas wrote, which has no hash, and makes one of the columns asked for", async () => {
    const pandas = fileURLToPath(new URL("../fixtures/golden/preprocess/clean.h5", import.meta.url));
    const file = await openFrame(pandas, "train");
    const [index, model, time, ...others] = file.columns as [string, string, string];
    const hasHash = file.attribute("astrochem_hash") !== undefined;
    file.close();
    expect(hasHash).toBe(false);
    const columns = { metadata: [index, model, time], phys: others.slice(0, 2), species: others.slice(2, 4) };
    const hash = await hashOf(pandas, columns);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(await hashOf(pandas, columns)).toBe(hash);
    expect(await hashOf(pandas, { ...columns, species: others.slice(3, 5) })).not.toBe(hash);
  });

  it("suggests columns that are the same but for case, however short", async () => {
    const path = await writeClean(folder, "case.h5", { tracers: [2] }, { tracers: [2] });
    const columns = { ...cleanColumns, phys: ["density", "AV"], species: ["H", "Co"] };
    expect(await thrownBy(() => openCleanData(path, columns), folder)).toContain(
      "the clean dataset lacks the columns density (is it Density?), AV (is it Av?), Co (is it CO?)",
    );
  });

  it("explains what is missing", async () => {
    expect(await thrownBy(() => openCleanData(join(folder, "none.h5"), cleanColumns), folder)).toMatchInlineSnapshot(`
      "DataError: there is no clean dataset …/none.h5
        at   dataset.dataset_path
        fix  make it: astrochem preprocess (with the same dataset=… override)"
    `);
    const path = await writeClean(folder, "short.h5", { tracers: [2] }, { tracers: [2] });
    const asking = (species: string[]): Promise<string> =>
      thrownBy(() => openCleanData(path, { ...cleanColumns, species }), folder);
    expect(await asking(["H", "H2O2"])).toMatchInlineSnapshot(`
      "DataError: the clean dataset lacks the column H2O2
        at   …/short.h5, key train
        fix  preprocess again, or correct dataset.species_path"
    `);
    expect(await asking(["A1", "A2", "A3", "A4", "A5", "A6", "A7"])).toMatchInlineSnapshot(`
      "DataError: the clean dataset lacks the columns A1, A2, A3, A4, A5 and 2 more
        at   …/short.h5, key train
        fix  did you mean Av? else preprocess again"
    `);
    const empty = await writeClean(folder, "empty.h5", { tracers: [2] }, { tracers: [] });
    expect(await thrownBy(() => openCleanData(empty, cleanColumns), folder)).toMatchInlineSnapshot(`
      "DataError: the split has no rows
        at   …/empty.h5, key val
        fix  preprocess again with more tracers"
    `);
    const raw = fileURLToPath(new URL("../fixtures/golden/preprocess/raw.h5", import.meta.url));
    expect(await thrownBy(() => openCleanData(raw, cleanColumns), folder)).toContain("DataError: ");
  });
});

describe("forBlocks", () => {
  it("reads every row once", async () => {
    const path = await writeClean(folder, "blocks.h5", { tracers: [7] }, { tracers: [1] });
    const clean = await openCleanData(path, cleanColumns);
    // A frame of small blocks.
    const frame = { ...clean.train, rows: clean.train.rows, blockRows: 3, read: clean.train.read.bind(clean.train) };
    const seen: number[][] = [];
    await forBlocks(frame as typeof clean.train, ["CO"], (values, start, count) => {
      expect(values.length).toBe(count);
      seen.push([start, count, values.at(-1)!]);
    });
    clean.close();
    expect(seen).toEqual([
      [0, 3, cleanValue("CO", 2)],
      [3, 3, cleanValue("CO", 5)],
      [6, 1, cleanValue("CO", 6)],
    ]);
  });
});
