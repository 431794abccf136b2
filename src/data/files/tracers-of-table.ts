/** Which tracer each row of a table belongs to. */
export interface TableTracers {
  /** [rows]; null where all rows are one tracer. */
  readonly tracerOf: Int32Array | null;
  /** What each is called beside the file's name; empty for the only one. */
  readonly names: readonly string[];
  /** The column that told them apart where there are no ids. */
  readonly splitBy?: string;
  /** How they were told apart, in words; null where there was nothing to tell. */
  readonly note: string | null;
}

const pointColumn = /^(?:points?|dstep)$/i;

/**
 * Tells the tracers of a table apart: by its ids; else by the number of the point; else where the time goes back.
 * @param column the values of a column, [rows]; null where there is none, or it cannot be read
 * @param texts  columns of text
 */
export function tellTracers(
  columns: readonly string[],
  column: (name: string) => Float64Array | null,
  texts: ReadonlyMap<string, readonly string[]>,
): TableTracers {
  if (columns.includes("Tracer")) {
    const ids = column("Tracer");
    const names = texts.get("Tracer");
    if (ids !== null) return grouped(ids, (id) => names?.[id] ?? String(id), null);
  }
  const point = columns.find((name) => pointColumn.test(name) && !isConstant(column(name)));
  if (point !== undefined) {
    const told = grouped(column(point)!, (value) => `${point} ${value}`, "");
    return { ...told, splitBy: point, note: `\`${point}\` tells ${told.names.length} points: a tracer each` };
  }
  const times = column("Time");
  const back =
    times === null ? 0 : times.reduce((sum, time, row) => (row > 0 && time < times[row - 1]! ? sum + 1 : sum), 0);
  if (back === 0) return { tracerOf: null, names: [""], note: null };
  let tracer = 0;
  const tracerOf = Int32Array.from(times!, (time, row) => (row > 0 && time < times![row - 1]! ? ++tracer : tracer));
  const names = Array.from({ length: back + 1 }, (_, k) => `history ${k}`);
  return {
    tracerOf,
    names,
    splitBy: "Time",
    note: `the time goes back ${back === 1 ? "once" : `${back} times`}: ${back + 1} tracers`,
  };
}

function isConstant(values: Float64Array | null): boolean {
  return values === null || values.every((value) => value === values[0]);
}

function grouped(values: Float64Array, nameOf: (value: number) => string, note: string | null): TableTracers {
  const codes = new Map<number, number>();
  const tracerOf = Int32Array.from(values, (value) => {
    const code = codes.get(value) ?? codes.size;
    if (code === codes.size) codes.set(value, code);
    return code;
  });
  return { tracerOf, names: [...codes.keys()].map(nameOf), note };
}
