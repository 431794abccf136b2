import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { keepReplaced } from "../../src/commands/replaced-weights.ts";
import { checkPair, keptCopies } from "../../src/models/companion.ts";
import { readAutoencoder, readEmulator } from "../../src/models/weights-file.ts";
import { fixture } from "../helpers/fixtures.ts";
import { temporaryFolder } from "./buffers.ts";

const [autoencoder, emulator] = ["autoencoder", "emulator"].map((kind) =>
  fixture(`formats/${kind}-v3.safetensors`),
) as [string, string];

/** A folder with weights, and with a run that has them where it is asked for. */
function folderWith({ run }: { run: boolean }) {
  const cwd = temporaryFolder();
  const [path, outputs] = [join(cwd, "weights/autoencoder.safetensors"), join(cwd, "outputs")];
  mkdirSync(join(cwd, "weights"));
  cpSync(autoencoder, path);
  const best = join(outputs, "2026-11-27/04-05-06-train-autoencoder/checkpoints/best.safetensors");
  if (run) {
    mkdirSync(join(best, ".."), { recursive: true });
    cpSync(autoencoder, best);
  }
  const told: string[] = [];
  const keep = () =>
    keepReplaced(path, { command: "train-autoencoder", outputs }, (message) => told.push(message.replaceAll(cwd, "…")));
  return { cwd, path, best, told, keep, weights: () => readdirSync(join(cwd, "weights")) };
}

describe("weights that a training replaces", () => {
  it("are those of a run, which keeps them", () => {
    const { keep, told, weights } = folderWith({ run: true });
    keep()();
    expect(told).toEqual([
      "…/weights/autoencoder.safetensors holds the weights of …/outputs/2026-11-27/04-05-06-train-autoencoder, which keeps them: " +
        "…/outputs/2026-11-27/04-05-06-train-autoencoder/checkpoints/best.safetensors",
    ]);
    expect(weights()).toEqual(["autoencoder.safetensors"]);
  });

  it("are copied where no run has them, and the copy stays where they were replaced", () => {
    const { path, cwd, keep, told } = folderWith({ run: false });
    const before = readFileSync(path);
    const settle = keep();
    cpSync(fixture("formats/autoencoder-v2.safetensors"), path);
    settle();
    const copies = keptCopies(join(cwd, "weights"), "autoencoder");
    expect(copies).toHaveLength(1);
    expect(readFileSync(copies[0]!)).toEqual(before);
    expect(told[0]).toMatch(/a copy is kept as …\/weights\/autoencoder\.[0-9a-f]{8}\.safetensors$/);
  });

  it("leave no copy where they were not replaced", () => {
    const { keep, weights } = folderWith({ run: false });
    keep()();
    expect(weights()).toEqual(["autoencoder.safetensors"]);
  });

  it("are none where there is no file, or another program's", () => {
    const { path, keep, told, weights } = folderWith({ run: false });
    writeFileSync(path, "no weights");
    keep()();
    expect([told, weights()]).toEqual([[], ["autoencoder.safetensors"]]);
  });
});

describe("an emulator of another autoencoder", () => {
  it.each([true, false])("is told where its own is still kept (in a run: %s)", (isInRun) => {
    const { cwd, path, best, keep } = folderWith({ run: isInRun });
    keep();
    cpSync(fixture("formats/autoencoder-v2.safetensors"), path);
    const other = { ...readAutoencoder(path), latent_range: [-1, 1] as [number, number] };
    const pair = { path: join(cwd, "weights/emulator.safetensors"), weights: readEmulator(emulator) };
    const place = isInRun ? best : keptCopies(join(cwd, "weights"), "autoencoder")[0]!;
    expect(() => checkPair({ path, weights: other }, pair)).toThrow(`the one that belongs to it is ${place}`);
  });
});
