import { appendFileSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { appendRecords, cutEventsAfter, eventRecord, firstRecords } from "../../src/formats/tensorboard.ts";
import { masked, readEvents } from "../helpers/event-files.ts";
import { testFolder } from "../helpers/folder.ts";
import { lackingPython, python } from "../helpers/python.ts";

const folder = testFolder();
const path = join(folder, "events.out.tfevents.0000000001.host.2.0");
const event = (step: number) => eventRecord({ wall_s: 100 + step, step, scalars: { "train_loss/total": 1 / step } });

it("reads checksums as RFC 3720 gives them", () => {
  // Its examples (B.4): 32 bytes of zeros, CRC 8a9136aa; 32 bytes of ones, 62a8ab43. Masked by hand.
  const mask = (crc: number) => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
  expect(masked(new Uint8Array(32))).toBe(mask(0x8a9136aa));
  expect(masked(new Uint8Array(32).fill(255))).toBe(mask(0x62a8ab43));
});

describe("an event file", () => {
  it("holds what was written, in frames with right checksums", () => {
    const texts = { hyperparameters: "| key | value |\nα" };
    appendRecords(path, [...firstRecords(1.5, 1), eventRecord({ wall_s: 2, step: 1, texts })]);
    appendRecords(path, [event(1), event(2), event(300)]);
    const events = readEvents(folder);
    expect(events[0]).toMatchObject({ version: "brain.Event:2", wall_s: 1.5, step: 0 });
    expect(events[1]).toMatchObject({ isStart: true, texts: {}, step: 1 });
    expect(events[2]).toMatchObject({ isStart: false, texts, step: 1 });
    expect(events.slice(3).map(({ step, wall_s, scalars }) => [step, wall_s, scalars])).toEqual(
      [1, 2, 300].map((step) => [step, 100 + step, { "train_loss/total": Math.fround(1 / step) }]),
    );
  });

  it("is cut after a step, and before half a record", () => {
    const { size } = statSync(path);
    appendFileSync(path, Buffer.from(event(301)).subarray(0, 20));
    cutEventsAfter(path, 1000);
    expect(statSync(path).size).toBe(size);
    const before = readFileSync(path);
    cutEventsAfter(path, 2);
    expect(readEvents(folder).map(({ step }) => step)).toEqual([0, 1, 1, 1, 2]);
    expect(before.subarray(0, statSync(path).size).equals(readFileSync(path))).toBe(true);
    cutEventsAfter(path, 0);
    expect(readEvents(folder).map(({ version }) => version)).toEqual(["brain.Event:2"]);
  });

  const lacking = lackingPython("tensorboard");
  it.skipIf(lacking !== undefined)(`opens in TensorBoard's own reader${lacking ? ` (${lacking})` : ""}`, () => {
    const hyperparameters = "| key | value |";
    appendRecords(path, [eventRecord({ wall_s: 2, step: 1, texts: { hyperparameters } })]);
    appendRecords(path, [event(1), event(2), event(3)]);
    // A further file takes step 3 back and goes on.
    const next = join(folder, "events.out.tfevents.0000000002.host.3.0");
    appendRecords(next, [...firstRecords(2, 3), event(3), event(4)]);
    const read = python(
      `
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
log = EventAccumulator(sys.argv[1]); log.Reload()
text = log.Tensors("hyperparameters")[0]
print(json.dumps([[[e.step, e.wall_time, e.value] for e in log.Scalars("train_loss/total")],
  text.step, text.tensor_proto.string_val[0].decode(), list(log.PluginTagToContent("text"))]))`,
      folder,
    );
    expect(JSON.parse(read)).toEqual([
      [1, 2, 3, 4].map((step) => [step, 100 + step, Math.fround(1 / step)]),
      1,
      hyperparameters,
      ["hyperparameters"],
    ]);
  });
});
