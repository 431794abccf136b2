import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** An event as its bytes say: fields by number, a nested message's bytes as they are. */
interface ReadEvent {
  file: string;
  step: number;
  wall_s: number;
  version: string | undefined;
  isStart: boolean;
  scalars: Record<string, number>;
  texts: Record<string, string>;
}

/** The events of a run folder in the files' order. @throws where a frame's length or checksum is wrong */
export function readEvents(folder: string): ReadEvent[] {
  const names = readdirSync(folder).filter((name) => name.includes("tfevents"));
  return names.sort().flatMap((file) => {
    const bytes = readFileSync(join(folder, file));
    const events: ReadEvent[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = Number(bytes.readBigUInt64LE(at));
      const data = bytes.subarray(at + 12, at + 12 + length);
      const sums = [bytes.readUInt32LE(at + 8), bytes.readUInt32LE(at + 12 + length)];
      if (sums[0] !== masked(bytes.subarray(at, at + 8)) || sums[1] !== masked(data)) throw new Error("wrong checksum");
      events.push(eventOf(file, data));
      at += 16 + length;
    }
    return events;
  });
}

function eventOf(file: string, bytes: Buffer): ReadEvent {
  const fields = fieldsOf(bytes);
  const [scalars, texts]: [Record<string, number>, Record<string, string>] = [{}, {}];
  for (const summary of fields.get(5) ?? []) {
    for (const each of fieldsOf(summary).get(1) ?? []) {
      const value = fieldsOf(each);
      const tag = String(value.get(1)![0]);
      const [simple, tensor] = [value.get(2)?.[0], value.get(8)?.[0]];
      if (simple) scalars[tag] = simple.readFloatLE();
      if (tensor) texts[tag] = String(fieldsOf(tensor).get(8)![0]);
    }
  }
  return {
    file,
    step: Number(fields.get(2)?.[0]?.readBigUInt64LE() ?? 0),
    wall_s: fields.get(1)![0]!.readDoubleLE(),
    version: fields.get(3)?.[0]?.toString(),
    isStart: fields.has(7) && fieldsOf(fields.get(7)![0]!).get(1)![0]![0] === 1,
    scalars,
    texts,
  };
}

/** The fields of a message; a varint as 8 bytes. */
function fieldsOf(bytes: Buffer): Map<number, Buffer[]> {
  const fields = new Map<number, Buffer[]>();
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const take = (length: number): Buffer => {
      at += length;
      return bytes.subarray(at - length, at);
    };
    const number = Buffer.alloc(8);
    if ((key & 7) === 0) number.writeBigUInt64LE(varint());
    const value = { 0: () => number, 1: () => take(8), 2: () => take(Number(varint())), 5: () => take(4) }[key & 7]!();
    fields.set(key >> 3, [...(fields.get(key >> 3) ?? []), value]);
  }
  return fields;
}

/** CRC-32C bit by bit, masked as TFRecord does. */
export function masked(bytes: Uint8Array): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1n ? (crc >> 1n) ^ 0x82f63b78n : crc >> 1n;
  }
  crc ^= 0xffffffffn;
  return Number((((crc >> 15n) | ((crc << 17n) & 0xffffffffn)) + 0xa282ead8n) & 0xffffffffn);
}
