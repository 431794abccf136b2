import { type CellProgram, cellProgram } from "../../backend/c/program.ts";
import { hostTensor, type StepFunction, sizeOf } from "../../backend/engine.ts";
import { recordStep } from "../../backend/recorder.ts";
import { tf } from "../../backend/tf.ts";
import { PhysicalScaling } from "../../chemistry/scaling.ts";
import { scaledTensor } from "../../models/scale-tensors.ts";
import type { Trust } from "../../models/trust.ts";
import { nearestOf } from "../../models/trust-distance.ts";
import { inputShapes, type Models, type Part, type PartPort, partOf } from "../onnx-parts.ts";
import { type Description, describe } from "./description.ts";
import { ofEnsemble } from "./ensemble.ts";

/** The computations that source is written of, by the words that its functions are called. */
export interface SurrogateParts {
  readonly about: Description;
  readonly parts: readonly (readonly ["encode" | "start" | "step" | "decode" | "distance", Part])[];
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
  const parts: SurrogateParts["parts"] = [
    ["encode", partOf("encoder", models, options)],
    ...(about.carry > 0 ? ([["start", partOf("start", models, options)]] as const) : []),
    ["step", step],
    ["decode", partOf("decoder", models, options)],
    ...(about.trust ? ([["distance", distancePart(step, models, about.trust)]] as const) : []),
  ];
  const { members } = about;
  if (members === 1) return { about, parts, carried };
  return { about, parts: parts.map(([word, part]) => [word, ofEnsemble(word, part, members, models)]), carried };
}

/** How far conditions, in physical units, and the raw latents that they act on are from the nearest stored row; NaN where one of them is. */
function distancePart({ inputs, options }: Part, models: Models, { matrix, offset, sample }: Trust): Part {
  const [d, scale] = [offset.length, PhysicalScaling.of(models.emulator!.weights.physical_parameters)];
  const count = sample.length / d;
  const squares = Float32Array.from({ length: count }, (_, s) =>
    sample.subarray(s * d, (s + 1) * d).reduce((sum, x) => sum + x * x, 0),
  );
  const weights = {
    matrix: hostTensor(matrix, [d, d]),
    offset: hostTensor(offset, [1, d]),
    twice: hostTensor(
      Float32Array.from({ length: d * count }, (_, k) => 2 * sample[(k % count) * d + Math.floor(k / count)]!),
      [d, count],
    ),
    squares: hostTensor(squares, [1, count]),
  };
  const step: StepFunction = (arrays, { physical, latents }) => {
    const seen = tf.concat([scaledTensor(physical!, scale), latents!], 1) as tf.Tensor2D;
    return { outputs: { distance: nearestOf(arrays, seen) } };
  };
  const outputs: PartPort[] = [{ name: "distance", quantity: "distance", shape: [] }];
  const [physical, state] = inputs as [PartPort, PartPort];
  // Of an ensemble the latents of one member.
  const latents = { ...state, shape: [d - physical.shape[0]!] };
  return { kind: "step", options, step, weights, inputs: [physical, latents], outputs };
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
