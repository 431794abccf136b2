import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Dataset } from "../../src/data/dataset.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { writeRawRows } from "../helpers/raw-frame.ts";
import { cleanColumns, cleanValue, writeClean } from "./clean-sample.ts";

const folder = testFolder();

describe("a dataset", () => {
  it("gives the tracers of its splits: ids, times, conditions, abundances", async () => {
    const path = await writeClean(folder, "a.h5", { tracers: [2, 3] }, { tracers: [1] });
    const dataset = await Dataset.open(path);
    expect(dataset.species).toEqual(cleanColumns.species);
    expect(dataset.physicalParameters).toEqual(cleanColumns.phys);
    expect([dataset.train.length, dataset.train.rows, dataset.val.length, dataset.val.rows]).toEqual([2, 5, 1, 1]);
    const [first, second] = [...dataset.train];
    expect([first!.model, second!.model]).toEqual([2 ** 40, 2 ** 40 + 1]);
    const rowsOf = (columns: readonly string[]): number[] =>
      [2, 3, 4].flatMap((row) => columns.map((column) => cleanValue(column, row)));
    expect(second!.rows).toBe(3);
    expect([...second!.times]).toEqual(rowsOf(["Time"]));
    expect(second!.physical.shape).toEqual([3, 2]);
    expect([...second!.physical.data]).toEqual(rowsOf(cleanColumns.phys));
    expect(second!.abundances.shape).toEqual([3, 3]);
    expect([...second!.abundances.data]).toEqual(rowsOf(cleanColumns.species));
    expect(dataset.train.tracer(1)).toEqual(second);
    dataset.close();
  });

  it("gives the columns asked for, in that order: by name or as an Inference names them", async () => {
    const path = await writeClean(folder, "b.h5", { tracers: [2] }, { tracers: [1] });
    const dataset = await Dataset.open(path, { species: ["CO", "H"], physicalParameters: [{ name: "Av" }, "Density"] });
    const { physical, abundances } = dataset.val.tracer(0);
    expect([...abundances.data]).toEqual(["CO", "H"].map((column) => cleanValue(column, 0)));
    expect([...physical.data]).toEqual(["Av", "Density"].map((column) => cleanValue(column, 0)));
    expect(dataset.physicalParameters).toEqual(["Av", "Density"]);
    dataset.close();
  });

  it("says what is wrong: no such tracer, no such column, no clean file", async () => {
    const path = await writeClean(folder, "c.h5", { tracers: [2] }, { tracers: [1] });
    const dataset = await Dataset.open(path);
    await writeRawRows(join(folder, "raw.h5"), [{ Tracer: 1, Time: 1, H: 1 }]);
    const told = await Promise.all([
      thrownBy(() => dataset.val.tracer(1), folder),
      thrownBy(() => Dataset.open(path, { species: ["H3"] }), folder),
      thrownBy(() => Dataset.open(join(folder, "raw.h5")), folder),
    ]);
    expect(told.join("\n")).toMatchInlineSnapshot(`
      "DataError: there is no tracer 1: there are 1
        at   …/c.h5
      DataError: no column \`H3\`
        at   …/c.h5, key train
        fix  columns: Index, Model, Time, Density, Av, H, H2, CO
      DataError: no key \`train\` in …/raw.h5
        fix  keys in the file: df"
    `);
    dataset.close();
  });
});
