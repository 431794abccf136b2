import { readFileSync } from "node:fs";
import { deflateRawSync } from "node:zlib";
import { readZip } from "../../src/formats/zip.ts";

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/**
 * A zip archive of `files`, so that damage inside them is not caught by a checksum already.
 * `aliases` gives files further names: entries may share their bytes.
 */
export function pack(
  files: ReadonlyMap<string, Uint8Array>,
  { deflate = false, zip64 = false, aliases = new Map<string, readonly string[]>() } = {},
): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, content] of files) {
    const body = deflate ? deflateRawSync(content) : Buffer.from(content);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(deflate ? 8 : 0, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(body.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    for (const alias of [name, ...(aliases.get(name) ?? [])]) {
      directory.push(directoryEntry(alias, common, { size: content.length, at, zip64 }));
    }
    parts.push(Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), body]));
    at += parts.at(-1)!.length;
  }
  const table = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(directory.length, 10);
  end.writeUInt32LE(table.length, 12);
  end.writeUInt32LE(at, 16);
  const big = Buffer.alloc(56 + 20);
  if (zip64) {
    end.writeUInt16LE(0xffff, 10);
    end.writeUInt32LE(0xffffffff, 16);
    big.write("PK\x06\x06");
    big.writeBigUInt64LE(BigInt(directory.length), 32);
    big.writeBigUInt64LE(BigInt(at), 48);
    big.write("PK\x06\x07", 56);
    big.writeBigUInt64LE(BigInt(at + table.length), 64);
  }
  return Buffer.concat([...parts, table, ...(zip64 ? [big] : []), end]);
}

function directoryEntry(
  name: string,
  common: Buffer,
  { size, at, zip64 }: { size: number; at: number; zip64: boolean },
): Buffer {
  const entry = Buffer.concat([Buffer.from("PK\x01\x02\x00\x00"), common, Buffer.alloc(14), Buffer.from(name)]);
  entry.writeUInt16LE(name.length, 28);
  entry.writeUInt32LE(at, 42);
  if (!zip64) return entry;
  entry.writeUInt32LE(0xffffffff, 24);
  entry.writeUInt32LE(0xffffffff, 42);
  entry.writeUInt16LE(20, 30);
  const extra = Buffer.alloc(20);
  extra.writeUInt16LE(1, 0);
  extra.writeUInt16LE(16, 2);
  extra.writeBigUInt64LE(BigInt(size), 4);
  extra.writeBigUInt64LE(BigInt(at), 12);
  return Buffer.concat([entry, extra]);
}

/** The files of an archive by name. */
export function unpack(path: string): Map<string, Uint8Array> {
  return unpackBytes(readFileSync(path));
}

/** The same for an archive in memory. */
export function unpackBytes(archive: Uint8Array): Map<string, Uint8Array> {
  return new Map([...readZip(archive, "archive")].map(([name, entry]) => [name, entry.read()]));
}
