import { DataError } from "../errors.ts";

type Hdf5Package = typeof import("h5wasm/node");

/** The HDF5 library compiled to WebAssembly. */
export type Hdf5Library = Awaited<Hdf5Package["ready"]>;

/** What its JavaScript makes of objects in a file. */
export type Hdf5Objects = Pick<Hdf5Package, "Dataset" | "Group">;

/** Bytes of the wasm heap that one read or write passes through; a row or chunk that is longer gets what it needs. */
export const TRANSFER_BYTES = 8 * 2 ** 20;

/** HDF5 needs as much again for a chunk that it decompresses; real chunks are a thousandth of this. */
export const MOST_TRANSFER_BYTES = 2 ** 28;

/** The bits of Emscripten's open flags that hold the access mode (O_ACCMODE without O_PATH); reading only is 0. */
const ACCESS_MODE = 3;

let library: Hdf5Library | undefined;
let objects: Hdf5Objects | undefined;
let diagnostics = "";
let systemError: NodeJS.ErrnoException | undefined;
let files: FileSystem | undefined;
/** Where reads are noted, while somebody wants to know. */
let reads: FileRead[] | undefined;
let transfer = { pointer: 0, bytes: 0 };

/**
 * Loads the library once, and not before somebody needs it: its code takes a quarter of the time that this package needs to load.
 *
 * Its throwing error handler stays off: a JavaScript exception that unwinds through C leaves the objects open that C
 * would have closed, so that each error costs a file descriptor and the file is never flushed. Instead the error stack
 * that HDF5 prints on descriptor 2 is caught here, and `callHdf5` throws once the C code has returned and cleaned up.
 */
export async function loadHdf5(): Promise<Hdf5Library> {
  if (library !== undefined) return library;
  const loadedPackage = await import("h5wasm/node");
  const loaded = await loadedPackage.ready;
  // Somebody else waited at the same time, and was first.
  if (library !== undefined) return library;
  files = loaded.FS as unknown as FileSystem;
  const { read, write } = files;
  files.read = (stream, buffer, offset, length, position) => {
    reads?.push({ stream, position: position ?? stream.position, length });
    return read(stream, buffer, offset, length, position);
  };
  files.write = (stream, buffer, offset, length, position) => {
    try {
      if (stream.fd !== 2) return write(stream, buffer, offset, length, position);
    } catch (error) {
      systemError = error as NodeJS.ErrnoException;
      throw error;
    }
    diagnostics += Buffer.from(buffer.buffer, buffer.byteOffset + offset, length).toString("latin1");
    return length;
  };
  library = loaded;
  objects = loadedPackage;
  return loaded;
}

/** An open file of the library. */
export interface FileStream {
  /** The library's number. */
  readonly fd: number;
  /** The system's. */
  readonly nfd: number;
  /** As for `open(2)`. */
  readonly flags: number;
  readonly position: number;
}

/** One reading of a file by the library, in bytes from the file's beginning. */
export interface FileRead {
  readonly stream: FileStream;
  readonly position: number;
  readonly length: number;
}

/** Reads or writes; from the stream's position on where none is given. */
type Transfer = (stream: FileStream, buffer: Uint8Array, offset: number, length: number, position?: number) => number;

/** What is used of Emscripten's files, which are the system's. */
interface FileSystem {
  read: Transfer;
  write: Transfer;
  getStream(fd: number): FileStream | null | undefined;
}

/** Runs what calls the library, and tells what that read from files. */
export function readsOf<T>(run: () => T): { result: T; reads: readonly FileRead[] } {
  const seen: FileRead[] = [];
  reads = seen;
  try {
    return { result: run(), reads: seen };
  } finally {
    reads = undefined;
  }
}

/** Whether the library has not closed the file yet. */
export function isOpen(stream: FileStream): boolean {
  return files?.getStream(stream.fd) === stream;
}

/** Whether the library opened the file for reading only. */
export function isReadOnly(stream: FileStream): boolean {
  return (stream.flags & ACCESS_MODE) === 0;
}

/**
 * Runs one call of the library.
 * @param what what was tried, to complete "cannot …"
 * @throws DataError with HDF5's innermost message where the call printed an error stack, whatever it returned
 */
export function callHdf5<T>(what: string, where: string, call: (library: Hdf5Library, objects: Hdf5Objects) => T): T {
  diagnostics = "";
  systemError = undefined;
  try {
    const result = call(loadedLibrary(), loadedObjects());
    if (diagnostics === "") return result;
  } catch (error) {
    // The library itself throws where it gives up after an error of HDF5.
    if (diagnostics === "") throw error;
  }
  throw failure(what, where);
}

/** Runs one call of the library whose complaints are expected, and returns what it printed. */
export function complaintsOf(call: (library: Hdf5Library) => unknown): string {
  diagnostics = "";
  systemError = undefined;
  call(loadedLibrary());
  return innermostMessage();
}

/**
 * The one buffer in the wasm heap that reads and writes pass through. Valid until the next call of the library, which may
 * move the heap: take `HEAPU8` anew after each.
 */
export function transferBuffer(bytes: number, where: string): number {
  if (bytes > MOST_TRANSFER_BYTES) {
    throw new DataError(`one row or chunk takes ${bytes} bytes, more than ${MOST_TRANSFER_BYTES}`, {
      where,
      fix: "store the data with smaller chunks",
    });
  }
  if (bytes > transfer.bytes) {
    const { _malloc, _free } = loadedLibrary();
    if (transfer.pointer !== 0) _free(transfer.pointer);
    const wanted = Math.max(bytes, TRANSFER_BYTES);
    transfer = { pointer: _malloc(wanted), bytes: wanted };
    if (transfer.pointer === 0) {
      transfer.bytes = 0;
      throw new DataError(`no memory for a block of ${wanted} bytes`, { where });
    }
  }
  return transfer.pointer;
}

function loadedLibrary(): Hdf5Library {
  return library ?? notLoaded();
}

function loadedObjects(): Hdf5Objects {
  return objects ?? notLoaded();
}

function notLoaded(): never {
  throw new Error("loadHdf5 must be awaited before the library is used");
}

function failure(what: string, where: string): DataError {
  const full = systemErrors[systemErrorNumber()];
  if (/plugin|required filter/.test(diagnostics)) {
    return new DataError(`cannot ${what}: the data are compressed by a filter that is not read`, {
      where,
      fix: 'write the file again with gzip: DataFrame.to_hdf(path, key=…, complib="zlib", complevel=4)',
    });
  }
  return new DataError(`cannot ${what}: ${full?.reason ?? innermostMessage()}`, { where, fix: full?.fix });
}

/** The last frame of an error stack is where it went wrong: `#006: …/H5Fsuper.c line 388 in H5F__super_read(): file signature not found`. */
function innermostMessage(): string {
  const messages = [...diagnostics.matchAll(/#\d+: \S+ line \d+ in \w+\(\): (.*)/g)];
  const message = messages.at(-1)?.[1] ?? diagnostics.trim();
  return /error message = '([^']*)'/.exec(message)?.[1] ?? message;
}

/** Emscripten's numbers (WASI's), not the platform's. */
const systemErrors: Record<number, { reason: string; fix: string }> = {
  19: { reason: "the disk quota is used up", fix: "free some space, or write elsewhere" },
  22: { reason: "the file would exceed the size limit", fix: "raise the limit (ulimit -f), or write elsewhere" },
  51: { reason: "no space left on the disk", fix: "free some disk space, or write to another disk" },
};

function systemErrorNumber(): number {
  return systemError?.errno ?? 0;
}
