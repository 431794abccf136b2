import { nameConditions } from "./condition-names.ts";
import type { TextLayout } from "./text-layout.ts";

/**
 * Lines of Python that make a frame `frame` with `Tracer` of tables of text.
 * @param layouts of the files; of those that are written otherwise only the names of the columns may differ
 * @param texts   columns of words
 * @param splitBy the column that tells several tracers of one file apart, `Time` where it goes back; null without
 */
export function textLines(
  paths: readonly string[],
  layouts: readonly TextLayout[],
  { texts, splitBy }: { readonly texts: readonly string[]; readonly splitBy: string | null },
): string[] {
  const { delimiter, header, headerLine } = layouts[0]!;
  const { columns, factors } = nameConditions(header);
  const names = layouts.map((layout) => nameConditions(layout.header).columns.map((name) => name.trim()));
  const isSame = names.every((each) => each.join() === names[0]!.join());
  const sep = delimiter === " " ? 'sep=r"\\s+"' : `sep=${JSON.stringify(delimiter)}, skipinitialspace=True`;
  // Of Fortran's numbers pandas makes texts.
  const number = 'c.str.replace(r"(?<=[\\d.])(?:[dD]|(?=[+-]\\d{3}$))", "E", regex=True).astype(float)';
  const others = texts.filter((name) => name !== "Tracer").map((name) => name.trim());
  const isWord = texts.includes("Tracer");
  const numbers = isWord ? `lambda c: c if c.name == "Tracer" else ${number}` : `lambda c: ${number}`;
  const dropped = others.length === 0 ? "" : `.drop(columns=${JSON.stringify(others)}, errors="ignore")`;
  const conversions = [...factors].map(([k, factor]) => `frame[${JSON.stringify(columns[k])}] *= ${factor}`);
  return [
    `names = ${JSON.stringify(isSame ? names[0] : Object.fromEntries(paths.map((path, k) => [path, names[k]])))}`,
    `read = lambda file: pandas.read_csv(file, ${sep}, skiprows=${headerLine}, header=None, names=names${isSame ? "" : "[file]"}, dtype=str)${dropped}.apply(${numbers})`,
    columns.includes("Tracer") && paths.length === 1
      ? `frame = read(${JSON.stringify(paths[0])})`
      : columns.includes("Tracer")
        ? `frame = pandas.concat([read(f).assign(File=k) for k, f in enumerate(${JSON.stringify(paths)})])`
        : `frame = pandas.concat([read(f).assign(Tracer=k) for k, f in enumerate(${JSON.stringify(paths)})])`,
    ...conversions,
    // Two files may count from the same id.
    ...(columns.includes("Tracer") && paths.length > 1
      ? ['frame["Tracer"] = frame.groupby(["File", "Tracer"]).ngroup()']
      : isWord
        ? ['frame["Tracer"] = pandas.factorize(frame["Tracer"], sort=True)[0]']
        : []),
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

/** Lines of Python that make a frame `frame` with `Tracer` of pandas frames, of which two may count from the same id. */
export function frameLines(paths: readonly string[], key: string, tracer: string): string[] {
  return [
    `read = lambda file: pandas.read_hdf(file, ${JSON.stringify(key)}).rename(columns={${JSON.stringify(tracer)}: "Tracer"})`,
    `frame = pandas.concat([read(f).assign(File=k) for k, f in enumerate(${JSON.stringify(paths)})])`,
    'frame["Tracer"] = frame.groupby(["File", "Tracer"]).ngroup()',
  ];
}
