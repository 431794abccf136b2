import { ElementSet } from "./elements.ts";

/** Where a species is found: free, on a grain's surface (`#`), or in the ice's bulk (`@`). */
export type Phase = "gas" | "surface" | "bulk";

/** What a name says of a species. */
export interface Species {
  readonly name: string;
  readonly phase: Phase;
  /** In elementary charges; −1 for the electron. */
  readonly charge: number;
  /** Atoms of each element that occurs, in the tables' spelling: HE, NA, 18O. */
  readonly atoms: ReadonlyMap<string, number>;
}

/** How networks mark ice in a name, beside `#`, `@` and the endings, which are read in every convention. */
export const conventions = {
  /** As it comes: KIDA's prefixes where the rest is a formula. */
  auto: { J: "surface", K: "bulk" },
  uclchem: {},
  /** Nautilus, too. */
  kida: { J: "surface", K: "bulk" },
  alchemic: { g: "surface" },
} as const satisfies Record<string, Readonly<Record<string, Phase>>>;
export type NamesConvention = keyof typeof conventions;

/** How names are read, as the dataset's configuration says it. */
export interface NamingOptions {
  /** Elements and isotopes beside the known ones. */
  readonly elements?: readonly string[] | undefined;
  readonly names?: NamesConvention | undefined;
}

/** A name that says what it is. */
export interface ReadName {
  readonly species: Species;
  /** The same for two spellings of one species. */
  readonly key: string;
  /** A count and what it counts, and the name without the count. */
  readonly counts: readonly { readonly symbol: string; readonly count: number; readonly without: string }[];
  /** Whether the ice's prefix was KIDA's, and nothing had named that convention. */
  readonly isGuess: boolean;
}

/** A name that is no formula, or may be two. */
export interface UnreadName {
  /** Where reading ended. */
  readonly rest: string;
  /** Isotopes that may be meant; none: no formula. */
  readonly isotopes: readonly string[];
}

const electron = /^(?:e|electrons?|electr)(?:-|\(-\))?$/i;
/** `E-`, `e-`, `E`, `electron`, `e(-)`. */
export function isElectron(name: string): boolean {
  return electron.test(name);
}

/** Grains hold charge and no atoms: GRAIN0, GRAIN-. */
const grain = /^grains?0?$/i;
const surfaceEnding = /(?:\(ice\)|_(?:ice|i|surf|surface|dust|gr|grain))$/i;
const bulkEnding = /_(?:bulk|mantle)$/i;
const chargeEnding = /(?:\((\++|-+)\)|(\++|-+))$/;
/** Excited states and isomers: O*, O(1D), C3H2_c. */
const markEnding = /(?:\*|\(\d[SPDF]\)|_(?:ortho|para|[clop]))$/;
/** c-C3H2, o-H2, trans-HCOOH, E-HNCHCN, oH2. */
const isomer = /^(?:[a-z]+-|[EZ]-|[clopmt](?=[A-Z\d]))(?=.)/;

/** What surrounds the formula. */
interface Parts {
  phase: Phase;
  charge: number;
  marks: string;
  formula: string;
}

interface Token {
  symbol: string;
  count: number;
  /** Of the count's digits in the formula. */
  at: number;
  length: number;
}

/** Reads names by one set of elements and one convention. */
export class NameReader {
  static readonly #readers = new Map<string, NameReader>();
  readonly elements: ElementSet;
  readonly #convention: NamesConvention;

  private constructor({ elements = [], names = "auto" }: NamingOptions) {
    this.elements = new ElementSet(elements);
    this.#convention = names;
  }

  /** @throws ConfigError for elements that cannot be told from others */
  static of(naming: NamingOptions): NameReader {
    const key = JSON.stringify([naming.elements ?? [], naming.names ?? "auto"]);
    const reader = NameReader.#readers.get(key) ?? new NameReader(naming);
    NameReader.#readers.set(key, reader);
    return reader;
  }

  read(name: string): ReadName | UnreadName {
    if (isElectron(name)) {
      const species: Species = { name, phase: "gas", charge: -1, atoms: new Map() };
      return { species, key: "electron", counts: [], isGuess: false };
    }
    const layer = this.#layerOf(name);
    const isGuess = this.#convention === "auto";
    const prefixed = (): ReadName | UnreadName =>
      this.#readParts(name, { ...partsOf(name.slice(1)), phase: layer! }, isGuess);
    if (layer === undefined) return this.#readParts(name, partsOf(name), false);
    // Unasked, K is potassium where the configuration declares it.
    const first = isGuess ? this.#readParts(name, partsOf(name), false) : prefixed();
    if ("species" in first) return first;
    const second = isGuess ? prefixed() : this.#readParts(name, partsOf(name), false);
    return "species" in second || second.isotopes.length > 0 ? second : first;
  }

  /** Where a species is, as far as its name says so; gas for one that says nothing. */
  phaseOf(name: string): Phase {
    const reading = this.read(name);
    if ("species" in reading) return reading.species.phase;
    const { phase } = partsOf(name);
    // What is no formula has the prefix of a convention that was named; unasked, PAH and K are no ice.
    return phase === "gas" && this.#convention !== "auto" ? (this.#layerOf(name) ?? phase) : phase;
  }

