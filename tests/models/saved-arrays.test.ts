import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { encodeSafetensors } from "../../src/formats/safetensors.ts";
import { readSavedArrays } from "../../src/models/saved-arrays.ts";
import { pack } from "../formats/archives.ts";

const folder = mkdtempSync(join(tmpdir(), "astrochem-saved-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const wanted = new Set(["net.0.weight", "net.0.bias"]);
const read = (name: string) => readSavedArrays(join(folder, name), wanted);

/** A state_dict in protocol 0; every tensor is [1], of the one storage, which holds 1.5. */
const dict = (names: readonly string[]): string =>
  `}(${names.map((name) => `S'${name}'\nctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI1\ntQI0\n(I1\nt(I1\ntI00\nNtR`).join("")}u`;
function pth(name: string, pickle: string): void {
  const storage = Buffer.from(Float32Array.of(1.5).buffer);
  writeFileSync(
    join(folder, name),
    pack(
      new Map([
        ["a/data/0", storage],
        ["a/data.pkl", Buffer.from(`${pickle}.`, "latin1")],
      ]),
    ),
  );
}
const under = (prefix: string): string => dict([...wanted].map((name) => prefix + name));
const found = { dtype: "F32", shape: [1], data: Float32Array.of(1.5) };

describe("readSavedArrays", () => {
  it.each(["", "_orig_mod.", "module.", "module._orig_mod.", "model.emulator.", "net."])(
    "takes the prefix %j off",
    (prefix) => {
      pth("prefix.pth", under(prefix));
      const { arrays, notes } = read("prefix.pth");
      expect(arrays).toEqual(new Map([...wanted].map((name) => [name, found])));
      expect(notes).toEqual(prefix === "" ? [] : [`prefix.pth: took the prefix \`${prefix}\` off the names`]);
    },
  );

  it("passes over what stands beside a whole model's prefix, and says so", () => {
    pth("averaged.pth", dict(["n_averaged", "module.net.0.weight", "module.net.0.bias"]));
    const { arrays, notes } = read("averaged.pth");
    expect([...arrays.keys()]).toEqual([...wanted]);
    expect(notes[1]).toBe("averaged.pth: passed over n_averaged");
  });

  it("takes the state_dict of a checkpoint that has the names, whatever classes stand beside it", () => {
    const attributes = "clightning.utilities\nAttributeDict\n)\x81(S'lr'\nG?\xf0\x00\x00\x00\x00\x00\x00u";
    const optimizer = `}(S'state'\n}(I0\n${dict(["exp_avg"])}uu`;
    pth(
      "x.ckpt",
      `}(S'epoch'\nI3\nS'hyper_parameters'\n${attributes}S'optimizer'\n${optimizer}S'autoencoder'\n${dict(["fc.weight"])}S'emulator'\n${under("model.")}u`,
    );
    const { arrays, notes } = read("x.ckpt");
    expect([...arrays.keys()]).toEqual([...wanted]);
    expect(notes).toEqual([
      "x.ckpt: took the arrays in `emulator`, not those in autoencoder",
      "x.ckpt: took the prefix `model.` off the names",
    ]);
  });

  it("refuses to choose between state_dicts that fit as well", () => {
    pth("two.pth", `}(S'state_dict'\n${under("")}S'ema'\n${under("")}u`);
    expect(() => read("two.pth")).toThrow(
      /several state_dicts: state_dict, ema[\s\S]*\["state_dict"\], "weights\.pth"/,
    );
  });

  const shard = (name: string, array: string): void =>
    writeFileSync(
      join(folder, name),
      Buffer.concat(encodeSafetensors(new Map([[array, { dtype: "F64", shape: [1], data: Float64Array.of(2) }]]))),
    );
  const index = (map: object): void =>
    writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: map }));

  it("puts shards together by their index", () => {
    shard("a.safetensors", "model.net.0.weight");
    shard("b.safetensors", "model.net.0.bias");
    index({ "model.net.0.weight": "a.safetensors", "model.net.0.bias": "b.safetensors" });
    const { arrays } = read("model.safetensors.index.json");
    expect(arrays.get("net.0.bias")).toEqual({ dtype: "F64", shape: [1], data: Float64Array.of(2) });
    expect(arrays.size).toBe(2);
  });

  it.each([
    [{ "net.0.weight": "b.safetensors" }, /b\.safetensors does not hold the array net\.0\.weight/],
    [{ "net.0.weight": "c.safetensors" }, /there is no file .*c\.safetensors/],
    [{ "net.0.weight": "../a.safetensors" }, /names the shard "\.\.\/a\.safetensors", which is no file beside it/],
    [{ "net.0.weight": "model.safetensors.index.json" }, /no file beside it/],
    [null, /has no weight_map/],
  ])("refuses the index %j", (map, message) => {
    shard("b.safetensors", "net.0.bias");
    index(map as object);
    expect(() => read("model.safetensors.index.json")).toThrow(message);
  });

  it("refuses astrochem's own files: an import would lose their metadata", () => {
    const array = { dtype: "F32", shape: [1], data: Float32Array.of(2) } as const;
    writeFileSync(
      join(folder, "own.safetensors"),
      Buffer.concat(encodeSafetensors(new Map([["a", array]]), { kind: "emulator", format_version: "5" })),
    );
    expect(() => read("own.safetensors")).toThrow(/astrochem's own emulator already[\s\S]*use it as it is/);
  });
});
