import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { ConfigValue } from "../config/tree.ts";
import type { Note } from "../data/guess-roles.ts";
import type { OwnDataset } from "../data/own-dataset.ts";
import { ConfigError, DataError } from "../errors.ts";
import type { Command, CommandContext } from "./command.ts";

/** Writes the configuration of a dataset from its raw file. */
export const initCommand: Command = {
  describe:
    "Reads a raw file from end to end and writes configs/datasets/NAME.yaml: columns and their units, species, conditions and their " +
    "ranges, time step, start. Asks nothing; says what it decided, why, and which commands come next.",
  positionals: {
    name: "what the dataset is to be called",
    files: "the raw file, or several of one kind",
  },
  options: {
    key: { type: "string", describe: "key of the frame in the file (default: df, or the only one)" },
    overwrite: { type: "boolean", describe: "replace the dataset's files where they exist; never an input" },
  },
  examples: [
    ["astrochem init mine data/sample_collapse.h5", "the bundled sample under a name of its own"],
    ["astrochem init mine data/sample_collapse.h5 --json --overwrite", "again, for a script"],
  ],
  async run(context) {
    const { args, cwd, stdout, json } = context;
    const [name, words] = [args.name as string, args.files as string[]];
    const files = filesOf(name, cwd);
    const { packageFolder } = await import("../config/paths.ts");
    const { expandInputs } = await import("../data/files/expand-inputs.ts");
    const place = (path: string): string => inputOf(path, cwd, packageFolder);
    const inputs = expandInputs(words, place);
    await checkName(name, files, args.overwrite === true, inputs);
    const notes: Note[] = [];
    const log = (why: string): void => void notes.push({ what: "reading", why });
    const { frame, key } = await openRaw(inputs, args.key as string | undefined, log);
    const { decideDataset } = await import("../data/own-dataset.ts");
    const decided = await (async () => decideDataset(frame, await usualSettings(context)))().finally(() =>
      frame.close(),
    );
    notes.push(...decided.notes);
    await writeDataset(decided, files, { name, words, key, cwd });
    const commands = nextCommands(name, decided);
    const { factLines } = await import("./report-lines.ts");
    const { printable } = await import("./printable.ts");
    if (json) stdout.write(`${printable(JSON.stringify({ file: files.yaml, decisions: notes, commands }))}\n`);
    else {
      const lines = notes.map(({ what, why, isDoubtful }) => [what, isDoubtful ? `doubtful: ${why}` : why] as const);
      stdout.write(
        `${factLines(lines)}\n\nwrote configs/datasets/${name}.yaml; next:\n${commands.map((each) => `  ${each}\n`).join("")}`,
      );
    }
  },
};

interface Files {
  readonly yaml: string;
  readonly species: string;
  readonly schema: string;
}

function filesOf(name: string, cwd: string): Files {
  const folder = join(cwd, "configs", "datasets");
  const schema = join(cwd, "configs", "schemas", "dataset.json");
  return { yaml: join(folder, `${name}.yaml`), species: join(folder, `${name}_species.txt`), schema };
}

/** @throws ConfigError for a name that cannot be one, or is taken */
async function checkName(
  name: string,
  { yaml, species }: Files,
  overwrite: boolean,
  inputs: readonly string[],
): Promise<void> {
  const [{ FolderName }, { packageConfigs }] = await Promise.all([
    import("../config/schema-dataset.ts"),
    import("../config/paths.ts"),
  ]);
  if (!FolderName.safeParse(name).success) {
    const fix = "use letters, digits, `.`, `_`, `-`: my_run";
    throw new ConfigError(`\`${name}\` cannot be the name of a dataset`, { fix });
  }
  const shipped = join(packageConfigs, "datasets", `${name}.yaml`);
  if (existsSync(shipped) && shipped !== yaml)
    throw new ConfigError(`the package has a dataset \`${name}\``, { where: shipped, fix: "give another name" });
  for (const path of [yaml, species]) {
    if (inputs.includes(path))
      throw new ConfigError(`the output would replace the input ${path}`, { where: path, fix: "give another name" });
    if (existsSync(path) && !overwrite)
      throw new ConfigError(`${path} exists`, {
        where: path,
        fix: "give another name, or replace it with --overwrite",
      });
  }
}

/** The user's file, or the package's sample. */
function inputOf(file: string, cwd: string, packageFolder: string): string {
  const own = resolve(cwd, file);
  return !existsSync(own) && file === "data/sample_collapse.h5" ? join(packageFolder, file) : own;
}

