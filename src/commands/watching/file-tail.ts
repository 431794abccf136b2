import { type FileHandle, open, stat } from "node:fs/promises";

/** So much is read at once; what is longer comes with the next looks. */
const most_bytes = 4 * 2 ** 20;
/** So many bytes before the place that was reached are compared: another file, or a rewritten one, has others. */
const compared_bytes = 64;

/** What a file has got since the last look. */
export interface NewLines {
  readonly lines: readonly string[];
  /** The file is another one, or is gone: earlier lines no longer count. */
  readonly isReplaced: boolean;
}

/** Follows a file that grows by lines. A look costs one `stat` where nothing was written. A line counts once it is whole. */
export class FileTail {
  readonly #path: string;
  /** Of a file that grows by more than that only the end is read; null: all of it. */
  readonly #newest_bytes: number | null;
  #look = "";
  /** Bytes that were read. */
  #end = 0;
  #before: Buffer = Buffer.alloc(0);
  #unfinished: Buffer = Buffer.alloc(0);
  /** When the file was last written; 0 where there is none. */
  modified_ms = 0;
  /** Whether more is there than was read. */
  isBehind = false;

  constructor(path: string, newest_bytes: number | null = null) {
    this.#path = path;
    this.#newest_bytes = newest_bytes;
  }

  async read(): Promise<NewLines> {
    const found = await stat(this.#path).catch(() => null);
    const look = found?.isFile() ? `${found.ino} ${found.size} ${found.mtimeMs}` : "";
    if (look === this.#look && !this.isBehind) return { lines: [], isReplaced: false };
    this.#look = look;
    this.modified_ms = look === "" ? 0 : found!.mtimeMs;
    this.isBehind &&= look !== "";
    if (look === "") return { lines: [], isReplaced: this.#begin(0) };
    const file = await open(this.#path).catch(() => null);
    if (file === null) return { lines: [], isReplaced: false };
    try {
      return await this.#readFrom(file, found!.size);
    } finally {
      await file.close();
    }
  }

  async #readFrom(file: FileHandle, size: number): Promise<NewLines> {
    const before = await bytesOf(file, this.#end - this.#before.length, this.#before.length);
    const isReplaced = size < this.#end || !before.equals(this.#before) ? this.#begin(0) : false;
    const newest = this.#newest_bytes ?? Number.POSITIVE_INFINITY;
    const isSkipping = size - this.#end > newest;
    if (isSkipping) this.#begin(size - newest);
    const bytes = await bytesOf(file, this.#end, Math.min(most_bytes, size - this.#end));
    this.isBehind = bytes.length < size - this.#end;
    this.#end += bytes.length;
    this.#before = Buffer.concat([this.#before, bytes]).subarray(-compared_bytes);
    const text = Buffer.concat([this.#unfinished, bytes]);
    const cut = text.lastIndexOf("\n") + 1;
    // What never ends is no line.
    this.#unfinished = text.length - cut > most_bytes ? Buffer.alloc(0) : Buffer.from(text.subarray(cut));
    const lines = text
      .toString("utf8", 0, cut)
      .split("\n")
      .slice(isSkipping ? 1 : 0, -1);
    return { lines, isReplaced };
  }

  /** Forgets what was read. @returns whether that was anything */
  #begin(at: number): boolean {
    const wasRead = this.#end > 0;
    this.#end = at;
    this.#before = this.#unfinished = Buffer.alloc(0);
    return wasRead;
  }
}

async function bytesOf(file: FileHandle, from: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, from);
  return buffer.subarray(0, bytesRead);
}
