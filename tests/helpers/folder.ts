import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** A folder of this test file's own, removed at its end. */
export function testFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "astrochem-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The error's message with the folder's path left out, which is another each time. */
export function messageOf(error: unknown, folder: string): string {
  return (error as Error).message.replaceAll(folder, "…");
}

/** What `action` throws, as `messageOf` shows it. */
export async function thrownBy(action: () => unknown, folder: string): Promise<string> {
  try {
    await action();
  } catch (error) {
    return `${(error as Error).name}: ${messageOf(error, folder)}`;
  }
  throw new Error("nothing was thrown");
}