/** The frame to learn from. @throws DataError for files that are not read, of several frames, or clean already */
async function openRaw(paths: readonly string[], wanted: string | undefined, log: (message: string) => void) {
  const [{ openInput }, { detectFile }] = await Promise.all([
    import("../data/files/open-input.ts"),
    import("../data/files/detect-file.ts"),
  ]);
  const { kind, keys = [], path } = await detectFile(paths[0]!);
  if (kind === "clean") {
    throw new DataError("the file is clean already: `init` is for raw files", {
      where: path,
      fix: `give the raw file that it was made of, or train on it: astrochem train-autoencoder dataset.dataset_path=${path}`,
    });
  }
  const isChoice = kind === "pandas" && keys.length > 1 && !keys.includes("df") && wanted === undefined;
  if (isChoice)
    throw new DataError(`the file holds ${keys.length} frames`, {
      where: path,
      fix: `choose: --key ${keys.join(" | ")}`,
    });
  const key = wanted ?? (kind === "pandas" && !keys.includes("df") ? (keys[0] ?? "df") : "df");
  return { frame: await openInput(paths, { key, log }), key };
}

/** What holds where nothing else is said: the package's species, and the defaults of its configuration. */
async function usualSettings({ cwd, env, now }: CommandContext) {
  const [{ loadConfig }, { readSpeciesList }, { packageConfigs, packageFolder }, { evaluationKeys }] =
    await Promise.all([
      import("../config/load.ts"),
      import("../chemistry/species.ts"),
      import("../config/paths.ts"),
      import("../config/schemas.ts"),
    ]);
  const options = {
    root: "config_emulator" as const,
    overrides: [],
    configDirs: [packageConfigs],
    cwd,
    env,
    now: now(),
  };
  const { autoencoder, model, dataset } = loadConfig(options).config;
  return {
    species: readSpeciesList(join(packageFolder, "utils", "species.txt")),
    window: model.window_size,
    latents: (autoencoder as unknown as { latent_dim: number }).latent_dim,
    shown: evaluationKeys.species.parse(undefined),
    minRadfield: dataset.preprocessing.min_radfield,
    lower: dataset.abundances_clipping.lower,
  };
}

async function writeDataset(
  decided: OwnDataset,
  files: Files,
  { name, words, key, cwd }: { name: string; words: readonly string[]; key: string; cwd: string },
): Promise<void> {
  const [{ writeYaml }, { displayPath }, { packageConfigs }, { guarded, writeFileAtomic }] = await Promise.all([
    import("../config/load.ts"),
    import("../config/search-path.ts"),
    import("../config/paths.ts"),
    import("../formats/atomic-file.ts"),
  ]);
  const { isUsualList, species, columns, units, elements } = decided;
  const tables = isUsualList ? {} : { species_path: `${name}_species.txt`, stoichiometric_matrix_path: null };
  const paths = words.map((word) => displayPath(resolve(cwd, word), cwd));
  const input = paths.length === 1 ? paths[0]! : paths;
  const parts: [string, ConfigValue][] = [
    ["The clean file, which `preprocess` writes.", { dataset_path: `data/${name}_clean.h5` }],
    [
      "Scaled to 0 and 1 by log10, in the emulator's order: cm^-3, Habing, mag, K.",
      { physical_parameter_ranges: decided.ranges, phys: decided.phys },
    ],
    ["What the raw file calls its columns, and their units where they are not ours.", { columns, units }],
    [
      "Whether rows are one step apart, and where tracers start.",
      { time_step: decided.timeStep, start: decided.start },
    ],
    ["Species, one name a line.", { ...tables, ...(elements.length > 0 ? { elements } : {}) }],
    ["", { preprocessing: { input_path: input, input_key: key, columns_to_drop: [] } }],
  ];
  const head = [
    "# yaml-language-server: $schema=../schemas/dataset.json",
    `# Made by \`astrochem init\` from ${paths
      .slice(0, 3)
      .map((path) => JSON.stringify(path))
      .join(", ")}${paths.length > 3 ? ", …" : ""}. Use: dataset=${name}. README.md has the table of all keys.`,
  ];
  const text = parts
    .filter(([, value]) =>
      Object.values(value as object).some(
        (each) => typeof each !== "object" || Object.keys(each ?? { null: 1 }).length > 0,
      ),
    )
    .map(([comment, value]) => `${comment && `# ${comment}\n`}${writeYaml(value)}`);
  guarded(dirname(files.yaml), () => {
    for (const path of [files.yaml, files.schema]) mkdirSync(dirname(path), { recursive: true });
    if (!existsSync(files.schema)) copyFileSync(join(packageConfigs, "schemas", "dataset.json"), files.schema);
  });
  if (!isUsualList) writeFileAtomic(files.species, `${species.join("\n")}\n`);
  writeFileAtomic(files.yaml, `${head.join("\n")}\n\n${text.join("\n")}`);
}

/** From the raw file to an evaluated surrogate. */
function nextCommands(name: string, { window, latents, shown }: OwnDataset): string[] {
  const call = (command: string, ...words: (string | false)[]): string =>
    ["astrochem", command, `dataset=${name}`, ...words.filter((word) => word !== false)].join(" ");
  const train = call("train-autoencoder", latents !== null && `model.latent_dim=${latents}`);
  const sizes = [
    latents !== null && `autoencoder.latent_dim=${latents}`,
    window !== null && `model.window_size=${window}`,
  ];
  return [
    call("preprocess"),
    `${train} && ${call("train-emulator", ...sizes)}`,
    call("evaluate", shown !== null && `'species=[${shown.join(",")}]'`),
  ];
}
