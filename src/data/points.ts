import { DataError } from "../errors.ts";
import type { Frame } from "./frame.ts";
import type { Labels } from "./frame-labels.ts";

/** Names of a point's number, as UCLCHEM's `Point`, `point` and `dstep`: where they are integers, they must not vary within a tracer. */
const numberOfPoint =
  /^(?:(?:grid|depth|radial|space|spatial)?points?|dstep|parcels?)(?:id|index|idx|number|num|no|nr)?$/;

/** Names of what may vary along one history as well: a particle moves through cells, and a parcel shrinks in a collapse. */
const placeOfPoint =
  /^(?:(?:parcel|point|shell)?(?:radius|position)|(?:particle|zone|cell|shell|slab)s?(?:id|index|idx|number|num|no|nr)?)$/;

/** The columns that may tell which point of a model a row belongs to, the surest first; those of text know their values already. */
export function pointColumns(frame: Pick<Frame, "columns" | "rows" | "isNumeric" | "labels">): PointColumn[] {
  const named = (pattern: RegExp): string[] => frame.columns.filter((column) => pattern.test(plain(column)));
  return [...named(numberOfPoint), ...named(placeOfPoint)].flatMap((column) => {
    if (frame.isNumeric(column)) return [new PointColumn(column, frame.rows)];
    const texts = textsOf(frame, column);
    return texts === null ? [] : [new PointColumn(column, frame.rows, texts)];
  });
}

/** Null where the column holds neither numbers nor text. */
function textsOf(frame: Pick<Frame, "labels">, column: string): Labels | null {
  try {
    const labels = frame.labels(column);
    return labels.values.every((value) => typeof value === "string") ? labels : null;
  } catch (error) {
    if (error instanceof DataError) return null;
    throw error;
  }
}

/** How pandas writes a text that is missing. */
const missing = /^(?:nan|none|)$/i;

/** `Parcel_Radius ` → `parcelradius`. */
function plain(column: string): string {
  return column.toLowerCase().replace(/[^a-z0-9]/g, "");
}

/** A column that may tell points apart. Takes memory only once its values differ. */
export class PointColumn {
  readonly name: string;
  /** Whether its values are to be told by `add`. */
  readonly isNumeric: boolean;
  readonly #rows: number;
  /** What the values stand for; null where they stand for themselves. */
  readonly #texts: Labels["values"] | null;
  #constant = Number.NaN;
  #values: Float64Array | null = null;

