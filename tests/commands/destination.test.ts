import { linkSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkDestination, type WrittenKind } from "../../src/commands/destination.ts";
import { FrameWriter } from "../../src/data/frame.ts";
import { createHdf5 } from "../../src/data/hdf5.ts";
import { writeSafetensors } from "../../src/formats/safetensors.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";

const folder = testFolder();
const at = (name: string): string => join(folder, name);
const told = (name: string, kind: WrittenKind, inputs: string[] = [], overwrite = false) =>
  thrownBy(() => checkDestination({ path: at(name), kind, inputs: inputs.map(at), overwrite }), folder);
const passes = (name: string, kind: WrittenKind, inputs: string[] = [], overwrite = false) =>
  checkDestination({ path: at(name), kind, inputs: inputs.map(at), overwrite });

async function writeFrames(name: string, keys: readonly string[]): Promise<void> {
  const file = await createHdf5(at(name));
  for (const key of keys) {
    const writer = new FrameWriter(file, key, { float32: ["a"], int64: [], order: ["a"] }, 1);
    writer.append(Float32Array.of(1), BigInt64Array.of(), 1);
    writer.finish();
  }
  file.close();
}

it("never lets an input be replaced, whatever links name it, nor with --overwrite", async () => {
  await writeFrames("in.h5", ["emulated"]);
  symlinkSync(at("in.h5"), at("symbolic.h5"));
  linkSync(at("in.h5"), at("hard.h5"));
  for (const name of ["in.h5", "./in.h5", "symbolic.h5", "hard.h5"]) {
    for (const overwrite of [false, true]) {
      expect(await told(name, "emulated", ["absent", "in.h5"], overwrite)).toContain("would replace the input …/in.h5");
    }
    expect(await told("in.h5", "emulated", [name])).toContain("would replace the input");
  }
});

it("never lets an output be read for another that is still to be written", async () => {
  expect(await told("absent.h5", "emulated", ["./absent.h5"], true)).toContain("would replace the input");
});

it("lets what astrochem wrote be replaced by the same kind, and anything else by --overwrite only", async () => {
  await writeFrames("raw.h5", ["df"]);
  await writeFrames("clean.h5", ["train", "val"]);
  await writeFrames("emulated.h5", ["emulated"]);
  writeFileSync(at("text.h5"), "hello");
  writeSafetensors(at("a.safetensors"), new Map(), { kind: "autoencoder", format_version: "3" });
  writeSafetensors(at("foreign.safetensors"), new Map(), {});
  writeFileSync(at("own.onnx"), "\x08\x09\x12\x09astrochem");
  writeFileSync(at("other.onnx"), "\x08\x09\x12\x07pytorch");
  const cache = await createHdf5(at("cache.h5"));
  for (const name of ["astrochem_hash", "astrochem_parts"]) cache.setAttribute("/", name, "{}");
  cache.close();
  writeFileSync(at("log.json"), '[{ "epoch": 0, "mean": null }]');
  writeFileSync(at("settings.json"), '{ "epoch": 0, "mean": 1 }');
  writeFileSync(at("page.html"), '<meta name="generator" content="astrochem compare">');
  writeFileSync(at("report.html"), '<meta name="generator" content="astrochem evaluate">');
  const ours: [string, WrittenKind][] = [
    ["emulated.h5", "emulated"],
    ["clean.h5", "clean"],
    ["a.safetensors", "autoencoder"],
    ["own.onnx", "onnx"],
    ["new.h5", "emulated"],
    ["cache.h5", "cache"],
    ["log.json", "epochs"],
    ["page.html", "comparisonPage"],
  ];
  for (const [name, kind] of ours) await passes(name, kind);
  const theirs: [string, WrittenKind][] = [
    ["raw.h5", "emulated"],
    ["clean.h5", "emulated"],
    ["emulated.h5", "clean"],
    ["text.h5", "clean"],
    ["a.safetensors", "emulator"],
    ["foreign.safetensors", "autoencoder"],
    ["other.onnx", "onnx"],
    ["clean.h5", "cache"],
    ["text.h5", "cache"],
    ["cache.h5", "clean"],
    ["settings.json", "epochs"],
    ["report.html", "comparisonPage"],
  ];
  for (const [name, kind] of theirs) {
    expect(await told(name, kind), name).toMatch(
      /exists, and is no .* that astrochem wrote\n.*\n {2}fix .*--overwrite/,
    );
    await passes(name, kind, [], true);
  }
  expect(readFileSync(at("text.h5"), "utf8")).toBe("hello");
});

it.each([
  ["x.csv", "emulated", "HDF5"],
  ["x.npy", "emulated", "HDF5"],
  ["x.JSON", "clean", "HDF5"],
  ["weights.safetensors", "emulated", "HDF5"],
  ["weights.pth", "autoencoder", "safetensors"],
  ["weights.h5", "emulator", "safetensors"],
  ["range.json", "latentRange", "NPY"],
] as const)("refuses %s for what is of kind %s, with --overwrite too", async (name, kind, format) => {
  expect(await told(name, kind, [], true)).toContain(`would be written as ${format}, not as .`);
  await passes("no-suffix", kind);
});
