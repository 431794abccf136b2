const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdDqQ][+-]?\d+)?$/;
/** Fortran leaves the E out of a field that is too narrow for three digits of an exponent. */
const lostExponent = /^([+-]?\d*\.\d*)([+-]\d{3})$/;
const notFinite = /^([+-]?)(?:nan|(inf(?:inity)?))$/i;

/**
 * A number as Python, C or Fortran writes it: `1.5E-3`, `1.5D-3`, `3.05698-105`, `NaN`, `-inf`.
 * @returns undefined where the text is no number
 */
export function readNumber(text: string): number | undefined {
  const word = text.trim();
  if (decimal.test(word)) {
    const value = Number(word);
    return Number.isNaN(value) ? Number(word.replace(/[dDqQ]/, "E")) : value;
  }
  const [, digits, exponent] = lostExponent.exec(word) ?? [];
  if (digits !== undefined && /\d/.test(digits)) return Number(`${digits}E${exponent}`);
  const [whole, sign, infinite] = notFinite.exec(word) ?? [];
  if (whole === undefined) return undefined;
  if (infinite === undefined) return Number.NaN;
  return sign === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

const decimalComma = /^[+-]?\d+,\d+(?:[eE][+-]?\d+)?$/;

/** Whether a cell stands for a number, readable or lost: asterisks are a number that its field was too narrow for. */
export function isNumberCell(text: string): boolean {
  const word = text.trim();
  return word === "" || /^\*+$/.test(word) || decimalComma.test(word) || readNumber(word) !== undefined;
}

/** Why a cell of a column of numbers cannot be read, and the remedy. */
export function cellProblem(text: string, column: string): { what: string; fix: string } {
  const word = text.trim();
  if (/^\*+$/.test(word)) {
    return {
      what: "a Fortran field too narrow for the number",
      fix: "write the file with a wider format, or run it again",
    };
  }
  if (word === column) return { what: "the header again", fix: "give each table its own file" };
  if (/^[+-]?\d{1,3}(?:,\d{3})+$/.test(word)) {
    return {
      what: "a comma of thousands, or of decimals",
      fix: 'pandas.read_csv(FILE, sep=";", thousands=",").to_csv("points.csv", index=False), or decimal="," in place of thousands',
    };
  }
  if (decimalComma.test(word)) {
    return {
      what: "a decimal comma",
      fix: 'pandas.read_csv(FILE, sep=";", decimal=",").to_csv("points.csv", index=False)',
    };
  }
  return { what: word === "" ? "no value" : "no number", fix: "correct the file there, or remove the row" };
}