  /** @param texts of a column of text */
  constructor(name: string, rows: number, texts: Labels | null = null) {
    [this.name, this.#rows, this.#texts, this.isNumeric] = [name, rows, texts?.values ?? null, texts === null];
    if (texts === null || texts.values.length < 2) return;
    const isMissing = texts.values.map((text) => missing.test(String(text)));
    this.#values = Float64Array.from(texts.codes, (code) => (isMissing[code] ? Number.NaN : code));
  }

  /** To be called row after row. */
  add(value: number, row: number): void {
    if (row === 0) this.#constant = value;
    if (this.#values === null && !Object.is(value, this.#constant)) {
      this.#values = new Float64Array(this.#rows).fill(this.#constant, 0, row);
    }
    if (this.#values !== null) this.#values[row] = value;
  }

  /**
   * @param order a tracer's rows, by time
   * @returns how many points they belong to, in words; null where nothing shows more than one
   */
  pointsOf(order: Int32Array, times: Float64Array): string | null {
    if (this.#values === null) return null;
    const rows = order.filter((row) => !Number.isNaN(this.#values![row]));
    const values = Float64Array.from(rows, (row) => this.#values![row]!);
    const points = [...new Set(values)].sort((a, b) => a - b);
    if (points.length < 2) return null;
    const [isNumber, isParcel] = [numberOfPoint, /^parcel/].map((pattern) => pattern.test(plain(this.name)));
    if (isNumber && !points.every(Number.isInteger)) return null;
    const isRarelyNew = 2 * points.length <= values.length;
    // A particle's radius may go up and down: only that of a parcel, or one of a few places, tells points apart.
    const isZigzag =
      turns(values, this.#leastDifference) >= Math.max(2, values.length / (isParcel ? 5 : 3)) &&
      (isParcel || isRarelyNew);
    if (!isNumber && !isZigzag && !hasTwoAtOnce(values, rows, times, this.#leastDifference)) return null;
    const name = `\`${this.name.trim()}\``;
    // A radius that differs in most rows shows that there are several points, but not how many.
    if (!isNumber && !isRarelyNew) return `several points (${name} jumps back and forth in time)`;
    const shown = points.slice(0, 4).map((value) => this.#texts?.[value] ?? Number(value.toPrecision(6)));
    return `${points.length} points (${name} is ${shown.join(", ")}${points.length > 4 ? " …" : ""})`;
  }

  /** What a difference must exceed, as a share: rounding is not another place. */
  get #leastDifference(): number {
    return this.#texts === null ? 0.01 : 0;
  }
}

/** Rows grouped by tracer. */
export interface TracerOrder {
  readonly tracers: readonly (string | number)[];
  /** [rows] */
  readonly order: Int32Array;
  /** [tracers + 1]: where the rows of each tracer begin in `order`. */
  readonly starts: Int32Array;
}

/**
 * Looks for tracers whose rows belong to several points of a model: they would become one history.
 * The rows of each tracer must be sorted by time.
 * @param tracerColumn the column of ids, as the file names it
 * @returns            the error, to be thrown or told; null where every tracer is one history
 */
export function pointsError(
  columns: readonly PointColumn[],
  { tracers, order, starts }: TracerOrder,
  times: Float64Array,
  { tracerColumn, where }: { readonly tracerColumn: string; readonly where: string },
): DataError | null {
  for (const column of columns) {
    const found = tracers.flatMap((tracer, i) => {
      const points = column.pointsOf(order.subarray(starts[i], starts[i + 1]), times);
      return points === null ? [] : [{ tracer, points }];
    });
    if (found.length === 0) continue;
    const { tracer, points } = found[0]!;
    const others =
      found.length === 1 ? "" : `, and ${found.length - 1} other tracer${found.length === 2 ? "" : "s"} likewise`;
    // A radius that varies in time does not tell which parcel a row belongs to.
    const isUnnumbered = points.startsWith("several");
    const [id, point] = [tracerColumn, isUnnumbered ? "Point" : column.name].map((name) => JSON.stringify(name));
    const given = isUnnumbered ? " with Point the number of the parcel" : "";
    return new DataError(`the rows of tracer ${tracer} belong to ${points}${others}`, {
      where,
      fix: `make the tracer Tracer × Point${given}: frame[${id}] = frame.groupby([${id}, ${point}]).ngroup()`,
    });
  }
  return null;
}

function sign(from: number, to: number, leastDifference: number): number {
  const difference = to - from;
  return Math.abs(difference) > leastDifference * Math.max(Math.abs(from), Math.abs(to)) ? Math.sign(difference) : 0;
}

/** Whether two places belong to one time. */
function hasTwoAtOnce(values: Float64Array, rows: Int32Array, times: Float64Array, least: number): boolean {
  return values.some(
    (value, i) => i > 0 && times[rows[i]!] === times[rows[i - 1]!] && sign(values[i - 1]!, value, least) !== 0,
  );
}

/** How often the values turn from rising to falling or back: once or twice along one history, again and again where there are several. */
function turns(values: Float64Array, least: number): number {
  let [count, last] = [0, 0];
  for (let i = 1; i < values.length; i++) {
    const direction = sign(values[i - 1]!, values[i]!, least);
    if (direction === 0) continue;
    if (last !== 0 && direction !== last) count++;
    last = direction;
  }
  return count;
}
