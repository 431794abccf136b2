import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  estimateRemaining,
  Progress,
  type ProgressState,
  renderBar,
  renderEpoch,
} from "../../src/commands/progress.ts";
import { StatusLine } from "../../src/commands/status-line.ts";
import type { EpochRecord } from "../../src/training/observer.ts";

const state: ProgressState = {
  phase: "training",
  epoch: 2,
  maxEpochs: 100,
  batch: 45,
  batches: 100,
  items: 37_035,
  unit: "rows",
  elapsed: 3000,
  loss: 1.234e-3,
  metric: "relative",
  lastError: 0.131,
  bestError: 0.12,
  remaining: 3_723_000,
};

const record: EpochRecord = {
  epoch: 2,
  phase: 0,
  dex: 0.05,
  mean: 0.131,
  std: 0.02,
  max: 0.9,
  metric: 0.131,
  dropout: 0.3,
  learning_rate: 9.8e-4,
  train_loss: { total: 1.23e-3, reconstruction: 1, worst: 1, conservation: 1 },
  improved: true,
  stagnant_epochs: 0,
  skipped_steps: 0,
  seconds_training: 1,
  seconds_validation: 1,
  items_per_second: 12_344.6,
};

describe("the bar", () => {
  it("shows all columns where there is room", () => {
    expect(renderBar(state, 140)).toMatchInlineSnapshot(
      `"epoch 3/100  45%|█████████████                | 45/100 [00:03<00:04, 12345 rows/s, loss 1.23e-3, val_mre 1.31e-1, best 1.20e-1, eta 1:02:03]"`,
    );
  });

  it("drops the less important columns first where there is less", () => {
    expect([100, 80, 60, 40, 25].map((width) => renderBar(state, width))).toMatchInlineSnapshot(`
      [
        "epoch 3/100  45%|███████▎        | 45/100 [loss 1.23e-3, val_mre 1.31e-1, best 1.20e-1, eta 1:02:03]",
        "epoch 3/100  45%|████▌     | 45/100 [val_mre 1.31e-1, best 1.20e-1, eta 1:02:03]",
        "epoch 3/100  45%|█████████▌           | 45/100 [eta 1:02:03]",
        "epoch 3/100  45% 45/100",
        "epoch 3/100  45% 45/100",
      ]
    `);
  });

  it("says when it validates", () => {
    expect(renderBar({ ...state, phase: "validation", maxEpochs: null }, 80)).toBe(
      "epoch 3  validating, val_mre 1.31e-1, best 1.20e-1",
    );
  });

  it("does without what is not known yet", () => {
    const fresh = { ...state, epoch: 0, maxEpochs: null, batch: 0, items: 0, elapsed: 0 };
    const unknown = { loss: null, lastError: null, bestError: null, remaining: null };
    expect(renderBar({ ...fresh, ...unknown }, 60)).toMatchInlineSnapshot(
      `"epoch 1   0%|                              | 0/100 [00:00<?]"`,
    );
  });

  it("fits every width, whatever the numbers", () => {
    const number = fc.oneof(fc.double(), fc.constantFrom(null, Number.NaN, Number.POSITIVE_INFINITY, -0));
    const states = fc.record({
      batch: fc.nat(1e6),
      batches: fc.nat(1e6),
      elapsed: fc.nat(1e9),
      items: fc.nat(1e9),
      loss: number,
      lastError: number,
      bestError: number,
      remaining: fc.option(fc.nat(1e12)),
    });
    fc.assert(
      fc.property(states, fc.integer({ min: 0, max: 300 }), (changes, width) => {
        const line = renderBar({ ...state, ...changes }, width);
        expect(line.length).toBeLessThanOrEqual(width);
        expect(line).not.toMatch(/undefined|NaNs|\n/);
      }),
    );
  });
});

