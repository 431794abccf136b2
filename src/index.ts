/** The public API. */
export type { ComputeChoice, ComputeRequest } from "./backend/compute.ts";
export { AstrochemError, CheckpointError, ConfigError, DataError, NumericsError } from "./errors.ts";
export {
  Inference,
  type InferenceOptions,
  type Matrix,
  type MatrixInput,
  type PhysicalParameter,
  type ScaledOption,
} from "./inference/inference.ts";
