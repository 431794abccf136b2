import { nearest } from "../errors.ts";
import { hydraFix } from "./aliases.ts";
import { type Choice, type DefaultEntry, type GroupEntry, ownContent, readDefaults } from "./defaults-list.ts";
import { attempt, configError, type Place, type Problem, throwProblems } from "./problems.ts";
import type { ConfigFile, ConfigSource } from "./search-path.ts";
import type { MapNode, Path } from "./tree.ts";

/** A file's own keys and where they go. */
export interface Layer {
  readonly name: string;
  readonly package: Path;
  readonly content: MapNode;
}

/** A group of the defaults lists: what chose it and where its option goes. */
export interface Mount {
  /** `models`, or `models@autoencoder` where the defaults list says so: the key that overrides it. */
  readonly key: string;
  readonly group: string;
  /** Dotted; "" is the root. */
  readonly package: string;
  readonly choice: Choice;
}

/** What the command line or an `override` entry wants of a group. */
export interface GroupRequest {
  readonly choice: Choice | "delete";
  readonly place: Place;
}

/** Asked for each group of the defaults lists, before its option is loaded. `undefined`: as the list says. */
export type Requests = (mount: Mount) => GroupRequest | undefined;

/** The layers in the order of merging (last wins) and the groups that were met. */
export interface Expansion {
  readonly layers: readonly Layer[];
  readonly mounts: readonly Mount[];
}

/**
 * Follows the defaults lists from the root file down, as Hydra 1.3 does.
 * @param requests what the command line wants of a group
 * @param appended groups that the command line adds (`+group=option`)
 * @throws ConfigError for a missing file or option (naming those there are), a cycle, a group that stands twice, an `override`
 * entry that overrides nothing
 */
export function expandDefaults(
  source: ConfigSource,
  root: string,
  requests: Requests,
  appended: readonly GroupEntry[],
): Expansion {
  return new Expander(source, requests).run(root, appended);
}

/** A file on the way down: where it is and where its keys go. */
interface Position {
  readonly file: ConfigFile;
  readonly group: string;
  readonly package: string;
  readonly trail: readonly string[];
}

class Expander {
  readonly #source: ConfigSource;
  readonly #requests: Requests;
  readonly #layers: Layer[] = [];
  readonly #problems: Problem[] = [];
  readonly #mounts = new Map<string, Mount>();
  readonly #overrides = new Map<string, { entry: GroupEntry; used: boolean }>();

  constructor(source: ConfigSource, requests: Requests) {
    this.#source = source;
    this.#requests = requests;
  }

  run(root: string, appended: readonly GroupEntry[]): Expansion {
    const file = this.#source.load(root);
    if (!file) throw this.#missing(root, "", undefined);
    const position = { file, group: "", package: finalPackage("", undefined, file.header, "", ""), trail: [root] };
    this.#expand(position, [...readDefaults(file.tree), ...appended]);
    for (const { entry, used } of this.#overrides.values()) {
      if (!used) this.#problems.push(this.#noMatch(entry));
    }
    throwProblems(this.#problems);
    return { layers: this.#layers, mounts: [...this.#mounts.values()] };
  }

  #expand(position: Position, entries: readonly DefaultEntry[]): void {
    for (const entry of entries) {
      if (entry.kind === "group" && entry.override) this.#register(position, entry);
    }
    for (const entry of entries) {
      attempt(this.#problems, () => {
        if (entry.kind === "self") this.#addOwn(position);
        else if (entry.kind === "config") this.#expandConfig(position, entry);
        else if (!entry.override) this.#expandGroup(position, entry);
      });
    }
  }

