import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type Frame, openFrame } from "../../src/data/frame.ts";
import { asConfigured } from "../../src/data/respelt-frame.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { writeRawRows } from "../helpers/raw-frame.ts";

const folder = testFolder();
let frame: Frame;
afterEach(() => frame.close());

async function open(): Promise<void> {
  const path = join(folder, "own.h5");
  await writeRawRows(path, [
    { Tracer: 4, t: 1, "nH ": 10, Density: 7 },
    { Tracer: 4, t: 2, "nH ": 20, Density: 8 },
  ]);
  frame = await openFrame(path, "df");
}

describe("the columns of a raw file", () => {
  it("are read under other names and in our units", async () => {
    await open();
    const own = asConfigured(frame, {
      columns: { Time: "t", Density: "nH", dstep: "Density" },
      units: { Time: "kyr", Density: "m^-3" },
    });
    const target = new Float64Array(6);
    own.read(0, 2, ["Time", "Density", "dstep"], target);
    expect([...target].map((value) => Number(value.toPrecision(6)))).toEqual([1000, 1e-5, 7, 2000, 2e-5, 8]);
    expect(own.columns).toEqual(["Tracer", "Time", "Density", "dstep"]);
    expect([own.isNumeric("Time"), own.labels("Tracer").values]).toEqual([true, [4]]);
  });

  it("of a mass density are counted in H nuclei of 1.4 hydrogen masses", async () => {
    await open();
    const target = new Float64Array(1);
    asConfigured(frame, { units: { Density: "g cm^-3" } }).read(0, 1, ["Density"], target);
    expect(target[0]).toBeCloseTo(7 / (1.4 * 1.6735575e-24), -19);
  });

  it("are an error where one is not there or two would have one name", async () => {
    await open();
    const told = (columns: Record<string, string>) => thrownBy(() => asConfigured(frame, { columns }), folder);
    expect(await told({ Time: "t_yr" })).toMatchInlineSnapshot(`
      "DataError: dataset.columns names a column that is not there: \`t_yr\`
        at   …/own.h5, key df
        fix  columns: Tracer, t, nH , Density"
    `);
    expect(await told({ Density: "nH" })).toMatchInlineSnapshot(`
      "DataError: \`nH\` would be \`Density\`, which is another column
        at   …/own.h5, key df
        fix  correct dataset.columns"
    `);
    expect(await told({ Time: "t", Av: "t" })).toMatchInlineSnapshot(`
      "DataError: dataset.columns names a column twice
        at   …/own.h5, key df
        fix  correct dataset.columns"
    `);
  });
});
