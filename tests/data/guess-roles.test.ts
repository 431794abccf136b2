import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { openFrame } from "../../src/data/frame.ts";
import { guessRoles } from "../../src/data/guess-roles.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";
import { writeRawRows } from "../helpers/raw-frame.ts";

const folder = testFolder();

async function guess(columns: Record<string, (tracer: number, k: number) => number>) {
  const path = join(folder, "raw.h5");
  const rows = [0, 1, 2].flatMap((tracer) =>
    [0, 1, 2, 3, 4].map((k) => Object.fromEntries(Object.entries(columns).map(([name, f]) => [name, f(tracer, k)]))),
  );
  await writeRawRows(path, rows);
  const frame = await openFrame(path, "df");
  try {
    return await guessRoles(frame);
  } finally {
    frame.close();
  }
}

const [clock, id, one] = [(_: number, k: number) => k + 1, (tracer: number) => 7 + tracer, () => 1];

describe("guessing what columns are", () => {
  it("finds time and tracer by their values where no name says so, and doubts it", async () => {
    const { columns, notes, unknown } = await guess({ when: clock, who: id, nothing: one, Av: one, CO: one });
    expect(columns).toEqual({ Time: "when", Model: "who" });
    expect(unknown).toEqual(["nothing"]);
    expect(notes.filter(({ isDoubtful }) => isDoubtful).map(({ what }) => what)).toEqual([
      "Time: column `when`",
      "Model: column `who`",
    ]);
  });

  it("asks for a name where two columns could be the time, and for an id where there is none", async () => {
    const twice = () => guess({ when: clock, later: clock, who: id, CO: one });
    expect(await thrownBy(twice, folder)).toMatchInlineSnapshot(`
      "DataError: no column is the time: when or later?
        at   …/raw.h5, key df
        fix  call it Time in the file"
    `);
    expect(await thrownBy(() => guess({ Time: clock, CO: one }), folder)).toMatchInlineSnapshot(`
      "DataError: no column is the tracer
        at   …/raw.h5, key df
        fix  add it in Python: frame["Tracer"] = (frame["Time"].diff() < 0).cumsum()"
    `);
  });

  it("knows seconds and grams by their size", async () => {
    const { units, notes } = await guess({ t: (_, k) => 1e11 * (k + 1), id, rho: () => 1e-20, CO: one });
    expect(units).toEqual({ Time: "s", Density: "g cm^-3" });
    expect(notes.filter(({ isDoubtful }) => isDoubtful)).toHaveLength(2);
  });

  it("prefers our own names, and leaves the others unused", async () => {
    const { columns, unknown } = await guess({ age: clock, Time: clock, Tracer: id, run: one, n: one, CO: one });
    expect([columns, unknown]).toEqual([{ Density: "n" }, ["age", "run"]]);
  });
});
