import { tableOfNames } from "../chemistry/element-table.ts";
import { elements } from "../chemistry/elements.ts";
import { hasRole, nameOfRole, unusedColumns, usualParameters } from "../chemistry/physical-parameters.ts";
import { matchNames } from "../chemistry/species-names.ts";
import { DataError } from "../errors.ts";
import { roundedOutwards } from "./column-range.ts";
import { type Frame, placeOfFrame } from "./frame-reader.ts";
import { blocksOf, type GuessedRoles, guessRoles, type Note } from "./guess-roles.ts";
import { planColumns } from "./preprocess-columns.ts";
import { boundsOf, indexRows, type RawIndex, timesOf } from "./raw-index.ts";
import { asConfigured } from "./respelt-frame.ts";
import { MedianStep, StepWatch, years } from "./time-steps.ts";

/** What a dataset is to be, decided from its raw file. */
export interface OwnDataset {
  readonly columns: Readonly<Record<string, string>>;
  readonly units: Readonly<Record<string, string>>;
  readonly phys: readonly string[];
  /** Rounded outwards to three figures; of a constant half of it and twice. */
  readonly ranges: Readonly<Record<string, readonly [number, number]>>;
  readonly species: readonly string[];
  /** Whether they are the package's, whose tables fit. */
  readonly isUsualList: boolean;
  /** Isotopes that the names have. */
  readonly elements: readonly string[];
  readonly start: "auto" | "first_row";
  readonly timeStep: "constant" | "input";
  /** Rows of a window, of latents, and species to show: null where the default fits. */
  readonly window: number | null;
  readonly latents: number | null;
  readonly shown: readonly string[] | null;
  readonly notes: readonly Note[];
}

/** The package's list and defaults, which are kept where they fit. */
export interface UsualSettings {
  readonly species: readonly string[];
  readonly window: number;
  readonly latents: number;
  readonly shown: readonly string[];
  readonly minRadfield: number;
  readonly lower: number;
}

/** UCLCHEM's columns that a surrogate has no use for. */
const knownUseless: ReadonlySet<string> = new Set([...unusedColumns, "point", "Point", "Index"]);

/** Abundances are relative to H nuclei. */
const largestAbundance = 2;

/**
 * Decides what a dataset is from its raw file, which is read from end to end.
 * @throws DataError where `preprocess` could not use the file, whatever its settings
 */
export async function decideDataset(file: Frame, usual: UsualSettings): Promise<OwnDataset> {
  const where = placeOfFrame(file);
  if (file.rows === 0) throw new DataError("the frame has no rows", { where, fix: "give a file with data" });
  const roles = await guessRoles(file);
  const frame = asConfigured(file, { columns: roles.sources, units: roles.units });
  const extremes = await extremesOf(frame, [...roles.conditions, ...roles.species]);
  const notes = [...roles.notes];
  const conditions = chooseConditions(roles, extremes, usual, where, notes);
  const phys = Object.keys(conditions);
  const { species, isUsualList } = chooseSpecies(roles, extremes, usual, where, notes);
  const isotopes = tableOfNames(species).elements.filter(
    (name) => /^\d/.test(name) && !elements.includes(name as never),
  );
  if (isotopes.length > 0)
    note(notes, `elements: ${isotopes.join(", ")}`, "the names have them, or that many atoms", true);
  const unused = roles.unknown.filter((name) => !knownUseless.has(name.trim()));
  if (unused.length > 0)
    note(notes, `not used: ${listed(unused)}`, "no numbers, or no name of a time, tracer, condition or species", true);
  const wanted = {
    metadata: ["Index", "Model", "Time"],
    phys,
    species,
    columnsToDrop: [],
    naming: { elements: isotopes },
  };
  const checks = { bounds: boundsOf(phys), lower: usual.lower };
  const index = await indexRows(frame, planColumns(frame.columns, wanted, where), checks, () => {});
  notes.push(...index.notes.map((text) => ({ what: "rows", why: text.replace(/^warning: /, ""), isDoubtful: true })));
  return {
    columns: onlyUsed(roles.columns, ["Time", "Model", ...phys, ...species]),
    units: onlyUsed(roles.units, ["Time", ...phys]),
    phys,
    ranges: conditions,
    species,
    isUsualList,
    elements: isotopes,
    ...chooseSteps(index, isUsualList, usual, where, notes),
    ...chooseSizes(species, extremes, usual, notes),
    notes,
  };
}

