import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Dataset } from "../../src/data/dataset.ts";
import { FrameWriter } from "../../src/data/frame.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { writeRawRows } from "../helpers/raw-frame.ts";
import { cleanColumns, cleanValue, writeClean, writeSplits } from "./clean-sample.ts";

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

  it("suggests a column of the same name but for case", async () => {
    const path = await writeClean(folder, "case.h5", { tracers: [2] }, { tracers: [1] });
    const opened = () => Dataset.open(path, { species: ["h", "co"], physicalParameters: ["AV"] });
    expect(await thrownBy(opened, folder)).toContain(
      "no column `AV`\n  at   …/case.h5, key train\n  fix  did you mean `Av`?",
    );
  });

  it("refuses times that are dates, with the line that converts them", async () => {
    const path = join(folder, "dates.h5");
    const file = await createHdf5(path);
    const columns = { float32: ["Time", "H"], int64: ["Index", "Model"], order: ["Index", "Model", "Time", "H"] };
    for (const key of ["train", "val"]) {
      const writer = new FrameWriter(file, key, columns, 1);
      writer.append(Float32Array.of(1, 1), BigInt64Array.of(0n, 0n), 1);
      writer.finish();
      file.setAttribute(`${key}/block0_values`, "value_type", "datetime64[ns]");
    }
    file.close();
    expect(await thrownBy(() => Dataset.open(path), folder)).toMatchInlineSnapshot(`
      "DataError: column \`Time\` holds dates (datetime64[ns]), expected numbers
        at   …/dates.h5, key train
        fix  before to_hdf: frame["Time"] = (frame["Time"] - frame["Time"].min()) / pandas.Timedelta(days=365.25)"
    `);
  });

  it("has test tracers where the file has, also such a file of these alone", async () => {
    const without = await Dataset.open(await writeClean(folder, "without.h5", { tracers: [2] }, { tracers: [1] }));
    expect([...without.test, without.test.length, without.test.rows]).toEqual([0, 0]);
    expect(await thrownBy(() => without.test.tracer(0), folder)).toContain("there is no tracer 0: there are 0");
    without.close();
    const splits = { train: { tracers: [2] }, val: { tracers: [1] }, test: { tracers: [3, 2] } };
    const three = await Dataset.open(await writeSplits(folder, "three.h5", splits));
    expect([three.train.rows, three.val.rows, three.test.rows, three.test.length]).toEqual([2, 1, 5, 2]);
    expect([...three.test.tracer(0).times]).toEqual([0, 1, 2].map((row) => cleanValue("Time", row)));
    three.close();
    const alone = await Dataset.open(await writeSplits(folder, "alone.h5", { test: { tracers: [3] } }));
    expect([alone.train.length, alone.val.length, alone.test.length]).toEqual([0, 0, 1]);
    expect(alone.species).toEqual(cleanColumns.species);
    alone.close();
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
