import { dynamicBatch } from "../backend/dynamic-batch.ts";
import type { HostTensors } from "../backend/engine.ts";
import { encodeOnnx, type OnnxConstant, type OnnxGraph, onnxOpset } from "../backend/onnx-model.ts";
import { recordStep } from "../backend/recorder.ts";
import { isPlainLog, scaleText } from "../chemistry/physical-parameters.ts";
import { parameterScale } from "../chemistry/scaling.ts";
import { autoencoderHash, type EmulatorWeights } from "../models/weights-file.ts";
import { packageVersion } from "../version.ts";
import { inputShapes, type Models, type Part, type PartPort, type Quantity } from "./onnx-parts.ts";

/** The bytes of the ONNX file of a part: weights inside, any batch, with the metadata that its user needs. */
export function onnxFile(part: Part, models: Models): Uint8Array {
  const shapes = Object.fromEntries(Object.entries(part.weights).map(([name, { shape }]) => [name, shape]));
  const graph = dynamicBatch(
    (batch) => recordStep(`astrochem-${part.kind}`, part.step, shapes, inputShapes(part, batch)).graph,
  );
  return encodeOnnx(withWeights(graph, part.weights), packageVersion, fileMetadata(part, models));
}

/** The weights, which are recorded as inputs, as constants; ports by their plain names. */
function withWeights(graph: OnnxGraph, weights: HostTensors): OnnxGraph {
  const plain = (name: string): string => name.replace(/^(state|input|output):/, "");
  const used = new Set(graph.nodes.flatMap(({ inputs }) => inputs));
  const constants = Object.entries(weights)
    .filter(([name]) => used.has(`state:${name}`))
    .map(([name, { data, shape }]): OnnxConstant => ({ name, type: "float32", shape, data }));
  return {
    name: graph.name,
    nodes: graph.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(plain),
      outputs: node.outputs.map(plain),
    })),
    constants: [...constants, ...graph.constants],
    inputs: graph.inputs
      .filter(({ name }) => name.startsWith("input:"))
      .map((port) => ({ ...port, name: plain(port.name) })),
    outputs: graph.outputs.map((port) => ({ ...port, name: plain(port.name) })),
  };
}

/** What the file says of itself: lists and ranges as JSON. */
function fileMetadata(part: Part, { autoencoder, emulator }: Models): Record<string, string> {
  const { kind, options, inputs, outputs } = part;
  const perComponent = emulator?.weights.latent_scaling ?? null;
  const meanings = {
    ...meaning,
    "scaled physical parameters": meaning["scaled physical parameters"] + otherScales(emulator?.weights),
    ...(perComponent ? { "scaled latents": "(z - shift) / scale with latent_scaling" } : {}),
  };
  const ports = (list: readonly PartPort[]): Record<string, string> =>
    Object.fromEntries(list.map(({ name, quantity, shape }) => [name, `${layout(shape)} ${meanings[quantity]}`]));
  return {
    kind,
    scaling: options.scaling ? "inside: linear abundances, physical units, raw latents" : "outside: scaled values",
    inputs: JSON.stringify(ports(inputs)),
    outputs: JSON.stringify(ports(outputs)),
    ...(kind === "rollout" ? { steps: String(options.steps) } : {}),
    species: JSON.stringify(autoencoder.species),
    abundances_clipping: JSON.stringify(autoencoder.abundances_clipping),
    latent_range: JSON.stringify(autoencoder.latent_range),
    autoencoder_hash: autoencoderHash(autoencoder),
    ...(emulator
      ? {
          physical_parameters: JSON.stringify(emulator.weights.physical_parameters),
          ...(emulator.weights.members ? { members: String(emulator.weights.members.length) } : {}),
          time_step_yr: JSON.stringify(emulator.weights.time_step_yr),
          time_step_found: emulator.weights.time_step_found ?? "unknown",
          ...(perComponent ? { latent_scaling: JSON.stringify(perComponent) } : {}),
        }
      : {}),
    opset: String(onnxOpset),
    astrochem_version: packageVersion,
  };
}

/** What stands in place of log10 p; "" where nothing does. */
function otherScales(weights: EmulatorWeights | undefined): string {
  const others = (weights?.physical_parameters ?? []).filter((each) => !isPlainLog(parameterScale(each)));
  const texts = others.map((each) => scaleText(each.name, parameterScale(each)));
  return texts.length === 0 ? "" : `; in place of log10 p: ${texts.join(", ")}`;
}

function layout(shape: readonly number[]): string {
  return `[${["batch", ...(shape.length === 2 ? ["steps"] : []), shape.at(-1)].join(", ")}]`;
}

const meaning: Record<Quantity, string> = {
  "linear abundances": "linear abundances; inputs are clipped to abundances_clipping",
  "scaled abundances":
    "(log10 x - log10 lower) / (log10 upper - log10 lower) of abundances clipped to abundances_clipping",
  "raw latents": "latents as the encoder gives them",
  "scaled latents": "(z - min) / (max - min) with latent_range",
  spread: "of the members: standard deviation (members - 1) of log10 abundance, mean over species above 1e-12, dex",
  correction:
    "how far the state was moved to have the totals of the elements and the charge of `abundances`: mean over species of |change of log10 x|; " +
    "infinite where it was not, as with an element that is absent at the start",
  distance: "to the nearest of the calibration's rows, whitened",
  carry: "what the model remembers beside the latents, as the start and the step give it",
  "physical units": "physical parameters in their units, in the order of physical_parameters",
  "scaled physical parameters":
    "(log10 p - log10 lower) / (log10 upper - log10 lower) with the ranges of physical_parameters, in that order",
};