interface Extremes {
  readonly min: number;
  readonly max: number;
}

/** Of the rows after Time 0, whose conditions are replaced by the next row's. */
async function extremesOf(frame: Frame, columns: readonly string[]): Promise<Map<string, Extremes>> {
  const all = columns.map((name): [string, { min: number; max: number }] => [
    name,
    { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY },
  ]);
  const width = columns.length + 1;
  for await (const { rows, values } of blocksOf(frame, ["Time", ...columns])) {
    for (let row = 0; row < rows; row++) {
      if (values[row * width] === 0) continue;
      for (const [i, [, extreme]] of all.entries()) {
        const value = values[row * width + 1 + i]!;
        if (value < extreme.min) extreme.min = value;
        if (value > extreme.max) extreme.max = value;
      }
    }
  }
  return new Map(all);
}

/** The conditions to learn from and their ranges: the usual ones, and of the others those that vary by themselves. */
function chooseConditions(
  { conditions, columns }: GuessedRoles,
  extremes: ReadonlyMap<string, Extremes>,
  { minRadfield }: UsualSettings,
  where: string,
  notes: Note[],
): Record<string, readonly [number, number]> {
  const ranges: Record<string, readonly [number, number]> = {};
  for (const name of conditions) {
    const { min, max } = extremes.get(name)!;
    const [low, high] = hasRole(name, "radfield")
      ? [Math.max(min, minRadfield), Math.max(max, minRadfield)]
      : [min, max];
    const gas = extremes.get(nameOfRole("gas_temperature"));
    const isSame = hasRole(name, "dust_temperature") && min === gas?.min && max === gas.max;
    if (!(low > 0))
      note(
        notes,
        `${name} is left out`,
        `it has values of 0 or below (${columns[name] ?? name}), and is scaled by its logarithm`,
        true,
      );
    else if (!usualParameters.includes(name) && (low === high || isSame))
      note(notes, `${name} is left out`, isSame ? "it is the gas temperature" : "it does not vary");
    else {
      ranges[name] =
        low === high
          ? [roundedOutwards(low / 2, Math.round), roundedOutwards(2 * high, Math.round)]
          : [roundedOutwards(low, Math.floor), roundedOutwards(high, Math.ceil)];
      const why =
        low === high
          ? `it is ${Number(low.toPrecision(4))} in all rows: half and twice of that`
          : "the least and the largest value, rounded outwards";
      note(notes, `range of ${name}: ${ranges[name].join(" to ")}`, why, low === high);
    }
  }
  if (Object.keys(ranges).length > 0) return ranges;
  throw new DataError("no column is a condition that a surrogate could learn from", {
    where,
    fix: `call the columns ${usualParameters.join(", ")} (cm^-3, Habing, mag, K); any of them will do`,
  });
}

/** The package's list where the file has just its species, else the file's own. */
function chooseSpecies(
  { species: found }: GuessedRoles,
  extremes: ReadonlyMap<string, Extremes>,
  usual: UsualSettings,
  where: string,
  notes: Note[],
): { species: readonly string[]; isUsualList: boolean } {
  const tooLarge = found.filter((name) => extremes.get(name)!.max > largestAbundance);
  const isOther = tooLarge.length <= found.length / 2;
  if (isOther && tooLarge.length > 0)
    note(notes, `not used: ${listed(tooLarge)}`, `above ${largestAbundance}: no abundance relative to H nuclei`, true);
  const species = isOther ? found.filter((name) => !tooLarge.includes(name)) : found;
  if (species.length === 0) {
    throw new DataError("no column is a species", {
      where,
      fix: "name the abundances by their formulas: CO, H2O, #H2O, HCO+",
    });
  }
  const isUsualList =
    species.length === usual.species.length && matchNames(usual.species, species).sources.size === species.length;
  note(
    notes,
    `${species.length} species`,
    isUsualList ? "those of the package's list: its tables are used" : "all columns whose names are formulas",
  );
  return { species: isUsualList ? usual.species : species, isUsualList };
}

