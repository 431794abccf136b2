import { type CellProgram, cellProgram } from "../../backend/c/program.ts";
import { sizeOf } from "../../backend/engine.ts";
import { recordStep } from "../../backend/recorder.ts";
import { inputShapes, type Models, type Part, type PartPort, partOf } from "../onnx-parts.ts";
import { type Description, describe } from "./description.ts";

/** The computations that source is written of, by the words that its functions are called. */
export interface SurrogateParts {
  readonly about: Description;
  readonly parts: readonly (readonly ["encode" | "start" | "step" | "decode", Part])[];
  /** What a trajectory remembers beside its latents, in the order of one array that holds it all. */
  readonly carried: readonly PartPort[];
}

export function surrogateParts(name: string, models: Models): SurrogateParts {
  const options = { scaling: true, steps: 1 };
  const step = partOf("step", models, options);
  const carried = step.inputs.filter(({ quantity }) => quantity === "carry");
  const about = describe(
    name,
    models,
    carried.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
  );
  const parts = [
    ["encode", partOf("encoder", models, options)],
    ...(about.carry > 0 ? ([["start", partOf("start", models, options)]] as const) : []),
    ["step", step],
    ["decode", partOf("decoder", models, options)],
  ] as const;
  return { about, parts, carried };
}

/** The computation of a part, of one cell. */
export function partProgram(part: Part): CellProgram {
  const shapes = Object.fromEntries(Object.entries(part.weights).map(([name, { shape }]) => [name, shape]));
  const { graph } = recordStep(part.kind, part.step, shapes, inputShapes(part, 1));
  const state = Object.fromEntries(Object.entries(part.weights).map(([name, value]) => [`state:${name}`, value]));
  const inputs = part.inputs.map(({ name, shape }) => ({ key: `input:${name}`, name, shape: [1, ...shape] }));
  return cellProgram(
    part.kind,
    graph,
    state,
    inputs,
    part.outputs.map(({ name }) => ({ key: `output:${name}`, name })),
  );
}
