import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { inspectFile } from "../../../src/analysis/inspection/inspect-file.ts";
import { elementTable } from "../../../src/chemistry/element-table.ts";
import { inspectionText } from "../../../src/commands/inspection-text.ts";
import { here } from "../../../src/formats/process-place.ts";
import { testFolder, thrownBy } from "../../helpers/folder.ts";
import { options } from "./settings.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);

function epoch(number: number, metric: number | null): object {
  return {
    epoch: number,
    metric,
    learning_rate: 1e-3 / (1 + number),
    dropout: 0,
    seconds_training: 2,
    seconds_validation: 1,
  };
}

describe("a run's folder", () => {
  it("tells what was run, how it ended, its epochs, metrics and files", async () => {
    mkdirSync(at("run"));
    const write = (name: string, text: string): void => writeFileSync(at(`run/${name}`), text);
    write("summary.json", JSON.stringify({ command: "train-emulator", outcome: "completed", seconds: 9 }));
    write("environment.json", JSON.stringify({ started_at: "2026-11-23T07:00:00.000Z", cpu: { count: 2 } }));
    write("overrides.yaml", "- dataset=sample\n- model.lr=1e-3\n");
    write("config.yaml", "seed: 3\nmodel:\n  lr: 1e-3\n  hidden_dims: [160, 80]\n");
    write("epochs.jsonl", [epoch(0, 5), epoch(1, 0.5), epoch(2, null)].map((line) => JSON.stringify(line)).join("\n"));
    write("metrics.json", JSON.stringify({ emulation: { mean: 0.5 }, worst: Array(20).fill(1) }));
    expect(await inspectFile(at("run"), options)).toMatchObject({
      kind: "run",
      command: "train-emulator",
      outcome: "completed",
      started_at: "2026-11-23T07:00:00.000Z",
      seconds: 9,
      overrides: ["dataset=sample", "model.lr=1e-3"],
      environment: { "cpu.count": 2 },
      config: { seed: 3, "model.lr": 1e-3, "model.hidden_dims": [160, 80] },
      epochs: { count: 3, best_epoch: 1, best_metric: 0.5, last_metric: null, seconds: 9 },
      metrics: { "emulation.mean": 0.5, worst: "20 entries" },
      unreadable: [],
    });
  });

  it("is told as far as it can be read", async () => {
    mkdirSync(at("damaged"));
    writeFileSync(at("damaged/environment.json"), "{");
    writeFileSync(at("damaged/config.yaml"), "a: [");
    writeFileSync(at("damaged/overrides.yaml"), "[]\n");
    writeFileSync(at("damaged/epochs.jsonl"), `${JSON.stringify(epoch(0, 5))}\n{"epoch": 1, "met`);
    const found = await inspectFile(at("damaged"), options);
    expect(found).toMatchObject({ outcome: null, overrides: [], epochs: { count: 1 } });
    expect(found.kind === "run" && found.unreadable.map(({ key }) => key)).toEqual(["environment.json", "config.yaml"]);
  });
});

describe("the summary of a log", () => {
  it.each([
    [
      [
        { mean: 1e5, dex: 0.2, metric: 0.2 },
        { mean: 2e5, dex: 0.1, metric: 0.1 },
      ],
      "dex",
      0.1,
    ],
    [
      [
        { mean: 0.4, dex: 0.1, metric: 0.4 },
        { mean: 0.3, dex: 0.2, metric: 0.3 },
      ],
      "relative",
      0.3,
    ],
    [
      [
        { mean: 0.4, metric: 0.4 },
        { mean: 0.3, metric: 0.3 },
      ],
      "relative",
      0.3,
    ],
    [[{ mean: 0.4 }, { mean: 0.3 }], null, null],
  ])("names the metric that chose the epoch", async (records, metric, best_metric) => {
    writeFileSync(at("log.json"), JSON.stringify(records.map((record, k) => ({ ...epoch(k, null), ...record }))));
    const found = await inspectFile(at("log.json"), options);
    expect(found.kind === "epochs" && found.epochs).toMatchObject({ metric, best_metric });
    const text = inspectionText(found, [], "log.json");
    const kind = { dex: "(mean error, dex, validation)", relative: "(mean relative error, validation)" };
    if (metric === null) expect(text).toMatch(/best error +none\n/);
    else expect(text).toContain(`${best_metric}000 in epoch 2 ${kind[metric as keyof typeof kind]}`);
  });
});

