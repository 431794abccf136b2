import { forNpyBlocks, readNpyHeader } from "../../formats/npy.ts";
import type { ArrayInspection } from "./inspection.ts";
import { NumberStatistics } from "./number-statistics.ts";

/** Looks at a NumPy array, in blocks. @throws DataError where it is damaged or of a type that is not read */
export function inspectArray(path: string, bytes: number, isQuick: boolean): ArrayInspection {
  const header = readNpyHeader(path);
  const facts = { kind: "array", path, bytes, type: header.dtype, shape: header.shape } as const;
  if (isQuick) return { ...facts, min: null, max: null, nan: null, infinite: null, negative: null, zero: null };
  const statistics = new NumberStatistics();
  forNpyBlocks(path, header, (values) => statistics.add(values));
  const { min, max, nan, infinite, negative, zero } = statistics;
  return {
    ...facts,
    min: Number.isFinite(min) ? min : null,
    max: Number.isFinite(max) ? max : null,
    nan,
    infinite,
    negative,
    zero,
  };
}
