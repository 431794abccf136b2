import { nameConditions } from "./condition-names.ts";
import type { TextLayout } from "./text-layout.ts";

/**
 * Lines of Python that make a frame `frame` with `Tracer` of tables of text.
 * @param splitBy the column that tells several tracers of one file apart, `Time` where it goes back; null without
 */
export function textLines(
  paths: readonly string[],
  { delimiter, header, headerLine }: TextLayout,
  splitBy: string | null,
): string[] {
  const { columns, factors } = nameConditions(header);
  const sep = delimiter === " " ? 'sep=r"\\s+"' : `sep=${JSON.stringify(delimiter)}, skipinitialspace=True`;
  // Of Fortran's numbers pandas makes texts.
  const numbers = '.replace(r"(?<=[\\d.])(?:[dD]|(?=[+-]\\d{3}$))", "E", regex=True).astype(float)';
  const conversions = [...factors].map(([k, factor]) => `frame[${JSON.stringify(columns[k])}] *= ${factor}`);
  return [
    `names = ${JSON.stringify(columns.map((name) => name.trim()))}`,
    `read = lambda file: pandas.read_csv(file, ${sep}, skiprows=${headerLine}, header=None, names=names, dtype=str)${numbers}`,
    columns.includes("Tracer")
      ? `frame = read(${JSON.stringify(paths[0])})`
      : `frame = pandas.concat([read(f).assign(Tracer=k) for k, f in enumerate(${JSON.stringify(paths)})])`,
    ...conversions,
    ...(splitBy === null
      ? []
      : splitBy === "Time"
        ? ['frame["Tracer"] = (frame.Tracer.diff().ne(0) | frame.Time.diff().lt(0)).cumsum() - 1']
        : [`frame["Tracer"] = frame.groupby(["Tracer", ${JSON.stringify(splitBy)}]).ngroup()`]),
  ];
}

/** Lines of Python that make a frame `frame` with `Tracer` of the models of UCLCHEM 4. */
export function modelLines(paths: readonly string[]): string[] {
  return [
    "import h5py",
    `models = [g for f in ${JSON.stringify(paths)} for g in h5py.File(f).values()]`,
    "both = lambda g, p: numpy.concatenate([g[k][:, p] for k in ('physics_array', 'chemical_abun_array')], axis=1)",
    "names = lambda g: [n.decode() for k in ('physics_values', 'chemical_abun_values') for n in g['_coords'][k][:]]",
    "tables = [pandas.DataFrame(both(g, p), columns=names(g)) for g in models for p in range(g['physics_array'].shape[1])]",
    "frame = pandas.concat([one.assign(Tracer=k) for k, one in enumerate(tables)])",
  ];
}
