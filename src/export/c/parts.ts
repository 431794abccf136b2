import { sizeOf } from "../../backend/engine.ts";
import { type Models, type Part, type PartPort, partOf } from "../onnx-parts.ts";
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
