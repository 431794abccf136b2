import { DataError } from "../errors.ts";

/** What the header of a .npy file says. */
export interface NpyHeader {
  /** NumPy's type descriptor, such as `<f4`. */
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: number[];
}

/** NumPy itself has no more than 32 axes (64 since NumPy 2). */
const mostAxes = 64;

/**
 * Reads the Python dictionary that heads a .npy file. Only what NumPy writes is understood: three keys, strings,
 * True and False, a tuple of whole numbers. Nothing is evaluated.
 * @throws DataError naming the file and the character where the header stops making sense
 */
export function parseNpyHeader(text: string, path: string): NpyHeader {
  let at = 0;
  const fail = (what: string): DataError =>
    new DataError(`the header of ${path} does not make sense: ${what}`, {
      where: `${path}, character ${at + 1} of the header`,
      fix: "save the array again with numpy.save, or copy the file anew",
    });
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    at += found?.length ?? 0;
    return found;
  };
  const skip = (mark: string): boolean => {
    match(/[ \t\r\n]*/y);
    if (text[at] !== mark) return false;
    at++;
    match(/[ \t\r\n]*/y);
    return true;
  };
  const need = (mark: string): void => {
    if (!skip(mark)) throw fail(`"${mark}" is missing`);
  };
  const string = (): string => {
    const quoted = match(/'[^'\\\n]*'|"[^"\\\n]*"/y);
    if (quoted === undefined) throw fail("a text in quotes is missing");
    return quoted.slice(1, -1);
  };
  const shapeTuple = (): number[] => {
    need("(");
    const shape: number[] = [];
    while (!skip(")")) {
      const length = match(/-?\d+/y);
      if (length === undefined) throw fail("the shape is not a list of whole numbers");
      match(/L/y); // Python 2 wrote 3L
      if (length.startsWith("-") || !Number.isSafeInteger(Number(length))) {
        throw fail(`an array cannot be ${length} long`);
      }
      if (shape.push(Number(length)) > mostAxes) throw fail(`the shape has more than ${mostAxes} axes`);
      if (!skip(",")) {
        if (shape.length === 1) throw fail("the shape is a number, not a tuple");
        need(")");
        break;
      }
    }
    return shape;
  };

  let descr: string | undefined;
  let fortranOrder: boolean | undefined;
  let shape: number[] | undefined;
  need("{");
  while (!skip("}")) {
    const key = string();
    need(":");
    if (key === "descr" && descr === undefined) {
      if (text[at] === "[" || text[at] === "(") {
        throw new DataError(`${path} holds records with named fields, not plain numbers`, {
          where: path,
          fix: 'save one field as plain numbers: numpy.save(path, array["name"])',
        });
      }
      descr = string();
    } else if (key === "fortran_order" && fortranOrder === undefined) {
      const word = match(/True|False/y);
      if (word === undefined) throw fail("fortran_order is neither True nor False");
      fortranOrder = word === "True";
    } else if (key === "shape" && shape === undefined) {
      shape = shapeTuple();
    } else {
      throw fail(`the key ${JSON.stringify(key)} is unknown or there twice`);
    }
    if (!skip(",")) {
      need("}");
      break;
    }
  }
  match(/[ \t\r\n]*/y);
  if (at < text.length) throw fail("something follows the dictionary");
  if (descr === undefined || fortranOrder === undefined || shape === undefined) {
    const missing = { descr, fortran_order: fortranOrder, shape };
    const names = Object.entries(missing).flatMap(([name, value]) => (value === undefined ? [name] : []));
    throw fail(`${names.join(" and ")} missing`);
  }
  return { descr, fortranOrder, shape };
}
