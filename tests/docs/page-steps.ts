import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../../src/formats/atomic-file.ts";

/** What a section of a page makes and runs. */
export interface PageSection {
  readonly title: string;
  /** New files with their whole text, and changes: the lines that go and those that come, with what surrounds them. */
  readonly changes: readonly { readonly path: string; readonly kind: "new" | "diff"; readonly text: string }[];
  /** Lines of a shell. */
  readonly commands: readonly string[];
}

/**
 * The sections of a page of which each names a file, `path` alone on a line, and then has it in a fence: its text, or diffs of it.
 * Fences of `sh` are commands. Every fence counts: one that nothing names is an error.
 */
export function sectionsOf(page: string): PageSection[] {
  return page
    .split(/^## /m)
    .slice(1)
    .map((text) => {
      const changes: PageSection["changes"][number][] = [];
      const commands: string[] = [];
      let path: string | undefined;
      for (const [, named, language, body] of text.matchAll(/^`([^`\n]+)`$|^```(\w+)\n([\s\S]*?)^```$/gm)) {
        if (named !== undefined) path = named;
        else if (language === "sh") commands.push(...body!.trim().split("\n"));
        else if (path === undefined) throw new Error(`a fence of ${language} names no file: ${body}`);
        else changes.push({ path, kind: language === "diff" ? "diff" : "new", text: body! });
      }
      return { title: text.slice(0, text.indexOf("\n")), changes, commands };
    });
}

/** Makes the changes of a section below a folder. @throws Error where a diff fits nowhere, or in several places */
export function applyChanges({ changes }: PageSection, folder: string): void {
  for (const { path, kind, text } of changes) {
    const file = join(folder, path);
    if (kind === "new") {
      writeFileAtomic(file, text);
      continue;
    }
    const lines = text.trimEnd().split("\n");
    const without = (sign: string): string =>
      lines
        .filter((line) => !line.startsWith(sign))
        .map((line) => `${line.slice(1)}\n`)
        .join("");
    const parts = readFileSync(file, "utf8").split(without("+"));
    if (parts.length !== 2) throw new Error(`${path} has ${parts.length - 1} places, not one, for\n${text}`);
    writeFileAtomic(file, parts.join(without("-")));
  }
}