describe("the line of an epoch", () => {
  it("holds loss, error, learning rate, speed and the time to come", () => {
    expect(renderEpoch(record, 100, "rows", 41_000)).toBe(
      "epoch 3/100 train_loss 1.23e-3 val_mre 1.31e-1 val_dex 0.0500 lr 9.80e-4 12345 rows/s eta 00:41",
    );
  });

  it("leaves out the time where nobody can tell", () => {
    expect(renderEpoch(record, null, "windows", null)).toBe(
      "epoch 3 train_loss 1.23e-3 val_mre 1.31e-1 val_dex 0.0500 lr 9.80e-4 12345 windows/s",
    );
  });
});

describe("the time to come", () => {
  it("goes by the epochs done", () => {
    expect(estimateRemaining({ epochs: 5, elapsed: 10_000 }, 100, null)).toBe(190_000);
  });

  it("is cut short by the time limit", () => {
    expect(estimateRemaining({ epochs: 5, elapsed: 10_000 }, 100, 60_000)).toBe(50_000);
    expect(estimateRemaining({ epochs: 0, elapsed: 90_000 }, null, 60_000)).toBe(0);
  });

  it("is unknown without a limit, and before the first batch", () => {
    expect(estimateRemaining({ epochs: 5, elapsed: 10_000 }, null, null)).toBeNull();
    expect(estimateRemaining({ epochs: 0, elapsed: 10 }, 100, null)).toBeNull();
  });
});

describe("a training watched", () => {
  function watch(isTTY: boolean) {
    const seen = { terminal: [] as string[], lines: [] as string[], clock: 0 };
    const stream = { isTTY, columns: 100, write: (text: string) => seen.terminal.push(text) };
    const statusLine = new StatusLine(stream, () => seen.clock);
    const writeLine = (line: string) => seen.lines.push(line);
    const progress = new Progress({ statusLine, unit: "rows", now: () => seen.clock, writeLine });
    const epoch = (number: number) => {
      progress.epochStarted(number, 1000, 2);
      for (let batch = 0; batch < 1000; batch++) {
        seen.clock += 1;
        progress.batchDone(10, 0.5);
      }
      progress.validationStarted();
      progress.epochEnded({ ...record, epoch: number });
    };
    return { seen, progress, epoch };
  }

  it("redraws a terminal at most ten times a second", () => {
    const { seen, epoch } = watch(true);
    epoch(0);
    expect(seen.terminal.length).toBeGreaterThan(8);
    expect(seen.terminal.length).toBeLessThanOrEqual(11);
    expect(seen.lines).toEqual([]);
  });

  it("shows the metric that chooses the epoch, the last one beside the best", () => {
    const { seen, progress } = watch(true);
    const ended = (metric: number, improved: boolean) =>
      progress.epochEnded({ ...record, metric, dex: metric, improved });
    ended(0.02, true);
    ended(0.03, false);
    seen.clock = 1000;
    progress.epochStarted(2, 10, null);
    expect(seen.terminal.at(-1)).toContain("val_dex 3.00e-2, best 2.00e-2");
  });

  it("leaves the terminal's line empty when it stops, even half way", () => {
    const { seen, progress } = watch(true);
    progress.epochStarted(0, 10, null);
    progress.stop();
    expect(seen.terminal.at(-1)).toBe("\r\x1b[2K");
    progress.stop();
    expect(seen.terminal).toHaveLength(2);
  });

  it("writes one line per epoch where there is no terminal, and no control characters", () => {
    const { seen, progress, epoch } = watch(false);
    epoch(0);
    epoch(1);
    progress.stop();
    expect(seen.terminal).toEqual([]);
    expect(seen.lines).toEqual([
      "epoch 1/2 train_loss 1.23e-3 val_mre 1.31e-1 val_dex 0.0500 lr 9.80e-4 12345 rows/s eta 00:01",
      "epoch 2/2 train_loss 1.23e-3 val_mre 1.31e-1 val_dex 0.0500 lr 9.80e-4 12345 rows/s eta 00:00",
    ]);
  });
});
