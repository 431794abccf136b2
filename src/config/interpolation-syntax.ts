import { configError, type Place } from "./problems.ts";
import type { Path } from "./tree.ts";

/** Plain text, a key to look up, or a resolver to ask. */
export type InterpolationPart =
  | string
  | {
      readonly kind: "key";
      readonly keys: Path;
      /** How many levels up to start: 0 is the root, 1 the mapping that holds the key (`${.sibling}`). */
      readonly up: number;
      readonly text: string;
    }
  | {
      readonly kind: "resolver";
      readonly resolver: string;
      readonly arguments: readonly (readonly InterpolationPart[])[];
      readonly text: string;
    };

const maximumDepth = 32;

/**
 * Takes text with interpolations apart: OmegaConf's `${key}`, `${.relative}`, `${list[0]}`, `${resolver:argument,argument}`,
 * nested in one another; `\${` is a plain `${`.
 * @throws ConfigError where one is not closed or is empty
 */
export function parseInterpolation(text: string, place: Place): InterpolationPart[] {
  return new Parser(text, place).parts("", 0);
}

class Parser {
  readonly #text: string;
  readonly #place: Place;
  #at = 0;

  constructor(text: string, place: Place) {
    this.#text = text;
    this.#place = place;
  }

  /** Text and interpolations up to one of `stops`, which is left. */
  parts(stops: string, depth: number): InterpolationPart[] {
    const parts: InterpolationPart[] = [];
    let text = "";
    while (this.#at < this.#text.length && !stops.includes(this.#text[this.#at]!)) {
      if (this.#text.startsWith("\\${", this.#at)) {
        text += "${";
        this.#at += 3;
      } else if (this.#text.startsWith("${", this.#at)) {
        if (text !== "") parts.push(text);
        text = "";
        parts.push(this.#interpolation(depth + 1));
      } else {
        text += this.#text[this.#at++];
      }
    }
    if (text !== "" || parts.length === 0) parts.push(text);
    return parts;
  }

  #interpolation(depth: number): InterpolationPart {
    if (depth > maximumDepth) throw this.#error(`interpolations nested deeper than ${maximumDepth} levels`);
    const start = this.#at;
    this.#at += 2;
    const name = /^[^:{}$,]*/.exec(this.#text.slice(this.#at))![0];
    this.#at += name.length;
    const next = this.#text[this.#at];
    if (next === "}") {
      this.#at++;
      return this.#key(name.trim(), this.#text.slice(start, this.#at));
    }
    if (next !== ":") throw this.#error(`\`${this.#text.slice(start)}\` is not closed, or is no key`);
    const given: (readonly InterpolationPart[])[] = [];
    do {
      this.#at++;
      given.push(this.parts(",}", depth));
    } while (this.#text[this.#at] === ",");
    if (this.#text[this.#at] !== "}") throw this.#error(`\`${this.#text.slice(start)}\` is not closed`);
    this.#at++;
    return { kind: "resolver", resolver: name.trim(), arguments: given, text: this.#text.slice(start, this.#at) };
  }

  #key(name: string, text: string): InterpolationPart {
    const up = /^\.*/.exec(name)![0].length;
    const dotted = name.slice(up).replaceAll(/\[(\d+)\]/g, ".$1");
    const keys = dotted === "" ? [] : dotted.split(".");
    if ((keys.length === 0 && up === 0) || keys.includes("")) throw this.#error(`\`${text}\` names no key`);
    return { kind: "key", keys, up, text };
  }

  #error(what: string) {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: interpolations of the configuration.
    const forms = "${key}, ${oc.env:NAME,default}, or \\${ for the plain characters";
    return configError(what, this.#place, `write ${forms}`);
  }
}
