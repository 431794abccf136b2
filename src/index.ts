/** The public API. */
export type { ComputeChoice, ComputeRequest } from "./backend/compute.ts";
export type { ElementTable } from "./chemistry/element-table.ts";
export { type ElementName, elements } from "./chemistry/elements.ts";
export type { NamingOptions, Phase, Species } from "./chemistry/name-reader.ts";
export { parseSpecies } from "./chemistry/species.ts";
export {
  type DataMatrix,
  Dataset,
  type DatasetColumns,
  type DatasetSplit,
  type Tracer,
} from "./data/dataset.ts";
export { AstrochemError, CheckpointError, ConfigError, DataError, NumericsError } from "./errors.ts";
export {
  type Abundances,
  type DecodeOptions,
  type Emulated,
  type EmulateOptions,
  Inference,
  type InferenceOptions,
  type Matrix,
  type MatrixInput,
  type PhysicalParameter,
  type ScaledOption,
  type TrainedStart,
  type WarningKind,
  type WarningListener,
} from "./inference/inference.ts";
export { type Expected, trustFlags } from "./models/trust.ts";
