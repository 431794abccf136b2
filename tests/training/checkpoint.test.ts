import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeSafetensors, encodeSafetensors } from "../../src/formats/safetensors.ts";
import {
  type Checkpoint,
  checkOrigin,
  decodeCheckpoint,
  encodeCheckpoint,
  readCheckpoint,
  writeCheckpoint,
} from "../../src/training/checkpoint.ts";
import { CheckpointKeeper, checkpointPaths } from "../../src/training/checkpoint-keeper.ts";
import type { TrainingState } from "../../src/training/training-state.ts";
import { testFolder, thrownBy } from "../helpers/folder.ts";

const folder = testFolder();

/** A state pass some epochs, with numbers that JSON does not know and digits that only 64 bits hold. */
function stateAt(epoch: number): TrainingState {
  return {
    arrays: { "state/parameters": Float32Array.of(epoch, 0.1), "validation/errors": Float64Array.of(0.1, 1 / 3) },
    values: {
      steps: 3 * epoch,
      elapsed_ms: 0.1,
      epoch,
      position: null,
      phase: {
        index: 1,
        epochs: 2,
        steps: 6,
        elapsed_ms: 3,
        steering: { best_metric: Number.POSITIVE_INFINITY, stagnant_epochs: Number.NaN },
        averaged: null,
        ended: null,
      },
      skipped_in_a_row: 0,
      best: null,
      log: [],
    },
  };
}

const checkpoint: Checkpoint = {
  origin: { kind: "autoencoder", dataset: "abc", model: { latent_dim: 3 } },
  config: { model: { lr: 1e-3 } },
  state: stateAt(2),
};

/** The checkpoint with something else in its metadata. */
function changed(change: (header: Record<string, unknown>) => void): string {
  const { tensors, metadata } = encodeCheckpoint(checkpoint);
  const header = JSON.parse(metadata.training!) as Record<string, unknown>;
  change(header);
  const path = join(folder, "changed.safetensors");
  writeFileSync(path, Buffer.concat(encodeSafetensors(tensors, { training: JSON.stringify(header) })));
  return path;
}

describe("a checkpoint", () => {
  it("comes back from its file to the bit", () => {
    const path = join(folder, "last.safetensors");
    writeCheckpoint(path, checkpoint);
    expect(readCheckpoint(path)).toEqual(checkpoint);
  });

  it("of a newer format is refused by its number and the version that wrote it", async () => {
    const path = changed((header) => Object.assign(header, { format_version: 2, astrochem: "9.1.0" }));
    expect(await thrownBy(() => readCheckpoint(path), folder)).toMatchInlineSnapshot(`
      "CheckpointError: …/changed.safetensors has checkpoint format 2; this version reads up to 1
        at   …/changed.safetensors
        fix  resume with astrochem 9.1.0, which wrote it"
    `);
  });

  it("that is none, or damaged, is told as such", async () => {
    const bare = decodeSafetensors(Buffer.concat(encodeSafetensors(new Map(), {})), "bare");
    expect(await thrownBy(() => decodeCheckpoint("bare", bare), folder)).toContain("weights alone cannot be resumed");
    const path = changed((header) => delete header.values);
    expect(await thrownBy(() => readCheckpoint(path), folder)).toContain("is damaged: `values`");
  });

  it("belongs to one training: everything that differs is named", async () => {
    const { origin } = checkpoint;
    checkOrigin("last", origin, { ...origin });
    const thrown = await thrownBy(() => checkOrigin("last", origin, { ...origin, dataset: "xyz", seed: 1 }), folder);
    expect(thrown).toContain('with another dataset ("abc" there, "xyz" here), seed (none there, 1 here)');
  });
});

describe("the keeper of checkpoints", () => {
  /** A keeper whose writes take `cost` milliseconds on a clock that the test moves. */
  function keeperIn(name: string, cost: number, minutes = 10) {
    const [place, log, bests] = [join(folder, name), [] as string[], [] as number[]];
    let [time, wanted] = [0, false];
    const keeper = new CheckpointKeeper({
      folder: place,
      origin: {},
      config: null,
      minutes,
      isWanted: () => {
        const was = wanted;
        wanted = false;
        return was;
      },
      now: () => time,
      writeBest: (_, { state }) => {
        bests.push(state.values.epoch);
        time += cost;
      },
      log: (message) => log.push(message),
    });
    const epochInLast = (): number => readCheckpoint(checkpointPaths(place).last).state.values.epoch;
    const pass = (ms: number): void => {
      time += ms;
    };
    const ask = (): void => {
      wanted = true;
    };
    return { keeper, log, bests, epochInLast, pass, ask };
  }

  it("writes every epoch, and the best ones apart", () => {
    const { keeper, bests, epochInLast, pass } = keeperIn("each", 0);
    for (const [epoch, improved] of [true, false, true].entries()) {
      keeper.keep(stateAt(epoch), { improved, mayWait: true });
      expect(epochInLast()).toBe(epoch);
      pass(1);
    }
    expect(bests).toEqual([0, 2]);
    expect(readdirSync(join(folder, "each"))).toEqual(["last.safetensors"]);
  });

  it("spends no more than a fiftieth of the time on those that may wait", () => {
    const { keeper, bests, epochInLast, pass } = keeperIn("short", 10);
    keeper.keep(stateAt(0), { improved: true, mayWait: true });
    pass(499);
    keeper.keep(stateAt(1), { improved: true, mayWait: true });
    expect([epochInLast(), bests]).toEqual([0, [0]]);
    pass(1);
    keeper.keep(stateAt(2), { improved: false, mayWait: true });
    // The best that had to wait is written as it was then.
    expect([epochInLast(), bests]).toEqual([2, [0, 1]]);
    keeper.keep(stateAt(3), { improved: false, mayWait: false });
    expect(epochInLast()).toBe(3);
  });

  it("is due pass its minutes, and when somebody asks, whom it answers", () => {
    const { keeper, log, pass, ask } = keeperIn("due", 0, 2);
    pass(119_999);
    expect(keeper.isDue()).toBe(false);
    pass(1);
    expect(keeper.isDue()).toBe(true);
    keeper.keep(stateAt(0), { improved: false, mayWait: false });
    expect([keeper.isDue(), log]).toEqual([false, []]);
    ask();
    expect(keeper.isDue()).toBe(true);
    keeper.keep(stateAt(1), { improved: false, mayWait: false });
    expect([keeper.isDue(), log]).toEqual([false, [expect.stringContaining("checkpoint as asked for")]]);
  });

  it("leaves the last checkpoint as it was where a new one cannot be written", async () => {
    const { keeper, epochInLast } = keeperIn("full", 0);
    keeper.keep(stateAt(0), { improved: false, mayWait: false });
    const before = readFileSync(join(folder, "full/last.safetensors"));
    const broken = { ...stateAt(1), arrays: { "state/x": "no array" as unknown as Float32Array } };
    expect(() => keeper.keep(broken, { improved: false, mayWait: false })).toThrow();
    expect([epochInLast(), readFileSync(join(folder, "full/last.safetensors")).equals(before)]).toEqual([0, true]);
    expect(readdirSync(join(folder, "full"))).toEqual(["last.safetensors"]);
  });
});