  /** What the convention's prefix says. */
  #layerOf(name: string): Phase | undefined {
    const prefixes = conventions[this.#convention] as Readonly<Record<string, Phase>>;
    return Object.hasOwn(prefixes, name[0] ?? "") ? prefixes[name[0]!] : undefined;
  }

  #readParts(name: string, { phase, charge, marks, formula }: Parts, isGuess: boolean): ReadName | UnreadName {
    const key = (body: string): string => [phase, marks, body, charge].join(" ");
    if (grain.test(formula) && phase === "gas") {
      return { species: { name, phase, charge, atoms: new Map() }, key: key("grain"), counts: [], isGuess };
    }
    const tokens: Token[] = [];
    const failure = this.#tokens(formula, 0, tokens, false);
    if (typeof failure !== "number") return failure;
    if (tokens.length === 0) return { rest: name, isotopes: [] };
    const atoms = new Map<string, number>();
    for (const { symbol, count } of tokens) atoms.set(symbol, (atoms.get(symbol) ?? 0) + count);
    const start = name.indexOf(formula);
    const counts = tokens.map(({ symbol, count, at, length }) => ({
      symbol,
      count,
      without: name.slice(0, start + at) + name.slice(start + at + length),
    }));
    const body = tokens.map(({ symbol, count }) => `${symbol}${count}`).join(",");
    return { species: { name, phase, charge, atoms }, key: key(body), counts, isGuess };
  }

  /** @returns where it ended, or why it could not go on */
  #tokens(formula: string, from: number, tokens: Token[], isGroup: boolean): number | UnreadName {
    let at = from;
    while (at < formula.length && !(isGroup && formula[at] === ")")) {
      const first = tokens.length;
      if (formula[at] === "(") {
        const end = this.#tokens(formula, at + 1, tokens, true);
        if (typeof end !== "number") return end;
        if (formula[end] !== ")" || tokens.length === first) return { rest: formula.slice(at), isotopes: [] };
        at = end + 1;
      } else {
        const element = this.elements.at(formula, at);
        if (element === undefined) return unread(formula, at, this.elements.isotopeAt(formula, at));
        at += element.length;
        tokens.push({ symbol: element.symbol, count: 1, at, length: 0 });
      }
      const digits = this.#countAt(formula, at);
      if (typeof digits !== "string") return digits;
      for (const token of tokens.slice(first)) {
        token.count *= digits === "" ? 1 : Number(digits);
        if (tokens.length === first + 1) [token.at, token.length] = [at, digits.length];
      }
      at += digits.length;
    }
    return at;
  }

  /** The digits of a count; those of an isotope's mass, behind them, are not among them: of `218O` the first. */
  #countAt(formula: string, at: number): string | UnreadName {
    const digits = /^\d*/.exec(formula.slice(at))![0];
    for (let k = 0; k < digits.length; k++) {
      const isotope = this.elements.at(formula, at + k);
      if (isotope === undefined || !/^(?:[1-9]\d*)?$/.test(digits.slice(0, k))) continue;
      // An isotope's spelling covers the rest of the digits and the element.
      if (isotope.length > digits.length - k) return digits.slice(0, k);
    }
    const isotope = digits === "" ? undefined : this.elements.isotopeAt(formula, at);
    if (isotope !== undefined || !/^(?:[1-9]\d{0,2})?$/.test(digits)) return unread(formula, at, isotope);
    return digits;
  }
}

function unread(formula: string, at: number, isotope: string | undefined): UnreadName {
  return { rest: formula.slice(at), isotopes: isotope === undefined ? [] : [isotope] };
}

function partsOf(name: string): Parts {
  const prefix = name[0] === "#" ? "surface" : name[0] === "@" ? "bulk" : undefined;
  const parts: Parts = { phase: prefix ?? "gas", charge: 0, marks: "", formula: prefix ? name.slice(1) : name };
  const marks: string[] = [];
  const strip = (ending: RegExp): RegExpExecArray | null => {
    const match = ending.exec(parts.formula);
    if (match !== null) parts.formula = parts.formula.slice(0, match.index);
    return match;
  };
  // Each at most once, and in any order: CO(ice), O+*, O*+.
  for (let left = [markEnding, chargeEnding, surfaceEnding, bulkEnding]; ; ) {
    const ending = left.find((each) => each.test(parts.formula));
    if (ending === undefined) break;
    left = left.filter((each) => each !== ending);
    const match = strip(ending)!;
    if (ending === markEnding) marks.push(match[0]);
    else if (ending === chargeEnding) parts.charge = chargeOf(match[1] ?? match[2]!);
    else parts.phase = ending === surfaceEnding ? "surface" : "bulk";
  }
  const head = isomer.exec(parts.formula)?.[0] ?? "";
  parts.formula = parts.formula.slice(head.length);
  parts.marks = [head.replace("-", ""), ...marks].join("");
  return parts;
}

function chargeOf(signs: string): number {
  return signs[0] === "+" ? signs.length : -signs.length;
}
