import { appendFileSync, readFileSync, truncateSync } from "node:fs";
import protobuf from "protobufjs/light.js";

const { Reader, Writer } = protobuf;

/** What TensorBoard shows of one step. */
export interface TensorBoardEvent {
  /** Seconds since 1970. */
  readonly wall_s: number;
  readonly step: number;
  readonly scalars?: Readonly<Record<string, number>>;
  /** Markdown by its tag. */
  readonly texts?: Readonly<Record<string, string>>;
}

/**
 * The first records of an event file: the version, and that a process begins to write, for which readers forget this step and later ones
 * of earlier files.
 */
export function firstRecords(wall_s: number, step: number): Uint8Array[] {
  const version = eventAt(wall_s, 0).uint32(26).string("brain.Event:2").finish();
  const start = eventAt(wall_s, step).uint32(58).fork().uint32(8).int32(1).ldelim().finish(); // session_log.status
  return [framed(version), framed(start)];
}

/** Adds records to an event file; what is not there yet is made. */
export function appendRecords(path: string, records: readonly Uint8Array[]): void {
  appendFileSync(path, Buffer.concat(records));
}

/** An event as a record. Numbers of the messages' fields: event.proto, summary.proto, tensor.proto of TensorFlow. */
export function eventRecord({ wall_s, step, scalars = {}, texts = {} }: TensorBoardEvent): Uint8Array {
  const event = eventAt(wall_s, step).uint32(42).fork(); // summary
  for (const [tag, value] of Object.entries(scalars))
    event.uint32(10).fork().uint32(10).string(tag).uint32(21).float(value).ldelim();
  for (const [tag, text] of Object.entries(texts)) {
    event.uint32(10).fork().uint32(10).string(tag);
    // tensor: a string (dtype 7) without dimensions; metadata: the plugin that shows it, data_class of tensors
    event.uint32(66).fork().uint32(8).int32(7).uint32(18).fork().ldelim().uint32(66).string(text).ldelim();
    event.uint32(74).fork().uint32(10).fork().uint32(10).string("text").ldelim().uint32(32).int32(2).ldelim().ldelim();
  }
  return framed(event.ldelim().finish());
}

function eventAt(wall_s: number, step: number): protobuf.Writer {
  return new Writer().uint32(9).double(wall_s).uint32(16).int64(step);
}

/** Cuts an event file before its first event of a later step, or before a record that a killed process left half written. */
export function cutEventsAfter(path: string, lastStep: number): void {
  const bytes = readFileSync(path);
  let end = 0;
  while (end + 12 <= bytes.length) {
    const next = end + 16 + Number(bytes.readBigUInt64LE(end));
    if (next > bytes.length || stepOf(bytes.subarray(end + 12, next - 4)) > lastStep) break;
    end = next;
  }
  if (end < bytes.length) truncateSync(path, end);
}

function stepOf(event: Uint8Array): number {
  const reader = Reader.create(event);
  while (reader.pos < reader.len) {
    const field = reader.uint32();
    if (field === 16) return Number(reader.int64());
    reader.skipType(field & 7);
  }
  return 0;
}

/** TFRecord's framing: length, its checksum, the bytes, their checksum. */
function framed(bytes: Uint8Array): Uint8Array {
  const record = Buffer.alloc(bytes.length + 16);
  record.writeBigUInt64LE(BigInt(bytes.length), 0);
  record.writeUInt32LE(maskedChecksum(record.subarray(0, 8)), 8);
  record.set(bytes, 12);
  record.writeUInt32LE(maskedChecksum(bytes), 12 + bytes.length);
  return record;
}

/** CRC-32C (Castagnoli); the one of zlib has another polynomial. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0x82f63b78 : 0);
  return remainder;
});

/** Turned by 15 bits and moved: data that hold checksums have useful ones, too. */
function maskedChecksum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff]!;
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
