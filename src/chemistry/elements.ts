import { ConfigError } from "../errors.ts";

/** The elements of the bundled network, in UCLCHEM's spelling and in the order of the stoichiometric matrix. */
export const elements = ["H", "HE", "C", "N", "O", "S", "SI", "MG", "CL"] as const;
export type ElementName = (typeof elements)[number];

/**
 * Known without being declared, and columns of a table where a species has them. None of their spellings is also a sequence of other
 * elements. Potassium is not among them: KIDA's K means the mantle of the ice.
 */
const others = ["P", "F", "NA", "FE", "D", "AR", "NE", "LI", "AL", "CA", "TI"];

/** Mass numbers that networks write: a count that is one of them, before or after such an element, is asked about. */
const massNumbers: Readonly<Record<string, readonly number[]>> = {
  C: [12, 13, 14],
  N: [14, 15],
  O: [16, 17, 18],
  S: [32, 33, 34, 36],
  SI: [28, 29, 30],
  MG: [24, 25, 26],
  CL: [35, 37],
  NE: [20, 21, 22],
  AR: [36, 38, 40],
  FE: [54, 56, 57],
};
/** Below, a mass number cannot be told from a count: C2H has two carbons. */
const leastMass = 12;

/** The elements that names are read by: which there are, and how each may be spelt. */
export class ElementSet {
  /** Declared ones, in their order and in the spelling of tables. */
  readonly declared: readonly string[];
  /** All that may be columns of a table, in order. */
  readonly symbols: readonly string[];
  readonly #symbolOf = new Map<string, string>();
  readonly #spellings: readonly string[];

  /**
   * @param declared  symbols beside the known ones, such as `18O` or `K`, each perhaps with another spelling: `D=T`
   * @throws ConfigError for one that cannot be told from something else
   */
  constructor(declared: readonly string[]) {
    const known = [...elements, ...others];
    for (const symbol of known) this.#add(symbol, casesOf(symbol));
    const entries = declared.map((entry) => {
      const at = entry.indexOf("=");
      return at < 0 ? { written: entry, alias: null } : { written: entry.slice(0, at), alias: entry.slice(at + 1) };
    });
    const symbols = entries.map(({ written, alias }) => {
      const symbol = written.toUpperCase();
      if (!known.includes(symbol)) this.#declare(written);
      if (alias !== null) this.#add(this.#symbolOf.get(written) ?? symbol, [alias]);
      return this.#symbolOf.get(written) ?? symbol;
    });
    this.declared = [...new Set(symbols)];
    this.symbols = [...new Set([...elements, ...this.declared, ...others])];
    // Longest first, or HE would be H and an unknown E.
    this.#spellings = [...this.#symbolOf.keys()].sort((a, b) => b.length - a.length);
  }

  /** The element that `text` spells at `at`, if any. */
  at(text: string, at: number): { readonly symbol: string; readonly length: number } | undefined {
    const spelling = this.#spellings.find((each) => text.startsWith(each, at));
    return spelling === undefined ? undefined : { symbol: this.#symbolOf.get(spelling)!, length: spelling.length };
  }

  /** The isotope that a run of digits and the element after it may mean: of `218` and `O`, `18O`. */
  isotopeAt(text: string, at: number): string | undefined {
    const digits = /^\d+/.exec(text.slice(at))?.[0] ?? "";
    const element = this.at(text, at + digits.length);
    const mass = element && massNumbers[element.symbol]?.find((each) => digits.endsWith(String(each)));
    return mass === undefined ? undefined : `${mass}${element!.symbol}`;
  }

  #declare(written: string): void {
    const [, mass, letters] = /^(\d*)(.*)$/s.exec(written)!;
    if (mass !== "" && Number(mass) < leastMass) {
      throw badElement(
        written,
        `the ${mass} cannot be told from a count`,
        "give it letters of its own: D for deuterium",
      );
    }
    const upper = letters!.toUpperCase();
    const isSequence = mass === "" && this.#isSequence(upper);
    if (isSequence && written === upper) {
      throw badElement(
        written,
        "it is also a sequence of other elements",
        `spell it ${casesOf(upper)[1]}, as in the names`,
      );
    }
    const symbol = isSequence ? written : mass! + upper;
    this.#add(symbol, isSequence ? [written] : casesOf(upper).map((each) => mass! + each));
  }

  #isSequence(text: string): boolean {
    let at = 0;
    while (at < text.length) {
      const single = this.#symbolOf.has(text.slice(at, at + 2)) ? 2 : this.#symbolOf.has(text[at]!) ? 1 : 0;
      if (single === 0) return false;
      at += single;
    }
    return true;
  }

  #add(symbol: string, spellings: readonly string[]): void {
    for (const spelling of spellings) {
      const other = this.#symbolOf.get(spelling) ?? symbol;
      if (other !== symbol) throw badElement(symbol, `${spelling} is ${other}`, "give it another spelling");
      this.#symbolOf.set(spelling, symbol);
    }
  }
}

/** Whether `count` atoms of an element may be meant as its isotope: C13 as 13C. */
export function isMassNumber(symbol: string, count: number): boolean {
  return massNumbers[symbol]?.includes(count) ?? false;
}

/** `HE` → HE, He. */
function casesOf(symbol: string): string[] {
  return [...new Set([symbol, symbol[0]! + symbol.slice(1).toLowerCase()])];
}

function badElement(symbol: string, why: string, fix: string): ConfigError {
  return new ConfigError(`the element ${symbol} cannot be used: ${why}`, { where: "dataset.elements", fix });
}
