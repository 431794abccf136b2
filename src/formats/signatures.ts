import { readSync } from "node:fs";

/** What files of `.npy` begin with. */
export const npySignature = Buffer.from("\x93NUMPY", "latin1");
/** What HDF5 begins with, where no user block stands before it. */
export const hdf5Signature = Buffer.from("\x89HDF\r\n\x1a\n", "latin1");

/** Whether an open file is HDF5: its signature stands at byte 0, or behind a user block of 512, 1024, 2048 … bytes. */
export function hasHdf5Signature(descriptor: number, size: number): boolean {
  const bytes = Buffer.alloc(hdf5Signature.length);
  for (let at = 0; at < size; at = Math.max(512, at * 2)) {
    readSync(descriptor, bytes, 0, bytes.length, at);
    if (bytes.equals(hdf5Signature)) return true;
  }
  return false;
}
