import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { withLock } from "../../formats/lock.ts";
import { leftover, type NativeFolder, type NativeKind, otherCommand } from "./paths.ts";
import { forgetFrom } from "./stages.ts";

/** What was removed, and what was found in the folder that `install` had not made. */
export interface RemoveReport {
  readonly kind: NativeKind;
  readonly folder: string;
  readonly removed: boolean;
  readonly left: readonly string[];
}

/** Deletes what `install` made, and nothing else; a TensorFlow that existed before is only linked to, and stays. */
export async function removeNative(folder: NativeFolder): Promise<RemoveReport> {
  const { kind, root } = folder;
  if (!existsSync(folder.stages)) {
    return { kind, folder: root, removed: false, left: existsSync(root) ? readdirSync(root) : [] };
  }
  const left = await withLock(folder.lock, { holder: otherCommand }, async () => {
    // The markers first: half a removal must not look like an installation. The folder's own mark last.
    forgetFrom(folder, "package");
    const parts = readdirSync(root).filter((name) => leftover.test(name));
    const made = [folder.npm, folder.python, folder.log, ...parts.map((name) => join(root, name)), folder.stages];
    for (const path of made) rmSync(path, { recursive: true, force: true });
    const others = readdirSync(root);
    if (others.length === 0) rmdirSync(root);
    return others;
  });
  const parent = dirname(root);
  if (left.length === 0 && readdirSync(parent).length === 0) rmdirSync(parent);
  return { kind, folder: root, removed: true, left };
}
