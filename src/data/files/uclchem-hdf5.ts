import { DataError } from "../../errors.ts";
import type { Hdf5Dataset, Hdf5File } from "../hdf5.ts";
import type { PartRows, TablePart } from "./table-part.ts";

/** A model of UCLCHEM ≥ 4: arrays [time, point, value] in a group, the names of the values beside them. */
export interface UclchemModel {
  /** Of the group. */
  readonly name: string;
  readonly physics: Hdf5Dataset;
  readonly abundances: Hdf5Dataset;
  readonly parameters: readonly string[];
  readonly species: readonly string[];
  readonly steps: number;
}

/** Groups of models lie so deep: stages of a sequence in the group of the sequence. */
const deepest = 3;

/** The models of a file, in the natural order of their groups; none where it is no file of UCLCHEM's. */
export function uclchemModels(file: Hdf5File, group = "", depth = 0): UclchemModel[] {
  const { compare } = new Intl.Collator("en", { numeric: true });
  return file
    .keys(group === "" ? "/" : group)
    .sort(compare)
    .flatMap((name) => {
      const path = group === "" ? name : `${group}/${name}`;
      if (file.typeOf(path) !== "group") return [];
      if (file.has(`${path}/physics_array`) && file.has(`${path}/chemical_abun_array`)) return [readModel(file, path)];
      return depth < deepest && name !== "_coords" ? uclchemModels(file, path, depth + 1) : [];
    });
}

export function countPoints({ physics }: Pick<UclchemModel, "physics">): number {
  return physics.shape[1] ?? 1;
}

function readModel(file: Hdf5File, name: string): UclchemModel {
  const [physics, abundances] = [file.dataset(`${name}/physics_array`), file.dataset(`${name}/chemical_abun_array`)];
  const names = (key: string): string[] => file.dataset(`${name}/_coords/${key}`).readStrings();
  const [parameters, species] = [names("physics_values"), names("chemical_abun_values")];
  const where = `${file.path}, model ${name}`;
  for (const [array, list] of [
    [physics, parameters],
    [abundances, species],
  ] as const) {
    array.checkSize();
    if (array.shape.length === 3 && array.shape[2] === list.length) continue;
    throw new DataError(`an array of ${array.shape.join(" × ")} values has ${list.length} names`, {
      where,
      fix: "save the model again",
    });
  }
  if (physics.shape[0] !== abundances.shape[0] || physics.shape[1] !== abundances.shape[1]) {
    throw new DataError(
      `physics are ${physics.shape.join(" × ")}, abundances ${abundances.shape.join(" × ")}: not of the same times and points`,
      { where, fix: "save the model again" },
    );
  }
  return { name, physics, abundances, parameters, species, steps: physics.rows };
}

/** A model as rows, point after point: each point is a tracer. */
export class ModelPart implements TablePart {
  readonly path: string;
  readonly columns: readonly string[];
  readonly rows: number;
  readonly tracerOf: Int32Array;
  readonly tracers: readonly string[];
  readonly problems = new Map<string, never>();
  readonly texts = new Map<string, never>();
  readonly #model: UclchemModel;
  readonly #close: () => void;

  /** @param close called when the part is done with */
  constructor(path: string, model: UclchemModel, close: () => void) {
    const points = countPoints(model);
    [this.path, this.#model, this.#close] = [path, model, close];
    this.columns = [...model.parameters, ...model.species];
    this.rows = model.steps * points;
    this.tracerOf = Int32Array.from({ length: this.rows }, (_, row) => Math.floor(row / model.steps));
    this.tracers = Array.from({ length: points }, (_, point) =>
      points === 1 ? model.name : `${model.name}, point ${point + 1}`,
    );
  }

  placeOf(row: number): string {
    const { name, steps } = this.#model;
    return `${this.path}, model ${name}, time step ${row % steps}, point ${Math.floor(row / steps) + 1}`;
  }

  read({ start, count, picks, target, width, firstRow }: PartRows): void {
    const { steps, physics, abundances, parameters } = this.#model;
    const split = parameters.length;
    const isPhysics = picks.map(([source]) => source < split);
    for (let row = start; row < start + count; ) {
      const [point, step] = [Math.floor(row / steps), row % steps];
      const rows = Math.min(start + count - row, steps - step);
      for (const [array, wanted, offset] of [
        [physics, true, 0],
        [abundances, false, split],
      ] as const) {
        const [, points = 1, values = 0] = array.shape;
        const own = picks.filter((_, i) => isPhysics[i] === wanted);
        if (own.length === 0) continue;
        const block = new Float64Array(rows * points * values);
        array.readRows(step, rows, block);
        for (let i = 0; i < rows; i++) {
          for (const [source, to] of own)
            target[(firstRow + row - start + i) * width + to] = block[(i * points + point) * values + source - offset]!;
        }
      }
      row += rows;
    }
  }

  close(): void {
    this.#close();
  }
}
