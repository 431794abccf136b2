import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { inspectFile } from "../../../src/analysis/inspection/inspect-file.ts";
import type { DataInspection } from "../../../src/analysis/inspection/inspection.ts";
import { testFolder, thrownBy } from "../../helpers/folder.ts";
import { lackingPython, python } from "../../helpers/python.ts";
import { options } from "./settings.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const lacking = lackingPython("pandas", "tables");

const make = `
import sys, json, warnings, pandas as pd, numpy as np
warnings.simplefilter("ignore")
at = lambda name: sys.argv[1] + "/" + name
r = np.random.default_rng(3)
n = 400
d = pd.DataFrame({"Tracer": np.repeat(np.arange(20) * 3, 20), "Time": np.tile(np.arange(20) * 10.0 + r.uniform(0, 1, 20), 20),
  "Density": 10 ** r.uniform(-1, 3, n), "Av": 1.0, "H": 10 ** r.uniform(-25, 0.1, n), "CO": r.uniform(-1e-6, 1, n)})
d = pd.concat([d, d.iloc[:5]]).sample(frac=1, random_state=4).reset_index(drop=True)
d.loc[7, "H"] = np.nan
d.to_hdf(at("shuffled.h5"), key="df")
steps = d.sort_values(["Tracer", "Time"]).groupby("Tracer").Time.diff()
print(json.dumps({
  "duplicates": int(d.duplicated(["Tracer", "Time"]).sum()), "unsorted": int((d.groupby("Tracer").Time.diff() < 0).sum()),
  "spacing": [float(x) for x in (steps[steps > 0].min(), steps[steps > 0].median(), steps[steps > 0].max())],
  "density": [float(x) for x in (d.Density.min(), d.Density.median(), d.Density.max())],
  "outside": [int((d.Density < 1).sum()), int((d.Density > 100).sum())], "negative": int((d.CO < 0).sum()),
  "clipped": int(((d.H > 0) & (d.H < 1e-20)).sum() + ((d.CO > 0) & (d.CO < 1e-20)).sum())}))
texts = d.head(40).assign(Tracer=[f"run {i % 4}" for i in range(40)])
texts.to_hdf(at("texts-fixed.h5"), key="df")
texts.to_hdf(at("texts-table.h5"), key="df", format="table")
texts.assign(Tracer=texts.Tracer.astype("category")).to_hdf(at("categories.h5"), key="df", format="table")
texts.set_index(["Tracer", "Time"]).to_hdf(at("multi.h5"), key="df")
texts.iloc[:0].to_hdf(at("empty.h5"), key="df")
texts["H"].to_hdf(at("series.h5"), key="s")
d.to_hdf(at("nested.h5"), key="a/b", format="table")
d.assign(when=pd.Timestamp("2020-01-01"), flag=True, odd=None).to_hdf(at("mixed.h5"), key="df")
d.assign(Time=pd.to_timedelta(d.Time, unit="s"), CO=d.CO > 0).to_hdf(at("spans.h5"), key="df")
d.to_hdf(at("blosc.h5"), key="df", format="table", complib="blosc", complevel=5)
`;

describe.skipIf(lacking !== undefined)("files that pandas writes", () => {
  let expected: Record<string, number & readonly number[]>;
  beforeAll(() => {
    expected = JSON.parse(python(make, folder));
  });

  const framesOf = async (name: string) => ((await inspectFile(at(name), options)) as DataInspection).frames;

  it("are counted and measured as pandas does it", async () => {
    const [frame] = await framesOf("shuffled.h5");
    expect(frame!.tracers).toMatchObject({
      count: 20,
      rows: { min: 20, median: 20 },
      duplicate_rows: expected.duplicates,
      unsorted_rows: expected.unsorted,
    });
    const { min, median, max } = frame!.tracers!.spacing!;
    for (const [i, value] of [min, median, max].entries()) expect(value).toBeCloseTo(expected.spacing![i]!, 10);
    const density = frame!.physical.find(({ name }) => name === "Density")!;
    expect([density.min, density.median, density.max]).toEqual(expected.density);
    expect([density.below, density.above]).toEqual(expected.outside);
    expect(frame!.values).toMatchObject({ nan: 1, negative: expected.negative, below_clipping: expected.clipped });
  });

  it("have their tracers counted where ids are texts, in either format", async () => {
    for (const name of ["texts-fixed.h5", "texts-table.h5"]) {
      const [frame] = await framesOf(name);
      expect(frame).toMatchObject({ text_columns: ["Tracer"], problems: [] });
      expect(frame!.tracers!.count).toBe(4);
    }
  });

  it("are told as far as they can be read: categories, odd columns, no rows, nested keys", async () => {
    const [categories] = await framesOf("categories.h5");
    expect(categories).toMatchObject({ tracers: null, values: { nan: 1 } });
    const line = 'frame["Tracer"] = frame["Tracer"].factorize()[0]';
    expect(categories!.problems).toEqual([
      `column \`Tracer\` is categorical: only its codes are stored with the rows; before to_hdf: ${line}`,
    ]);
    const [mixed] = await framesOf("mixed.h5");
    expect(mixed).toMatchObject({ unknown_columns: ["when", "flag", "odd"], text_columns: ["when", "flag", "odd"] });
    expect((await framesOf("empty.h5"))[0]).toMatchObject({ rows: 0, tracers: null });
    expect((await framesOf("nested.h5"))[0]).toMatchObject({ key: "a/b", form: "raw" });
  });

  it("with times or abundances of another type say what converts them", async () => {
    const [frame] = await framesOf("spans.h5");
    expect(frame!.problems).toEqual([
      expect.stringMatching(
        /^column `Time` holds time spans \(timedelta64.*\), expected numbers; before to_hdf: frame\["Time"\] = frame\["Time"\] \/ pandas\.Timedelta\(days=365\.25\)$/,
      ),
      expect.stringContaining("column `CO` holds True and False (bool)"),
    ]);
  });

  it("that are no frames say what to do", async () => {
    const multi = await inspectFile(at("multi.h5"), options);
    const fix = "call reset_index(), or flatten the columns, before to_hdf";
    const problem = `a row index of kind \`multi\` cannot be read; ${fix}`;
    expect(multi).toMatchObject({ kind: "hdf5", unreadable: [{ key: "df", problem }] });
    expect(await inspectFile(at("series.h5"), options)).toMatchObject({ kind: "hdf5", unreadable: [{ key: "s" }] });
    expect(await thrownBy(() => inspectFile(at("blosc.h5"), options), folder)).toMatchInlineSnapshot(`
      "DataError: cannot read rows 0 to 404: the data are compressed by a filter that is not read
        at   …/blosc.h5, dataset /df/table
        fix  write the file again with gzip: DataFrame.to_hdf(path, key=…, complib="zlib", complevel=4)"
    `);
  });
});
