// Runs the examples of every `--help`, found in the commands themselves, as they stand after the demo.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { commands } from "../src/commands/registry.ts";
import { writeNpy } from "../src/formats/npy.ts";
import { compressorOf } from "../src/models/compressors.ts";
import { evolverOf } from "../src/models/evolvers.ts";
import type { Layout } from "../src/models/layout.ts";
import { writePth } from "./faults/make-pth.ts";
import { testFolder } from "./helpers/folder.ts";

const folder = testFolder();
const program = join(import.meta.dirname, "..", "dist", "cli.js");

/** Of no example, but of the slowest machine. */
const minutes = 600_000;

/** What makes a slow example quick; everything else runs as it stands. */
const quicker: Readonly<Record<string, string>> = {
  "train-autoencoder": "recipe=original model.max_epochs=1",
  "train-emulator": "recipe=original model.max_epochs=1",
  tune: "recipe=original model.max_epochs=1 --trials 1",
};

function shell(line: string): { status: number | null; told: string } {
  const script = `astrochem() { "$NODE" "$PROGRAM" "$@"; }; ${line}`;
  const env = { ...process.env, NODE: process.execPath, PROGRAM: program };
  const { status, stdout, stderr } = spawnSync("bash", ["-c", script], { cwd: folder, env, encoding: "utf8" });
  return { status, told: `${stdout}\n${stderr}` };
}

/** The files of the user's own that the examples of import-weights name: weights of the original's sizes. */
function writeImports(): void {
  const compressor = compressorOf({
    model_name: "autoencoder",
    model: { input_dim: 333, latent_dim: 14, hidden_dims: [160, 80] },
  });
  const evolver = evolverOf({
    model_name: "emulator",
    model: { input_dim: 18, output_dim: 14, hidden_dim: 180 },
  });
  const fresh = (layout: Layout): [Layout, Float32Array] => [
    layout,
    layout.fresh({ fillUniform: (target) => target.fill(0.5) }),
  ];
  const { trainable, statistics } = compressor.layouts;
  writePth(join(folder, "ae.pth"), [fresh(trainable), fresh(statistics)]);
  writePth(join(folder, "mlp.pth"), [fresh(evolver.layout)]);
  writeNpy(join(folder, "minmax.npy"), { shape: [2], data: Float64Array.of(-1, 5) });
}

describe("after the demo", async () => {
  beforeAll(() => {
    expect(shell("astrochem demo --quick").told).toContain("to use this surrogate: astrochem emulate FILE --weights");
    writeImports();
  }, minutes);

  const loaded = await Promise.all(commands.map(async ({ name, load }) => ({ name, ...(await load()) })));
  // The demo's own come first: the quick one, the other takes minutes.
  const others = loaded.filter(({ name }) => name !== "demo");
  const examples = others.flatMap(({ name, examples }) =>
    examples.map(([line]) => [line, quicker[name] ?? ""] as const),
  );

  it.each(examples)(
    "runs `%s` %s",
    (line, more) => {
      const { status, told } = shell(`${line} ${more}`);
      expect(status, told).toBe(0);
    },
    minutes,
  );
});
