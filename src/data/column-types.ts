/** Why the values of a column are not the numbers that they seem to be, and how to convert them. */
export interface ColumnCaveat {
  /** Follows the column's name: `holds dates (datetime64[ns])`. */
  readonly what: string;
  readonly fix: (column: string) => string;
}

/** How a file stores a column, and the type that it says it has. */
export interface StoredType {
  /** NumPy's name of the stored elements. */
  readonly dtype: string;
  /** pandas' name of the type (`value_type` of a block, `…_dtype` of a table's field), where the file has one. */
  readonly declared: string | undefined;
  readonly isCategory?: boolean;
}

/** pandas stores dates, time spans, periods and categories as plain integers and names the type beside them. */
export function columnCaveat({ dtype, declared, isCategory }: StoredType): ColumnCaveat | undefined {
  if (isCategory) return categories;
  const isText = dtype === "vlen" || dtype === "string" || dtype.startsWith("|S");
  if (isText || (isNumber(dtype) && (declared === undefined || /^(u?int|float)\d+$/.test(declared)))) return undefined;
  const type = declared ?? (dtype === "|b1" ? "bool" : dtype === "compound" ? "complex" : undefined);
  const [, words, line] = conversions.find(([pattern]) => pattern.test(type ?? "")) ?? otherType;
  return beforeWriting(`holds ${words}${type === undefined ? "" : ` (${type.slice(0, 40)})`}`, line);
}

/** Whether elements of that type are read as numbers. */
export function isNumber(dtype: string): boolean {
  return /^[<>|]([iu][1248]|f[48])$/.test(dtype);
}

/** @param line pandas' line that converts the column, which it calls `COLUMN` */
export function beforeWriting(what: string, line: string): ColumnCaveat {
  const fix = (column: string): string =>
    `before to_hdf: ${line.replaceAll("COLUMN", () => `frame[${JSON.stringify(column)}]`)}`;
  return { what, fix };
}

const years = "pandas.Timedelta(days=365.25)";

const conversions: readonly (readonly [type: RegExp, words: string, line: string])[] = [
  [/^timedelta/, "time spans", `COLUMN = COLUMN / ${years}`],
  [/^datetime/, "dates", `COLUMN = (COLUMN - COLUMN.min()) / ${years}`],
  [/^period/, "periods", `time = COLUMN.dt.to_timestamp(); COLUMN = (time - time.min()) / ${years}`],
  [/^bool/, "True and False", 'write the values themselves; if 1 and 0 are meant, COLUMN = COLUMN.astype("float64")'],
  [/^complex/, "complex numbers", "COLUMN = COLUMN.to_numpy().real"],
];
const otherType = [null, "values of a type that is not read", 'COLUMN = COLUMN.astype("float64")'] as const;

const categories = beforeWriting(
  "is categorical: only its codes are stored with the rows",
  "COLUMN = COLUMN.astype(COLUMN.cat.categories.dtype)",
);
