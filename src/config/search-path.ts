import { readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { isAbsolute, join, relative, resolve, sep } from "node:path";
import { ConfigError } from "../errors.ts";
import type { MapNode } from "./tree.ts";
import { parseYaml } from "./yaml.ts";

/** One configuration file as it stands. */
export interface ConfigFile {
  /** `models/emulator`: group and option, or the root's name. */
  readonly name: string;
  /** What its `# @package` header says; undefined without one. */
  readonly header: string | undefined;
  readonly tree: MapNode;
}

/** Where configuration files come from. */
export interface ConfigSource {
  /** The file of that name; undefined where there is none. */
  load(name: string): ConfigFile | undefined;
  /** The options of a group, sorted; of the root ("") its files. Empty where there is no such group. */
  options(group: string): readonly string[];
  /** The places searched, for error messages. */
  readonly places: readonly string[];
}

/**
 * Configuration files from folders, the first that has a file wins.
 * @param cwd error messages name files relative to it where they lie below it
 * @param replaced a file of that name is read from elsewhere
 * @throws ConfigError where a folder that the user named does not exist
 */
export function searchPath(
  wanted: readonly string[],
  standard: readonly string[],
  cwd: string,
  replaced?: { readonly name: string; readonly path: string } | undefined,
): ConfigSource {
  for (const folder of wanted) {
    if (!isFolder(resolve(cwd, folder))) {
      throw new ConfigError(`--config-dir ${folder} is not a folder`, { where: resolve(cwd, folder) });
    }
  }
  const folders = [...new Set([...wanted, ...standard].map((folder) => resolve(cwd, folder)))].filter(isFolder);
  const loaded = new Map<string, ConfigFile | undefined>();
  return {
    places: folders.map((folder) => displayPath(folder, cwd)),
    load(name) {
      if (!loaded.has(name)) {
        const isReplaced = name === replaced?.name;
        loaded.set(name, isReplaced ? readAt(name, replaced.path, cwd) : readFirst(folders, name, cwd));
      }
      return loaded.get(name);
    },
    options(group) {
      const names = folders.flatMap((folder) => optionsIn(join(folder, ...group.split("/"))));
      return [...new Set(names)].sort();
    },
  };
}

/** A configuration file from its text. `file`: how error messages call it. */
export function configFile(name: string, text: string, file: string): ConfigFile {
  // A dataset goes to `dataset`, whatever its group is called: its file needs no header.
  const header = packageHeader(text) ?? (name.startsWith("datasets/") ? "dataset" : undefined);
  return { name, header, tree: parseYaml(text, file) };
}

/** The path as the user would write it: relative where it lies below `cwd`. */
export function displayPath(path: string, cwd: string): string {
  const shorter = relative(cwd, path);
  const outside = shorter === ".." || shorter.startsWith(`..${sep}`) || isAbsolute(shorter);
  return outside ? path : shorter || ".";
}

function readFirst(folders: readonly string[], name: string, cwd: string): ConfigFile | undefined {
  // No name may lead out of its folder.
  if (name.split("/").some((part) => part === "" || part.startsWith("."))) return undefined;
  for (const folder of folders) {
    const path = `${join(folder, ...name.split("/"))}.yaml`;
    if (!statusOf(path)?.isFile()) continue;
    return readAt(name, path, cwd);
  }
  return undefined;
}

function readAt(name: string, path: string, cwd: string): ConfigFile {
  return configFile(name, readText(path), displayPath(path, cwd));
}

function readText(path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const fix = error instanceof TypeError ? "save it as UTF-8" : "check the file's permissions";
    throw new ConfigError(`cannot read ${path}: ${(error as Error).message}`, { where: path, fix, cause: error });
  }
}

function optionsIn(folder: string): string[] {
  if (!isFolder(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.name.endsWith(".yaml") && !entry.name.startsWith(".") && !entry.isDirectory())
    .map((entry) => entry.name.slice(0, -".yaml".length));
}

function isFolder(path: string): boolean {
  return statusOf(path)?.isDirectory() ?? false;
}

/** What cannot be a path, for it is too long or holds a NUL, leads nowhere. */
function statusOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** `# @package name` among the comments that open the file. */
function packageHeader(text: string): string | undefined {
  for (const line of text.replace(/^\ufeff/, "").split(/\r\n|\r|\n/)) {
    if (line.trim() === "") continue;
    if (!line.trimStart().startsWith("#")) return undefined;
    const header = /^\s*#\s*@package\s+(\S+)\s*$/.exec(line);
    if (header) return header[1];
  }
  return undefined;
}
