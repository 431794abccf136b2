import { DataError } from "../errors.ts";
import { elements as core, isMassNumber } from "./elements.ts";
import { isElectron, NameReader, type NamingOptions, type Phase, type ReadName, type Species } from "./name-reader.ts";

/** What species are made of: the one source for losses, conservation, and what is told of elements. */
export interface ElementTable {
  readonly elements: readonly string[];
  /** Atoms, [species][elements]. */
  readonly atoms: readonly (readonly number[])[];
  /** [species], in elementary charges. */
  readonly charges: readonly number[];
  /** Where each is found, [species]: of names of a convention only their reader knows. */
  readonly phases: readonly Phase[];
}

/** A table as weights hold it: earlier files lack the phases. */
type StoredTable = Omit<ElementTable, "phases"> & { readonly phases?: readonly Phase[] | undefined };

/** A matrix of atoms as a file holds it. */
export interface MatrixFile {
  readonly path: string;
  readonly shape: readonly number[];
  readonly data: ArrayLike<number | bigint>;
}

/** What a table is made from beside the names. */
export interface TableSources {
  readonly naming: NamingOptions;
  /** Wins over the names; null: the names alone. */
  readonly matrix: MatrixFile | null;
  /** Whether names without a formula may have no atoms: where no loss conserves the elements. */
  readonly allowsNoFormula: boolean;
  /** Where the names stand, for errors. */
  readonly where: string;
}

/** Names that an error or a line spells out. */
const SHOWN = 12;

/**
 * Counts the atoms and charges of every species.
 * @returns the table, and what there is to say of the names, a line each
 * @throws DataError naming all names that are no formula or may mean an isotope, and where the matrix does not fit
 */
export function elementTable(
  names: readonly string[],
  { naming, matrix, allowsNoFormula, where }: TableSources,
): { table: ElementTable; notes: string[] } {
  const reader = NameReader.of(naming);
  const doubts = doubtsOf(names, reader);
  const bad = matrix !== null ? [] : doubts.filter(({ isotopes }) => !allowsNoFormula || isotopes.length > 0);
  if (bad.length > 0) throw badNames(bad, names, where);
  const unread = new Set(doubts.map(({ name }) => name));
  const species = names.map((name) => (unread.has(name) ? withoutFormula(reader, name) : speciesOf(reader, name)!));
  const computed = tableOf(species, reader);
  const table = matrix === null ? computed : checked(matrix, computed, names, unread);
  return { table, notes: notesOf(names, species, reader, matrix) };
}

/** What `elementTable` says of names without a matrix: why it refuses them, or what there is to say of them. */
export function describeNames(
  names: readonly string[],
  sources: Omit<TableSources, "matrix">,
): { readonly refusal: DataError | null; readonly notes: readonly string[] } {
  try {
    return { refusal: null, notes: elementTable(names, { ...sources, matrix: null }).notes };
  } catch (error) {
    if (error instanceof DataError) return { refusal: error, notes: [] };
    throw error;
  }
}

/**
 * The table of species of which nothing is known but their names, such as those of weights. Doubtful counts are isotopes: a training
 * asked about them. Names without a formula have no atoms.
 */
export function tableOfNames(names: readonly string[]): ElementTable {
  const plain = NameReader.of({});
  const isotopes = names.flatMap((name) => {
    const reading = plain.read(name);
    return "species" in reading ? [] : reading.isotopes;
  });
  if (isotopes.length === 0)
    return tableOf(
      names.map((name) => speciesOf(plain, name) ?? withoutFormula(plain, name)),
      plain,
    );
  // One question a name is asked at a time: 13C18O has two.
  const declared = new Set(isotopes);
  for (let before = 0; before < declared.size; ) {
    before = declared.size;
    const reader = NameReader.of({ elements: [...declared] });
    for (const name of names) {
      const reading = reader.read(name);
      if (!("species" in reading)) for (const isotope of reading.isotopes) declared.add(isotope);
    }
  }
  const reader = NameReader.of({ elements: [...declared] });
  return tableOf(
    names.map((name) => speciesOf(reader, name) ?? withoutFormula(reader, name)),
    reader,
  );
}

/** The table that weights hold; by the names as far as they do not. */
export function tableOfWeights({
  species,
  elements,
}: {
  readonly species: readonly string[];
  readonly elements?: StoredTable | undefined;
}): ElementTable {
  const reader = NameReader.of({});
  return elements
    ? { ...elements, phases: elements.phases ?? species.map((name) => reader.phaseOf(name)) }
    : tableOfNames(species);
}

/** Species as the table describes them. */
export function speciesOfTable(
  names: readonly string[],
  { elements, atoms, charges, phases }: ElementTable,
): Species[] {
  return names.map((name, s) => ({
    name,
    phase: phases[s]!,
    charge: charges[s]!,
    atoms: new Map(elements.flatMap((element, e) => (atoms[s]![e] ? [[element, atoms[s]![e]!]] : []))),
  }));
}

function tableOf(species: readonly Species[], { elements: set }: NameReader): ElementTable {
  const kept = new Set<string>([...core, ...set.declared]);
  const columns = set.symbols.filter((symbol) => kept.has(symbol) || species.some(({ atoms }) => atoms.has(symbol)));
  return {
    elements: columns,
    atoms: species.map(({ atoms }) => columns.map((element) => atoms.get(element) ?? 0)),
    charges: species.map(({ charge }) => charge),
    phases: species.map(({ phase }) => phase),
  };
}

interface Doubt {
  readonly name: string;
  readonly isotopes: readonly string[];
}

