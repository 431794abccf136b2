import { unitFactor } from "../chemistry/physical-parameters.ts";
import { matchNames } from "../chemistry/species-names.ts";
import { counted } from "../counted.ts";
import { DataError } from "../errors.ts";
import { type Frame, placeOfFrame } from "./frame-reader.ts";

/**
 * The frame under the names wanted, where it spells some of them otherwise: clean files made with another list, weights of before.
 * @param log told so in one line
 */
export function respelt(frame: Frame, wanted: readonly string[], log: (message: string) => void = () => {}): Frame {
  const { sources } = matchNames(wanted, frame.columns);
  const others = [...sources].filter(([name, source]) => name !== source);
  if (others.length === 0) return frame;
  const [first, source] = others[0]!;
  log(`${frame.path}, key ${frame.key}, spells ${others.length} of the columns otherwise, such as ${first}: ${source}`);
  return renamed(frame, new Map(others));
}

/** What a dataset says of the columns of its raw file. */
export interface RawColumns {
  /** Our name → the file's. */
  readonly columns?: Readonly<Record<string, string>> | undefined;
  /** Our name → the unit in the file. */
  readonly units?: Readonly<Record<string, string>> | undefined;
  /** Whether the file is another one of this kind, which need not have all of the columns. */
  readonly isKindred?: boolean;
}

/**
 * The raw frame under our names and in our units.
 * @param log told so in one line
 * @throws DataError for a column that is not there, or that another is in the way of
 */
export function asConfigured(frame: Frame, raw: RawColumns, log: (message: string) => void = () => {}): Frame {
  const { columns = {}, units = {} } = raw.isKindred ? thosePresent(frame, raw) : raw;
  // What a reader of text renamed or converted by itself is done.
  const names = Object.entries(columns).filter(([name, source]) => name !== source && !isTaken(frame, name, source));
  const sources = new Map(names.map(([name, source]) => [name, columnOf(frame, source)]));
  const renamedAway = new Set(sources.values());
  const where = placeOfFrame(frame);
  const twice = names.find(([name]) => frame.columns.includes(name) && !renamedAway.has(name));
  if (twice !== undefined || renamedAway.size < names.length) {
    const what =
      twice === undefined
        ? "dataset.columns names a column twice"
        : `\`${twice[1]}\` would be \`${twice[0]}\`, which is another column`;
    throw new DataError(what, { where, fix: "correct dataset.columns" });
  }
  const factors = Object.entries(units).map(([name, unit]) => [name, unitFactor(name, unit) ?? 1] as const);
  const changed = factors.filter(([name, factor]) => factor !== 1 && !frame.taken?.get(name)?.hasUnit);
  if (sources.size + changed.length === 0) return frame;
  const [first] = sources;
  const parts = [
    first && `renames ${counted(sources.size, "column")}, such as ${first[1].trim()}: ${first[0]}`,
    changed.length > 0 && `converts ${changed.map(([name]) => `${name} (${units[name]})`).join(", ")}`,
  ];
  log(`the dataset ${parts.filter(Boolean).join(" and ")}`);
  const own = renamed(frame, sources, new Map(changed));
  const hasIds = frame.isTracerGuessed === true && sources.has("Model");
  return hasIds ? { ...own, columns: own.columns.filter((name) => name !== "Tracer") } : own;
}

/**
 * The part of a dataset's names and units that a frame has a use for: a column that is not there is looked for under our name, in our
 * unit, which is how UCLCHEM's own files and clean ones have it.
 */
function thosePresent(frame: Frame, { columns = {}, units = {} }: RawColumns): RawColumns {
  const names = new Set(frame.columns.flatMap((name) => [name, name.trim()]));
  const isTold = names.has("Tracer") && !frame.isTracerGuessed;
  const isThere = ([name]: [string, string]): boolean =>
    (names.has(columns[name] ?? name) || isTaken(frame, name, columns[name])) &&
    !(name === "Model" && isTold && columns[name] !== "Tracer");
  const part = (map: Readonly<Record<string, string>>) => Object.fromEntries(Object.entries(map).filter(isThere));
  return { columns: part(columns), units: part(units) };
}

/** Whether a reader of text gave the column our name. */
function isTaken(frame: Frame, name: string, source = ""): boolean {
  const bare = (text: string): string => text.replace(/\s/g, "");
  const taken = frame.taken?.get(name);
  return taken !== undefined && bare(taken.source) === bare(source);
}

function columnOf(frame: Frame, source: string): string {
  const found = frame.columns.find((name) => name === source) ?? frame.columns.find((name) => name.trim() === source);
  if (found !== undefined) return found;
  throw new DataError(`dataset.columns names a column that is not there: \`${source}\``, {
    where: placeOfFrame(frame),
    fix: `columns: ${frame.columns.slice(0, 20).join(", ")}${frame.columns.length > 20 ? ", …" : ""}`,
  });
}

/** @param sources our name → the frame's @param factors our name → what its values are multiplied by */
function renamed(
  frame: Frame,
  sources: ReadonlyMap<string, string>,
  factors: ReadonlyMap<string, number> = new Map(),
): Frame {
  const ownName = new Map([...sources].map(([name, own]) => [own, name]));
  const columns = frame.columns.map((name) => ownName.get(name) ?? name);
  return {
    columns,
    rows: frame.rows,
    path: frame.path,
    key: frame.key,
    blockRows: frame.blockRows,
    chunkRows: frame.chunkRows,
    read(start, count, names, target) {
      frame.read(
        start,
        count,
        names.map((name) => sources.get(name) ?? name),
        target,
      );
      for (const [column, name] of names.entries()) {
        const factor = factors.get(name);
        if (factor === undefined) continue;
        for (let row = 0; row < count; row++) target[row * names.length + column]! *= factor;
      }
    },
    isNumeric: (column) => frame.isNumeric(sources.get(column) ?? column),
    rawName: (column) => sources.get(column) ?? column,
    labels: (column) => frame.labels(sources.get(column) ?? column),
    attribute: (name) => frame.attribute(name),
    ...(frame.placeOf ? { placeOf: (row: number) => frame.placeOf!(row) } : {}),
    ...(frame.pandasLines ? { pandasLines: frame.pandasLines } : {}),
    close: () => frame.close(),
  };
}