  #addOwn({ file, package: packageName }: Position): void {
    const path = packageName === "" ? [] : packageName.split(".");
    this.#layers.push({ name: file.name, package: path, content: ownContent(file.tree) });
  }

  /** The first to speak wins: files further up are read before those below. */
  #register(position: Position, entry: GroupEntry): void {
    const group = groupPath(position.group, entry.group);
    const key = overrideKey(
      group,
      finalPackage(position.package, entry.package, undefined, relativeGroup(entry.group), group),
    );
    if (!this.#overrides.has(key)) this.#overrides.set(key, { entry, used: false });
  }

  #expandConfig(position: Position, entry: DefaultEntry & { kind: "config" }): void {
    const name = groupPath(position.group, entry.path);
    const group = name.split("/").slice(0, -1).join("/");
    const file = this.#source.load(name);
    if (!file) {
      if (entry.optional) return;
      throw this.#missing(name.slice(group.length && group.length + 1), group, entry.place);
    }
    // A file that extends one of its own folder takes it along to where it goes itself, whatever the header of that one says:
    // `models@autoencoder: small` with `defaults: [autoencoder]` in small.yaml must not reach for `model`.
    const sameFolder = !entry.path.includes("/");
    const header = sameFolder ? undefined : file.header;
    const target = finalPackage(position.package, entry.package, header, relativeGroup(entry.path, true), group);
    this.#descend(position, file, group, target, entry.place);
  }

  #expandGroup(position: Position, entry: GroupEntry): void {
    const group = groupPath(position.group, entry.group);
    const place = (header: string | undefined) =>
      finalPackage(position.package, entry.package, header, relativeGroup(entry.group), group);
    const key = overrideKey(group, place(undefined));
    if (this.#mounts.has(key)) {
      const remedy =
        "override" in entry.place ? "leave out the `+`" : "keep one, or write `override` before the second";
      throw configError(`\`${key}\` stands twice in the defaults lists`, entry.place, remedy);
    }
    const mount = { key, group, package: place(this.#headerOf(group, entry.choice)), choice: entry.choice };
    const override = this.#overrides.get(key);
    if (override) override.used = true;
    const request =
      this.#requests(mount) ?? (override && { choice: override.entry.choice, place: override.entry.place });
    if (request?.choice === "delete") return;
    const choice = request ? request.choice : entry.choice;
    const from = request?.place ?? entry.place;
    this.#mounts.set(key, { ...mount, choice });
    if (choice === "???") {
      throw configError(`\`${key}\` must be chosen`, from, `give ${key}=option; ${this.#known(group)}`);
    }
    for (const option of typeof choice === "string" ? [choice] : (choice ?? [])) {
      const file = this.#source.load(`${group}/${option}`);
      if (!file && !entry.optional) throw this.#missing(option, group, from);
      if (file)
        this.#descend(
          position,
          file,
          groupPath(group, option).split("/").slice(0, -1).join("/"),
          place(file.header),
          from,
        );
    }
  }

  #descend(from: Position, file: ConfigFile, group: string, packageName: string, place: Place): void {
    if (from.trail.includes(file.name)) {
      const cycle = [...from.trail.slice(from.trail.indexOf(file.name)), file.name];
      throw configError(`the defaults lists go in a circle: ${cycle.join(" → ")}`, place);
    }
    this.#expand({ file, group, package: packageName, trail: [...from.trail, file.name] }, readDefaults(file.tree));
  }

  /** The header that tells where a group goes: of the option chosen, or of the first there is where none is. */
  #headerOf(group: string, choice: Choice): string | undefined {
    const chosen = typeof choice === "string" ? choice : choice?.[0];
    const option =
      chosen !== undefined && this.#source.load(`${group}/${chosen}`) ? chosen : this.#source.options(group)[0];
    return option === undefined ? undefined : this.#source.load(`${group}/${option}`)?.header;
  }

  #missing(option: string, group: string, place: Place | undefined) {
    const what =
      group === "" ? `there is no configuration \`${option}\`` : `there is no option \`${option}\` of \`${group}\``;
    const near = nearest(option, this.#source.options(group));
    const suggestion = near === undefined ? "" : `did you mean \`${near}\`? `;
    return configError(what, place, `${suggestion}${this.#known(group)}`);
  }

  #known(group: string): string {
    const options = this.#source.options(group);
    const searched = `searched in ${this.#source.places.join(", ") || "no folder"}`;
    return options.length > 0 ? `there are: ${options.join(", ")} (${searched})` : `there are none (${searched})`;
  }

  #noMatch({ group, place }: GroupEntry): Problem {
    const keys = [...this.#mounts.keys()].join(", ") || "none";
    const fix = hydraFix(group) ?? `groups of the defaults lists: ${keys}`;
    return { what: `\`override ${group}\` overrides nothing`, place, fix };
  }
}

/** `name` seen from the folder `group`; a leading slash starts from the root. */
function groupPath(group: string, name: string): string {
  if (name.startsWith("/")) return name.slice(1);
  return group === "" ? name : `${group}/${name}`;
}

function relativeGroup(name: string, withOption = false): string {
  const parts = name.replace(/^\//, "").split("/");
  return (withOption ? parts.slice(0, -1) : parts).join(".");
}

/**
 * Where a file's keys go: what the defaults list says after `@`, else the file's header (always seen from the root), else the
 * group's name, both others seen from where the naming file goes.
 */
function finalPackage(
  parent: string,
  named: string | undefined,
  header: string | undefined,
  relative: string,
  group: string,
): string {
  const absoluteHeader = header === undefined || header.startsWith("_global_") ? header : `_global_.${header}`;
  const wanted = (named ?? absoluteHeader ?? relative).replace("_group_", group.replaceAll("/", "."));
  if (wanted === "_here_" || wanted === "") return parent;
  if (wanted === "_global_") return "";
  if (wanted.startsWith("_global_.")) return wanted.slice("_global_.".length);
  return parent === "" ? wanted : `${parent}.${wanted}`;
}

/** The key that overrides a group: its path, with the package where that is not the path itself. */
export function overrideKey(group: string, packageName: string): string {
  return group.replaceAll("/", ".") === packageName ? group : `${group}@${packageName || "_global_"}`;
}