function chooseSteps(
  index: RawIndex,
  isUsualList: boolean,
  usual: UsualSettings,
  where: string,
  notes: Note[],
): Pick<OwnDataset, "start" | "timeStep" | "window"> {
  const { tracers } = index;
  const all = [...tracers.keys()].map((k) => timesOf(index, k));
  const lengths = all.map(({ length }) => length).sort((a, b) => a - b);
  if (tracers.length < 2) {
    const fix =
      "give at least two, several files such as 'runs/*.dat': one of them has to validate what the others taught";
    throw new DataError(`the file has one tracer (${tracers[0]}, ${lengths[0]} rows)`, { where, fix });
  }
  note(
    notes,
    `${tracers.length} tracers of ${[...new Set([lengths[0], lengths.at(-1)])].join(" to ")} rows`,
    `${Math.floor(0.75 * tracers.length)} train, the others validate`,
  );
  const median = new MedianStep();
  for (const times of all) for (let row = 1; row < times.length; row++) median.add(times[row]! - times[row - 1]!);
  const step = median.value;
  if (step === null) throw new DataError("no tracer has two rows", { where, fix: "give histories, not single rows" });
  const watch = new StepWatch(step);
  for (const [k, times] of all.entries()) watch.add(tracers[k]!, times);
  const timeStep = watch.first === null ? "constant" : "input";
  const why =
    watch.first === null
      ? `rows are ${years(step)} apart`
      : `rows are ${years(median.least)} to ${years(median.largest)} apart: the step is a condition, too`;
  note(notes, `time step: ${timeStep}`, why);
  const start = isUsualList ? "auto" : "first_row";
  note(
    notes,
    `start: ${start}`,
    isUsualList
      ? "the package's initial abundances where they fit a tracer, else its first row"
      : "each tracer's first row: no initial abundances are known",
  );
  return { start, timeStep, window: chooseWindow(lengths, usual.window, notes) };
}

/** The shortest tracer is one window; of many tracers the shortest tenth may be shorter. @param lengths ascending */
function chooseWindow(lengths: readonly number[], usual: number, notes: Note[]): number | null {
  const least = Math.max(2, lengths[Math.floor(lengths.length / 10)]!);
  const shorter = lengths.filter((length) => length < Math.min(least, usual)).length;
  if (shorter > 0)
    note(notes, `${shorter} tracers are shorter than a window`, "the emulator does not learn from them", true);
  if (least >= usual) return null;
  note(notes, `windows of ${least} rows`, `tracers are shorter than the usual ${usual}`);
  return least;
}

function chooseSizes(
  species: readonly string[],
  extremes: ReadonlyMap<string, Extremes>,
  usual: UsualSettings,
  notes: Note[],
): Pick<OwnDataset, "latents" | "shown"> {
  const most = Math.ceil(species.length / 3);
  const latents = most < usual.latents ? most : null;
  if (latents !== null) note(notes, `${latents} latents`, `a third of the species; ${usual.latents} are usual`);
  const known = usual.shown.filter((name) => species.includes(name));
  if (known.length === usual.shown.length) return { latents, shown: null };
  const abundant = [...species].sort((a, b) => extremes.get(b)!.max - extremes.get(a)!.max);
  return { latents, shown: [...new Set([...known, ...abundant])].slice(0, usual.shown.length) };
}

function note(notes: Note[], what: string, why: string, isDoubtful = false): void {
  notes.push({ what, why, isDoubtful });
}

function onlyUsed(map: Readonly<Record<string, string>>, used: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(map).filter(([name]) => used.includes(name)));
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => name.trim());
  return names.length > 8 ? `${shown.join(", ")} and ${names.length - 8} more` : shown.join(", ");
}
