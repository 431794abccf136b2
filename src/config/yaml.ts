import { constructFromEvents, EVENT_ID, type Event, getScalarValue, parseEvents, YAMLException } from "js-yaml";
import type { ConfigError } from "../errors.ts";
import { configError, type Place } from "./problems.ts";
import { badKey, type ConfigNode, countNodes, emptyMap, type MapNode, maximumNodes, type Scalar } from "./tree.ts";

const maximumDepth = 64;

/**
 * Reads a configuration file: YAML 1.2 with the place of every key. An empty file is an empty mapping. Anchors and aliases work;
 * merge keys (`<<`) do not, for the `defaults` list does their work.
 * @param file how error messages call the file
 * @throws ConfigError with line and column for bad syntax, duplicate or forbidden keys, tags that are not plain data, more than
 * one document, a file that is not a mapping, nesting deeper than 64 levels, aliases that blow up
 */
export function parseYaml(text: string, file: string): MapNode {
  const start: Place = { file, line: 1, column: 1 };
  let events: Event[];
  try {
    events = parseEvents(text, { filename: file, maxDepth: maximumDepth });
  } catch (error) {
    throw syntaxError(error, file);
  }
  const documents = events.filter((event) => event.type === EVENT_ID.DOCUMENT).length;
  if (documents > 1)
    throw configError(`${file} holds ${documents} YAML documents`, start, "keep one, without `---` between");
  if (documents === 0) return emptyMap(start);
  const root = new TreeBuilder(text, file, events).build();
  if (root.kind === "scalar" && root.value === null) return emptyMap(start);
  if (root.kind !== "map") throw configError(`${file} is not a mapping`, root.place, "write keys: `device: cpu`");
  return root;
}

/** Walks the parser's events, which carry offsets, into nodes, which carry places. */
class TreeBuilder {
  readonly #text: string;
  readonly #file: string;
  readonly #events: readonly Event[];
  readonly #lineStarts: number[] = [0];
  readonly #anchors = new Map<string, ConfigNode>();
  #next = 1;

  constructor(text: string, file: string, events: readonly Event[]) {
    this.#text = text;
    this.#file = file;
    this.#events = events;
    for (const { index } of text.matchAll(/\r\n|\r|\n/g)) {
      this.#lineStarts.push(index + (text.startsWith("\r\n", index) ? 2 : 1));
    }
  }

  build(): ConfigNode {
    return this.#node(undefined, []);
  }

  /** The node that the next events make. `key`: the place of its key; without one it is where its own text begins. */
  #node(key: Place | undefined, path: readonly string[]): ConfigNode {
    const event = this.#events[this.#next++]!;
    const place = key ?? this.#placeOf(event);
    switch (event.type) {
      case EVENT_ID.SCALAR:
        return this.#anchored(event, { kind: "scalar", value: this.#scalar(event, place), place });
      case EVENT_ID.SEQUENCE:
        this.#refuseTag(event, "seq", place);
        return this.#anchored(event, { kind: "list", items: this.#items(path), place });
      case EVENT_ID.MAPPING:
        this.#refuseTag(event, "map", place);
        return this.#anchored(event, { kind: "map", entries: this.#entries(path), place });
      case EVENT_ID.ALIAS:
        return this.#alias(this.#text.slice(event.anchorStart, event.anchorEnd), place);
      default:
        throw new Error(`unexpected YAML event ${event.type}`);
    }
  }

  #items(path: readonly string[]): ConfigNode[] {
    const items: ConfigNode[] = [];
    while (this.#events[this.#next]!.type !== EVENT_ID.POP)
      items.push(this.#node(undefined, [...path, String(items.length)]));
    this.#next++;
    return items;
  }

  #entries(path: readonly string[]): Map<string, ConfigNode> {
    const entries = new Map<string, ConfigNode>();
    while (this.#events[this.#next]!.type !== EVENT_ID.POP) {
      const event = this.#events[this.#next++]!;
      const place = this.#placeOf(event);
      if (event.type !== EVENT_ID.SCALAR) throw configError("a key must be a plain name", place);
      const key = event.valueStart < 0 ? "" : getScalarValue(this.#text, event);
      this.#checkKey(key, place, path, entries);
      entries.set(key, this.#node(place, [...path, key]));
    }
    this.#next++;
    return entries;
  }

  #checkKey(key: string, place: Place, path: readonly string[], entries: ReadonlyMap<string, ConfigNode>): void {
    if (key === "<<")
      throw configError("merge keys (`<<`) are not supported", place, "name the other file in `defaults`");
    // In a defaults list the keys are groups and packages, `datasets@sub.part`, not keys of the configuration.
    const bad = path[0] === "defaults" && key !== "__proto__" ? undefined : badKey(key);
    if (bad) throw configError(bad, place);
    if (entries.has(key))
      throw configError(`duplicate key \`${[...path, key].join(".")}\``, place, "keep one of the two");
  }

  #scalar(event: Event & { type: typeof EVENT_ID.SCALAR }, place: Place): Scalar {
    const document: Event = { type: EVENT_ID.DOCUMENT, explicitStart: false, explicitEnd: false, directives: [] };
    // Without its anchor: the event is read on its own.
    const alone: Event = { ...event, anchorStart: -1, anchorEnd: -1 };
    let value: unknown;
    try {
      [value] = constructFromEvents([document, alone, { type: EVENT_ID.POP }], { source: this.#text });
    } catch (error) {
      throw syntaxError(error, this.#file, place);
    }
    if (value === undefined) return null;
    if (value === null || ["boolean", "number", "string"].includes(typeof value)) return value as Scalar;
    throw configError("only text, numbers, booleans and null can be values", place, "remove the tag (`!!…`)");
  }

  #alias(name: string, place: Place): ConfigNode {
    const target = this.#anchors.get(name);
    if (!target) throw configError(`the alias \`*${name}\` has no anchor \`&${name}\` before it`, place);
    return { ...target, place };
  }

  #anchored(event: Event & { anchorStart: number; anchorEnd: number }, node: ConfigNode): ConfigNode {
    if (countNodes(node) > maximumNodes) {
      throw configError(`more than ${maximumNodes} values once the aliases are written out`, node.place);
    }
    if (event.anchorStart >= 0) this.#anchors.set(this.#text.slice(event.anchorStart, event.anchorEnd), node);
    return node;
  }

  #refuseTag(event: { tagStart: number; tagEnd: number }, plain: string, place: Place): void {
    if (event.tagStart < 0) return;
    const tag = this.#text.slice(event.tagStart, event.tagEnd);
    if (tag !== `!!${plain}`) throw configError(`unknown tag \`${tag}\``, place, "remove the tag");
  }

  #placeOf(event: Event): Place {
    let offset = 0;
    if ("valueStart" in event)
      offset = Math.max(0, event.valueStart - (event.style === 2 || event.style === 3 ? 1 : 0));
    else if ("start" in event) offset = event.start;
    else if ("anchorStart" in event) offset = event.anchorStart - 1;
    return this.#placeAt(offset);
  }

  #placeAt(offset: number): Place {
    let low = 0;
    let high = this.#lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#lineStarts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return { file: this.#file, line: low + 1, column: offset - this.#lineStarts[low]! + 1 };
  }
}

function syntaxError(error: unknown, file: string, place?: Place): ConfigError {
  if (!(error instanceof YAMLException)) throw error;
  const at = place ?? { file, line: (error.mark?.line ?? 0) + 1, column: (error.mark?.column ?? 0) + 1 };
  return configError(`${file} is not valid YAML: ${error.reason}`, at);
}
