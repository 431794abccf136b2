import { DataError } from "../../errors.ts";
import { type Hdf5File, openHdf5 } from "../hdf5.ts";
import { splitNames } from "../splits.ts";
import type { Detected, Found } from "./detected.ts";
import { countPoints, uclchemModels } from "./uclchem-hdf5.ts";

/** What an HDF5 file holds. @throws DataError where it is damaged */
export async function detectHdf5(path: string, found: Found): Promise<Detected> {
  const file = await openHdf5(path);
  try {
    const names = file.keys();
    const keys = names.filter((name) => hasAttribute(file, name, "pandas_type"));
    if (keys.length > 0) {
      const isClean = keys.some((key) => splitNames.includes(key as "val")) && isOurs(file, keys);
      return found(isClean ? "clean" : "pandas", isClean ? "clean data" : "pandas frames", null, { keys });
    }
    const models = uclchemModels(file);
    if (models.length > 0) {
      const keys = models.map(({ name }) => name);
      return found("uclchem-hdf5", describeModels(models), null, { keys });
    }
    if (isCodes(file)) return found("codes", "data of the CODES benchmark (train, test, val)", codesFix(path));
    return found(
      "hdf5",
      "HDF5 without pandas frames",
      `write a frame in Python with DataFrame.to_hdf("data.h5", key="df"); it holds: ${names.slice(0, 8).join(", ")}`,
    );
  } finally {
    file.close();
  }
}

/** `UCLCHEM 4, 3 models of 12 rows, 22 species, 1 point`. */
function describeModels(models: ReturnType<typeof uclchemModels>): string {
  const range = (values: readonly number[]): string => {
    const [least, most] = [Math.min(...values), Math.max(...values)];
    return least === most ? `${least}` : `${least} to ${most}`;
  };
  const points = range(models.map(countPoints));
  const [rows, species] = [range(models.map(({ steps }) => steps)), range(models.map((model) => model.species.length))];
  return `UCLCHEM 4, ${models.length} model${models.length === 1 ? "" : "s"} of ${rows} rows, ${species} species, ${points} point${points === "1" ? "" : "s"}`;
}

function isOurs(file: Hdf5File, keys: readonly string[]): boolean {
  return keys.some((key) => hasAttribute(file, key, "astrochem_hash"));
}

/** Not of an object that is damaged: another may be read all the same. */
function hasAttribute(file: Hdf5File, name: string, attribute: string): boolean {
  try {
    return file.attribute(name, attribute) !== undefined;
  } catch (error) {
    if (error instanceof DataError) return false;
    throw error;
  }
}

function isCodes(file: Hdf5File): boolean {
  return splitNames.every((name) => file.typeOf(name) === "dataset" && file.dataset(name).shape.length === 3);
}

function codesFix(path: string): string {
  return [
    "its arrays are [tracer, time, quantity], without names: make a frame in Python, with the names of its quantities:",
    "import h5py, numpy, pandas",
    `file = h5py.File(${JSON.stringify(path)})`,
    'data, times = numpy.concatenate([file[k][:] for k in ("train", "val", "test")]), file["timesteps"][:]',
    'names = [f"quantity{i}" for i in range(data.shape[2])]  # such as Density, gasTemp, H, H2, CO',
    "frame = pandas.DataFrame(data.reshape(-1, data.shape[2]), columns=names)",
    'frame.insert(0, "Tracer", numpy.repeat(numpy.arange(len(data)), data.shape[1]))',
    'frame.insert(1, "Time", numpy.tile(times, len(data)))  # years',
    'frame.to_hdf("data.h5", key="df")',
  ].join("\n       ");
}