it.each([
  ["running", process.pid],
  ["killed", 2 ** 22 + 1],
])("a run without a summary is %s by its lock", async (outcome, pid) => {
  mkdirSync(at(outcome));
  writeFileSync(at(`${outcome}/config.yaml`), "seed: 3\n");
  writeFileSync(at(`${outcome}/.lock`), JSON.stringify({ pid, ...here, began: null }));
  expect(await inspectFile(at(outcome), options)).toMatchObject({ kind: "run", outcome });
});

describe("a run of a newer version", () => {
  const newer = { ...epoch(0, 5), format_version: 2 };

  it("is told but for the files of that version, which are refused by its number", async () => {
    mkdirSync(at("newer"));
    const write = (name: string, text: string): void => writeFileSync(at(`newer/${name}`), text);
    write("summary.json", '{"format_version": 2, "outcome": "completed"}');
    write("environment.json", '{"format_version": "x", "command": "evaluate"}');
    write("epochs.jsonl", JSON.stringify(newer));
    write("metrics.json", '{"format": "astrochem-metrics", "format_version": 3}');
    write("config.yaml", "seed: 3\n");
    const found = await inspectFile(at("newer"), options);
    expect(found).toMatchObject({ outcome: null, epochs: null, metrics: {}, config: { seed: 3 } });
    const problems = found.kind === "run" ? found.unreadable.map(({ problem }) => problem.replaceAll(folder, "…")) : [];
    expect(problems.map((problem) => problem.split(";")[0])).toEqual([
      "…/newer/summary.json has run format 2",
      '…/newer/environment.json names no version of the run format: "x"',
      "…/newer/epochs.jsonl has epoch log format 2",
      "…/newer/metrics.json has metrics format 3",
    ]);
  });

  it("has a log that is refused alone, too", async () => {
    writeFileSync(at("newer.json"), JSON.stringify([epoch(0, 1), newer]));
    writeFileSync(at("newer.jsonl"), `${JSON.stringify(newer)}\n`);
    for (const name of ["newer.json", "newer.jsonl"]) {
      expect(await thrownBy(() => inspectFile(at(name), options), folder)).toContain(
        `DataError: …/${name} has epoch log format 2; this version reads 1`,
      );
    }
  });
});

describe("files of settings and results", () => {
  it("are read by content: an epoch log, JSON, YAML", async () => {
    writeFileSync(at("log"), JSON.stringify([epoch(0, 2), epoch(1, 1)]));
    writeFileSync(at("any.json"), '{"a": {"b": [1, 2]}, "__proto__": {"c": 1}}');
    writeFileSync(at("any.yaml"), "a:\n  b: x\n");
    expect(await inspectFile(at("log"), options)).toMatchObject({
      kind: "epochs",
      epochs: { count: 2, best_epoch: 1 },
    });
    expect(await inspectFile(at("any.json"), options)).toMatchObject({
      kind: "document",
      format: "json",
      entries: { "a.b": [1, 2], "__proto__.c": 1 },
    });
    expect(await inspectFile(at("any.yaml"), options)).toMatchObject({ format: "yaml", entries: { "a.b": "x" } });
  });

  it("may be nested without end: what lies too deep is counted only", async () => {
    writeFileSync(at("deep.json"), `${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`);
    const found = await inspectFile(at("deep.json"), options);
    expect(found.kind === "document" && Object.values(found.entries)).toEqual(["1 entries"]);
  });

  it("are refused where they are damaged", async () => {
    writeFileSync(at("bad.json"), '{"a": ');
    writeFileSync(at("bad.jsonl"), '{"epoch": 1}\n{"ep\n{}\n');
    writeFileSync(at("bad.yaml"), "- 1\n");
    expect(await thrownBy(() => inspectFile(at("bad.json"), options), folder)).toMatch(
      /^DataError: .*bad.json is not JSON/,
    );
    expect(await thrownBy(() => inspectFile(at("bad.jsonl"), options), folder)).toMatch(
      /^DataError: .*bad.jsonl:2 is not JSON/,
    );
    expect(await thrownBy(() => inspectFile(at("bad.yaml"), options), folder)).toMatch(
      /^ConfigError: .*is not a mapping/,
    );
  });
});

