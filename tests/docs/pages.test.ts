import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { load } from "js-yaml";
import { describe, expect, it } from "vitest";
import { withTables } from "../../docs/update-configuration.ts";
import { parseCommandLine } from "../../src/commands/command-line.ts";
import { composeConfig } from "../../src/commands/compose.ts";
import { commands } from "../../src/commands/registry.ts";
import { sweepPoints } from "../../src/sweeps/points.ts";
import { drawTrials } from "../../src/sweeps/space.ts";
import { hasProgram } from "../helpers/programs.ts";

const pages = execFileSync("git", ["ls-files", "*.md"], { encoding: "utf8" }).trim().split("\n");
const read = (page: string): string => readFileSync(page, "utf8");
const readme = read("README.md");

/** A fence of a page, with the line it begins at. */
interface Fence {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly text: string;
}

const fences: readonly Fence[] = pages.flatMap((page) =>
  [...read(page).matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    page,
    line: read(page).slice(0, match.index).split("\n").length,
    language: match[1]!,
    text: match[2]!,
  })),
);
const fencesOf = (language: string): [string, string][] =>
  fences
    .filter((fence) => fence.language === language)
    .map(({ page, line, text }): [string, string] => [`${page}:${line}`, text]);

/** The anchor that a heading has, as the usual viewers of Markdown make it. */
function anchorsOf(page: string): string[] {
  const headings = [
    ...read(page)
      .replaceAll(/^```[\s\S]*?^```$/gm, "")
      .matchAll(/^#+ (.*)$/gm),
  ];
  return headings.map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** The words of a line as a shell has them: quotes taken off, a comment left out. */
function wordsOf(line: string): string[] {
  const words = line.match(/'[^']*'|"[^"]*"|\S+/g) ?? [];
  const comment = words.findIndex((word) => word.startsWith("#"));
  return words.slice(0, comment < 0 ? undefined : comment).map((word) => word.replaceAll(/^['"]|['"]$/g, ""));
}

describe("the README", () => {
  it("is short enough to be read", () => {
    expect(readme.split("\n").length).toBeLessThanOrEqual(151);
  });

  it("names every command", () => {
    expect(commands.map(({ name }) => name).filter((name) => !readme.includes(`astrochem ${name}`))).toEqual([]);
  });

  it("leads to every page of docs", () => {
    const unread = pages.filter((page) => page.startsWith("docs/") && !readme.includes(`(${page})`));
    expect(unread).toEqual([]);
  });
});

describe("the pages", () => {
  it("have the configuration tables that follow from the schemas (else: npm run readme)", () => {
    expect(withTables(read("docs/configuration.md"))).toBe(read("docs/configuration.md"));
  });

  it.each(pages)("%s: its links lead somewhere", (page) => {
    const text = read(page).replaceAll(/^```[\s\S]*?^```$/gm, "");
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link!);
    const broken = links
      .filter((link) => !/^https?:/.test(link))
      .filter((link) => {
        const [path, anchor] = link.split("#") as [string, string?];
        const target = path === "" ? page : normalize(join(dirname(page), path));
        return !existsSync(target) || (anchor !== undefined && !anchorsOf(target).includes(anchor));
      });
    expect(broken).toEqual([]);
  });

  it("have no fence that nobody checks", () => {
    // tests/export/c compiles those of C and Fortran.
    const known = ["c", "fortran", "sh", "ts", "js", "python", "text", "yaml", "diff", "mermaid"];
    expect(fences.filter(({ language }) => !known.includes(language))).toEqual([]);
  });

  /** Their lines make the names that they use: tests of their own run them. */
  const run = /^docs\/(extending|tutorial)\.md/;
  const asked = fencesOf("sh").filter(([place]) => !run.test(place));
  const lines = asked.flatMap(([place, text]) =>
    text
      .split("\n")
      .filter((line) => line.startsWith("astrochem "))
      .map((line): [string, string] => [place, line]),
  );
  it.each(lines)("%s: %s", async (_, line) => {
    for (const part of line.split(" && ")) {
      // `mine` stands for what `init` made.
      const [program, ...words] = wordsOf(part.replaceAll("dataset=mine", "dataset=sample"));
      expect(program).toBe("astrochem");
      const request = await parseCommandLine(words, commands, {
        version: "1",
        width: 80,
        place: { cwd: process.cwd(), env: {}, now: () => new Date(0) },
      });
      if (request.kind === "text" || !request.command.config) continue;
      const { args } = request;
      // Of a sweep the first point, of a tuning the first trial.
      const overrides = args.multirun
        ? sweepPoints(request.overrides, () => ["emulator"])[0]!.overrides
        : request.name === "tune" && args.resume === undefined
          ? drawTrials(request.overrides, () => ["emulator"], { count: 1, seed: 0 })[1]!.overrides
          : request.overrides;
      const root = args.training === "train-autoencoder" ? "config" : request.command.config.root;
      const configDirs = (args["config-dir"] as string[] | undefined) ?? [];
      const context = { cwd: process.cwd(), env: {}, now: () => new Date(0), overrides, configDirs };
      await composeConfig(root, context as unknown as Parameters<typeof composeConfig>[1]);
    }
  });

  it.each(fencesOf("yaml"))("%s: is YAML", (_, text) => {
    expect(load(text)).toBeTypeOf("object");
  });

  const python = hasProgram("python3");
  it.skipIf(!python).each(fencesOf("python"))(`%s: is Python${python ? "" : " (no python3)"}`, (_, text) => {
    const { status, stderr } = spawnSync("python3", ["-c", "import ast, sys; ast.parse(sys.stdin.read())"], {
      input: text,
      encoding: "utf8",
    });
    expect(status, stderr).toBe(0);
  });
});
