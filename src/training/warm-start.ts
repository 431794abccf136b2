import { CheckpointError } from "../errors.ts";

interface Fitting {
  readonly model_name: string;
  readonly model: object;
  readonly species: readonly string[];
}

/** @throws CheckpointError where weights to start from are of another model or other species */
export function checkWarmStart(path: string, found: Fitting, wanted: Fitting): void {
  if (found.model_name !== wanted.model_name) {
    throw new CheckpointError(`${path} holds the model ${found.model_name}, not ${wanted.model_name}`, {
      where: path,
      fix: `train that one: model.model_name=${found.model_name}, or start fresh`,
    });
  }
  const sizes = (model: object): string => JSON.stringify(Object.entries(model).sort());
  if (sizes(found.model) !== sizes(wanted.model)) {
    throw new CheckpointError(`${path} holds a model of other sizes`, {
      where: path,
      fix: `it has ${JSON.stringify(found.model)}, the configuration ${JSON.stringify(wanted.model)}: make them agree, or start fresh`,
    });
  }
  if (found.species.join() !== wanted.species.join()) {
    throw new CheckpointError(`${path} was trained with another species list`, {
      where: path,
      fix: "give the species list that it was trained with (dataset.species_path), or start fresh",
    });
  }
}