describe("everything else", () => {
  it("is a folder, whose files are listed", async () => {
    mkdirSync(at("project/weights"), { recursive: true });
    writeFileSync(at("project/weights/a.safetensors"), "12");
    const found = await inspectFile(at("project"), options);
    expect(found).toMatchObject({ kind: "folder", bytes: null, files: [{ name: "weights/a.safetensors", bytes: 2 }] });
  });

  it("is a species list whose names are refused, or doubtful: in the words of the commands that read it", async () => {
    const naming = { naming: {}, matrix: null, allowsNoFormula: true, where: "species.txt" };
    const look = (text: string) => {
      writeFileSync(at("species.txt"), text);
      return inspectFile(at("species.txt"), options);
    };
    expect(await look("H\nJCO\nPAHX\n")).toMatchObject({
      problems: [],
      doubts: elementTable(["H", "JCO", "PAHX"], naming).notes,
    });
    expect(await look("CO\nC18O\n")).toMatchObject({
      problems: [
        expect.stringMatching(/^a species' name may mean an isotope or a count: `C18O` \(18O\?\); isotopes: add/),
      ],
      doubts: [],
    });
  });

  it("is a species list", async () => {
    writeFileSync(at("species.txt"), "H\n#CO\n");
    expect(await inspectFile(at("species.txt"), options)).toMatchObject({
      kind: "species",
      species: { count: 2, surface: 1 },
      problems: [],
      doubts: [],
    });
  });

  it("is refused by name: absent, empty, a device, a table without a header, bytes", async () => {
    writeFileSync(at("empty"), "");
    writeFileSync(at("table.csv"), "0,1,2\n1,1,2\n");
    writeFileSync(at("bytes"), Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]));
    const told = await Promise.all(
      ["absent", "empty", "table.csv", "bytes"].map((name) => thrownBy(() => inspectFile(at(name), options), folder)),
    );
    expect(told.join("\n")).toMatchInlineSnapshot(`
      "DataError: there is no such file: …/absent
        fix  check the path
      DataError: the file is empty: …/empty
        fix  make or copy it again
      DataError: a table of text without a header, 3 columns: …/table.csv
        at   …/table.csv
        fix  write a header of your own, in Python (the names are those of your columns, in their order):
             import pandas
             names = ["Time (s)", "Density", "gasTemp"] + [f"column{i}" for i in range(4, 4)]  # 3 names
             pandas.read_csv("…/table.csv", sep=r",", header=None, names=names, comment="#").to_csv("named.csv", index=False)
      DataError: no kind of file that is known here: …/bytes
        at   …/bytes
        fix  give a HDF5 file, a table of text, weights (.safetensors, .pth, .onnx), an array (.npy), a run's folder, or one of its files"
    `);
    writeFileSync(at("run.log"), '{"level":30}\n{"level":30}\n');
    expect(await thrownBy(() => inspectFile(at("run.log"), options), folder)).toMatch(/^DataError: a log, to be read/);
    expect(await thrownBy(() => inspectFile("/dev/null", options), folder)).toMatch(/neither a file nor a folder/);
    expect(await thrownBy(() => inspectFile(at("table.csv"), { ...options, key: "df" }), folder)).toMatch(
      /--key is for HDF5/,
    );
  });
});
