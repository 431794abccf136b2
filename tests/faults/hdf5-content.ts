import { createHash } from "node:crypto";
import { Dataset, type Entity, File, Group, ready } from "h5wasm/node";

/** A hash of every value and attribute of an HDF5 file: its bytes hold times as well. @param folder its path is left out of texts */
export async function hdf5Content(path: string, folder: string): Promise<string> {
  await ready;
  const hash = createHash("sha256");
  const add = (...parts: readonly unknown[]): void => {
    for (const part of parts) {
      if (ArrayBuffer.isView(part)) hash.update(new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
      else hash.update(`${textOf(part).replaceAll(folder, "…")}\0`);
    }
  };
  const visit = (entity: Entity | null): void => {
    if (!(entity instanceof Group || entity instanceof Dataset)) return;
    add(entity.path);
    for (const [name, attribute] of Object.entries(entity.attrs).sort(([a], [b]) => (a < b ? -1 : 1)))
      add(name, attribute.shape, attribute.value);
    if (entity instanceof Dataset) add(entity.shape, entity.dtype, entity.value);
    else for (const name of [...entity.keys()].sort()) visit(entity.get(name));
  };
  const file = new File(path, "r");
  try {
    visit(file);
  } finally {
    file.close();
  }
  return hash.digest("hex");
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === "bigint" ? `${each}` : each)) ?? "";
}
