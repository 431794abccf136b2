import { inflateRawSync } from "node:zlib";
import { CheckpointError } from "../errors.ts";

/** One file inside an archive. */
export interface ZipEntry {
  readonly name: string;
  /** How many bytes `read` gives. */
  readonly size: number;
  /** The content, inflated where it was deflated: a view of the archive or a fresh array. Checked against its CRC. */
  read(): Uint8Array;
}

/** Deflate cannot shrink to less than a thousandth; a size beyond that is damage or a bomb. */
const greatestRatio = 1032;
const mostEntries = 100_000;
/** Entries may share their bytes and be deflated; weights, which hardly shrink, are not that much greater than the file. */
const mostContent = (archive: number): number => 2 ** 26 + 16 * archive;

/**
 * Lists the files in a zip archive (stored or deflated, zip64 too) by name. The content is read on demand.
 * @throws CheckpointError where the archive is cut off or damaged, on listing or on reading
 */
export function readZip(bytes: Uint8Array, where: string): Map<string, ZipEntry> {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return listEntries(archive, where);
  } catch (error) {
    // Buffer's own reads throw where a record lies beyond the end.
    if (error instanceof RangeError) throw damaged(where, "its table of contents lies outside the file", error);
    throw error;
  }
}

function listEntries(archive: Buffer, where: string): Map<string, ZipEntry> {
  const { count, start } = findDirectory(archive, where);
  if (count > mostEntries) throw damaged(where, `it claims to hold ${count} files`);
  const entries = new Map<string, ZipEntry>();
  let contentLeft = mostContent(archive.length);
  let at = start;
  for (let i = 0; i < count; i++) {
    if (archive.readUInt32LE(at) !== 0x02014b50) throw damaged(where, `entry ${i} of its table of contents is wrong`);
    const flags = archive.readUInt16LE(at + 8);
    const method = archive.readUInt16LE(at + 10);
    const crc = archive.readUInt32LE(at + 16);
    const nameLength = archive.readUInt16LE(at + 28);
    const extraLength = archive.readUInt16LE(at + 30);
    const commentLength = archive.readUInt16LE(at + 32);
    const sizes = {
      size: archive.readUInt32LE(at + 24),
      packed: archive.readUInt32LE(at + 20),
      header: archive.readUInt32LE(at + 42),
    };
    const next = at + 46 + nameLength + extraLength + commentLength;
    if (next > archive.length) throw damaged(where, "its table of contents is cut off");
    const name = archive.toString("utf8", at + 46, at + 46 + nameLength);
    widen(sizes, archive.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength));
    if (entries.has(name)) throw damaged(where, `it holds ${name} twice`);
    if (flags & 1) throw damaged(where, `${name} in it is encrypted`);
    entries.set(name, {
      name,
      size: sizes.size,
      read() {
        contentLeft -= sizes.size;
        if (contentLeft < 0) throw damaged(where, "its content is far greater than the file itself");
        return readEntry(archive, `${where}, ${name}`, { ...sizes, method, crc });
      },
    });
    at = next;
  }
  return entries;
}

/** The end record, which is last but for a comment of unknown length. */
function findDirectory(archive: Buffer, where: string): { count: number; start: number } {
  const earliest = Math.max(0, archive.length - 22 - 0xffff);
  for (let at = archive.length - 22; at >= earliest; at--) {
    if (archive.readUInt32LE(at) !== 0x06054b50) continue;
    const count = archive.readUInt16LE(at + 10);
    const start = archive.readUInt32LE(at + 16);
    if (count !== 0xffff && start !== 0xffffffff) return { count, start };
    const locator = at - 20;
    if (locator < 0 || archive.readUInt32LE(locator) !== 0x07064b50) return { count, start };
    const end = Number(archive.readBigUInt64LE(locator + 8));
    if (archive.readUInt32LE(end) !== 0x06064b50) throw damaged(where, "its zip64 end record is wrong");
    return {
      count: Number(archive.readBigUInt64LE(end + 32)),
      start: Number(archive.readBigUInt64LE(end + 48)),
    };
  }
  throw damaged(where, "its table of contents, at the end, is missing");
}

/** Fills in the sizes that need 64 bits: they follow one another in an extra field, those that overflowed only. */
function widen(sizes: Record<"size" | "packed" | "header", number>, extra: Buffer): void {
  for (let at = 0; at + 4 <= extra.length; ) {
    const end = at + 4 + extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === 1) {
      let from = at + 4;
      for (const key of ["size", "packed", "header"] as const) {
        if (sizes[key] !== 0xffffffff || from + 8 > Math.min(end, extra.length)) continue;
        sizes[key] = Number(extra.readBigUInt64LE(from));
        from += 8;
      }
    }
    at = end;
  }
}

interface Location {
  readonly size: number;
  readonly packed: number;
  readonly header: number;
  readonly method: number;
  readonly crc: number;
}

function readEntry(archive: Buffer, where: string, { size, packed, header, method, crc }: Location): Uint8Array {
  if (header + 30 > archive.length || archive.readUInt32LE(header) !== 0x04034b50) {
    throw damaged(where, "its header is wrong");
  }
  // The name and extra field here may be longer than those in the table: PyTorch pads them to align the content.
  const start = header + 30 + archive.readUInt16LE(header + 26) + archive.readUInt16LE(header + 28);
  if (start + packed > archive.length) throw damaged(where, "it is cut off");
  // Not a Buffer: its `slice` would not copy.
  const content = new Uint8Array(archive.buffer, archive.byteOffset + start, packed);
  let bytes: Uint8Array;
  if (method === 0) {
    bytes = content;
  } else if (method === 8) {
    if (size > greatestRatio * packed) throw damaged(where, `${size} bytes cannot come from ${packed}`);
    try {
      bytes = inflateRawSync(content, { maxOutputLength: Math.max(1, size) });
    } catch (cause) {
      throw damaged(where, "it cannot be inflated", cause);
    }
  } else {
    throw damaged(where, `it is packed by method ${method}; stored and deflated files are read`);
  }
  if (bytes.length !== size) throw damaged(where, `it holds ${bytes.length} bytes in place of ${size}`);
  if (crc32(bytes) !== crc) throw damaged(where, "its checksum is wrong");
  return bytes;
}

function damaged(where: string, what: string, cause?: unknown): CheckpointError {
  return new CheckpointError(`the zip archive is damaged: ${what}`, {
    where,
    fix: "copy or save the file anew",
    cause,
  });
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  return crc;
});

/** Zip's checksum. Node has one of its own from 20.15 on only. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = crcTable[(crc ^ bytes[i]!) & 0xff]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
