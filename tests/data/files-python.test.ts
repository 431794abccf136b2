import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { detectFile } from "../../src/data/files/detect-file.ts";
import { openInput } from "../../src/data/files/open-input.ts";
import { type Frame, openFrame } from "../../src/data/frame.ts";
import { checkEvenSteps, StepWatch } from "../../src/data/time-steps.ts";
import { testFolder } from "../helpers/folder.ts";
import { lackingPython, python } from "../helpers/python.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const lacking = lackingPython("numpy", "pandas", "tables", "h5py");
const inFolder = `import os; os.chdir(${JSON.stringify(folder)})\n`;

/** The lines of a remedy, run where it is to leave its file. */
function run(fix: string, after = ""): string {
  const lines = fix.split("\n").map((line) => line.trim());
  const code = lines.slice(lines.findIndex((line) => line.startsWith("import ")));
  return python(inFolder + [...code.filter((line) => !line.startsWith("or ")), after].join("\n"));
}

/** What `preprocess` says of rows that are not 100 yr apart. */
function resampling({ pandasLines }: Frame): string {
  const watch = new StepWatch(100);
  watch.add("one", Float64Array.of(0, 100, 250));
  try {
    checkEvenSteps(watch, false, "here", () => {}, pandasLines);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("nothing was said");
}

describe.skipIf(lacking !== undefined)(`remedies in Python${lacking === undefined ? "" : ` (${lacking})`}`, () => {
  it("make a frame of AstroChemNet's arrays", async () => {
    writeFileSync(at("columns.json"), '["Tracer","Time","Density","CO"]');
    const array = "import numpy; numpy.save('a.npy', numpy.arange(16.).reshape(2, 2, 4))";
    python(inFolder + array);
    run((await detectFile(at("a.npy"))).fix!);
    const frame = await openFrame(at("data.h5"), "df");
    expect([frame.columns, frame.rows]).toEqual([["Tracer", "Time", "Density", "CO"], 4]);
    frame.close();
  });

  it("make a frame of the data of CODES", async () => {
    const splits = "[f.create_dataset(k, data=numpy.ones((2, 3, 4))) for k in ('train', 'val', 'test')]";
    python(
      `${inFolder}import h5py, numpy\nwith h5py.File('codes.h5', 'w') as f:\n ${splits}; f['timesteps'] = [1., 2, 3]`,
    );
    run((await detectFile(at("codes.h5"))).fix!);
    const frame = await openFrame(at("data.h5"), "df");
    const columns = ["Tracer", "Time", "quantity0", "quantity1", "quantity2", "quantity3"];
    expect([frame.columns, frame.rows, frame.labels("Tracer").values]).toEqual([columns, 18, [0, 1, 2, 3, 4, 5]]);
    frame.close();
  });

  it("write a header above a table without one", async () => {
    writeFileSync(at("bare.out"), "0.0 1.0 2.0 0.5\n31557600 1.0 2.0 0.5\n");
    run((await detectFile(at("bare.out"))).fix!);
    const { header } = (await detectFile(at("named.csv"))).layout!;
    expect(header).toEqual(["Time (s)", "Density", "gasTemp", "column4"]);
  });

  it("resample tables of text, with words for ids, other columns in each and Fortran's numbers", async () => {
    writeFileSync(
      at("a.csv"),
      "model,Time,CO,remark\none,0,1.0D-5,x\none,150,2.5-005,y\ntwo,0,1e-5,x\ntwo,200,3e-5,x\n",
    );
    writeFileSync(at("b.csv"), "CO,Time,model\n1e-5,0,one\n2e-5,100,one\n");
    const frame = await openInput([at("a.csv"), at("b.csv")], { key: "df" });
    expect(frame.rows).toBe(6);
    const shown = "print(pandas.read_hdf('even.h5', 'df')[['Tracer', 'Time', 'CO']].values.tolist())";
    const rows = JSON.parse(run(resampling(frame), shown)) as number[][];
    expect(rows.map((row) => row.map((value) => Number(value.toPrecision(4))))).toEqual([
      ...[
        [0, 0, 1e-5],
        [0, 100, 2e-5],
      ],
      ...[
        [1, 0, 1e-5],
        [1, 100, 2e-5],
        [1, 200, 3e-5],
      ],
      ...[
        [2, 0, 1e-5],
        [2, 100, 2e-5],
      ],
    ]);
    frame.close();
    const words = await openInput([at("a.csv")], { key: "df" });
    run(resampling(words));
    const even = await openFrame(at("even.h5"), "df");
    expect(even.labels("Tracer").values).toEqual([0, 1]);
    for (const each of [even, words]) each.close();
  });
});