/** Names that are no formula, or whose counts may be masses. */
function doubtsOf(names: readonly string[], reader: NameReader): Doubt[] {
  const present = new Set(names);
  return names.flatMap((name) => {
    const reading = reader.read(name);
    const isotopes = "species" in reading ? twinsOf(reading, present) : reading.isotopes;
    return "species" in reading && isotopes.length === 0 ? [] : [{ name, isotopes }];
  });
}

/** CO18 beside CO, but not C13 beside C12: counts behind an element that are a mass of it, in a list that has the species without. */
function twinsOf({ species, counts }: ReadName, present: ReadonlySet<string>): string[] {
  return counts.flatMap(({ symbol, count, without }) => {
    if (count < 13 || !isMassNumber(symbol, count) || !present.has(without)) return [];
    const isChain = [count - 1, count - 2].some((less) => present.has(species.name.replace(`${count}`, `${less}`)));
    return isChain ? [] : [`${count}${symbol}`];
  });
}

function badNames(bad: readonly Doubt[], names: readonly string[], where: string): DataError {
  const lines = bad.map(({ name }) => names.indexOf(name) + 1);
  const described = bad.map(
    ({ name, isotopes }) => `\`${name}\`${isotopes.length > 0 ? ` (${isotopes.join(", ")}?)` : ""}`,
  );
  const isotopes = [...new Set(bad.flatMap((doubt) => doubt.isotopes))];
  const isAll = bad.every((doubt) => doubt.isotopes.length > 0);
  const fixes = [
    isotopes.length > 0 && `isotopes: add dataset.elements=[${isotopes.join(",")}]`,
    !isAll && "spell them as in UCLCHEM, declare more elements (dataset.elements=[K,PAH])",
    !isAll && "name the convention (dataset.names=kida)",
    `or give the atoms of all species: dataset.stoichiometric_matrix_path=FILE.npy`,
    !isAll && "names without a formula are allowed where every conservation_weight is 0",
  ];
  const what = bad.length === 1 ? "a species' name" : `${bad.length} species' names`;
  const verb = isAll ? "may mean an isotope or a count" : bad.length === 1 ? "is no formula" : "are no formulas";
  return new DataError(`${what} ${verb}: ${listed(described)}`, {
    where: `${where}, line${lines.length === 1 ? "" : "s"} ${listed(lines.map(String))}`,
    fix: fixes.filter((fix) => fix !== false).join("; "),
  });
}

function notesOf(
  names: readonly string[],
  species: readonly Species[],
  reader: NameReader,
  matrix: MatrixFile | null,
): string[] {
  const guessed = names.filter((name) => {
    const reading = reader.read(name);
    return "species" in reading && reading.isGuess;
  });
  const empty = species.filter(({ name, atoms }) => atoms.size === 0 && !isElectron(name)).map(({ name }) => name);
  return [
    guessed.length > 0 && `read J and K as surface and mantle of the ice: ${listed(guessed)} (dataset.names=kida)`,
    matrix === null && empty.length > 0 && `no atoms are counted in names without a formula: ${listed(empty)}`,
  ].filter((note) => note !== false);
}

/** The file's counts. @throws DataError where its shape, a count or a known formula contradicts it */
function checked(
  { path, shape, data }: MatrixFile,
  computed: ElementTable,
  names: readonly string[],
  unread: ReadonlySet<string>,
): ElementTable {
  const { elements } = computed;
  const [rows, width] = shape;
  const fix = "make it anew, or let it be computed: dataset.stoichiometric_matrix_path=null";
  const fail = (what: string): never => {
    throw new DataError(what, { where: path, fix });
  };
  if (shape.length !== 2) fail(`the stoichiometric matrix has shape [${shape}], not [species, elements]`);
  if (rows !== names.length)
    fail(`the stoichiometric matrix has ${rows} rows, and the species list has ${names.length} names`);
  if (width !== elements.length && width !== elements.length + 1) {
    fail(
      `the stoichiometric matrix has ${width} columns, not ${elements.length} (${elements.join(", ")}) or one more for the charge`,
    );
  }
  const value = (s: number, e: number): number => Number(data[s * width! + e]);
  const atoms = names.map((_, s) => elements.map((_, e) => value(s, e)));
  const hasCharge = width === elements.length + 1;
  const charges = names.map((_, s) => (hasCharge ? value(s, elements.length) : computed.charges[s]!));
  const faults = names.flatMap((name, s) => [
    ...elements.flatMap((element, e) => {
      const count = atoms[s]![e]!;
      if (!(count >= 0 && Number.isFinite(count))) return [`${count} atoms of ${element} in ${name}`];
      const own = computed.atoms[s]![e]!;
      return unread.has(name) || own === count ? [] : [`${count} of ${element} in ${name}, its name ${own}`];
    }),
    ...(unread.has(name) || charges[s] === computed.charges[s]
      ? []
      : [`charge ${charges[s]} of ${name}, its name ${computed.charges[s]}`]),
  ]);
  if (faults.length > 0)
    fail(`the stoichiometric matrix contradicts the names: it has ${faults.slice(0, SHOWN).join("; ")}`);
  return { ...computed, atoms, charges };
}

function speciesOf(reader: NameReader, name: string): Species | undefined {
  const reading = reader.read(name);
  return "species" in reading ? reading.species : undefined;
}

/** No atoms, and the charge that the name ends with. */
function withoutFormula(reader: NameReader, name: string): Species {
  const signs = /(\++|-+)\)?$/.exec(name)?.[1] ?? "";
  return {
    name,
    phase: reader.phaseOf(name),
    charge: signs.startsWith("+") ? signs.length : -signs.length,
    atoms: new Map(),
  };
}

function listed(words: readonly string[]): string {
  return words.length <= SHOWN
    ? words.join(", ")
    : `${words.slice(0, SHOWN).join(", ")} and ${words.length - SHOWN} more`;
}
