import { matchNames } from "../chemistry/species-names.ts";
import type { Frame } from "./frame-reader.ts";

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
  const ownName = new Map(others.map(([name, own]) => [own, name]));
  const columns = frame.columns.map((name) => ownName.get(name) ?? name);
  return {
    columns,
    rows: frame.rows,
    path: frame.path,
    key: frame.key,
    blockRows: frame.blockRows,
    chunkRows: frame.chunkRows,
    read: (start, count, names, target) =>
      frame.read(
        start,
        count,
        names.map((name) => sources.get(name) ?? name),
        target,
      ),
    isNumeric: (column) => frame.isNumeric(sources.get(column) ?? column),
    labels: (column) => frame.labels(sources.get(column) ?? column),
    attribute: (name) => frame.attribute(name),
    close: () => frame.close(),
  };
}
