import { type HostTensors, hostTensor, type StepFunction } from "../backend/engine.ts";
import type { Shapes } from "../backend/recorder.ts";
import { Conservation } from "../chemistry/conservation.ts";
import { tableOfWeights } from "../chemistry/element-table.ts";
import { AbundanceScaling, type LatentAffine, PhysicalScaling } from "../chemistry/scaling.ts";
import { abundanceBounds, boundsArrays, latentBounds } from "../models/bounds.ts";
import { compressorOf } from "../models/compressors.ts";
import { conservationArrays } from "../models/conserved.ts";
import { evolverOf } from "../models/evolvers.ts";
import { carryName } from "../models/forward-steps.ts";
import type { Layout } from "../models/layout.ts";
import { memberCount } from "../models/members.ts";
import type { AutoencoderWeights, EmulatorWeights } from "../models/weights-file.ts";
import { decoderFile, encoderFile, type FileScaling, rolloutFile, startFile, stepFile } from "./onnx-steps.ts";

/** What can be exported, in the order of use. */
export const partKinds = ["encoder", "decoder", "start", "step", "rollout"] as const;
export type PartKind = (typeof partKinds)[number];

/** The trained models. */
export interface Models {
  readonly autoencoder: AutoencoderWeights;
  /** With the scaling of its latents; null where only the encoder or the decoder is wanted. */
  readonly emulator: { readonly weights: EmulatorWeights; readonly latents: LatentAffine } | null;
}

/** How a file is to be. */
export interface PartOptions {
  /** Linear abundances and physical units in and out, instead of scaled values. */
  readonly scaling: boolean;
  /** Of the rollout. */
  readonly steps: number;
  /** The rollout with scaling keeps the totals of its start. Default: false. */
  readonly conserve?: boolean | undefined;
}

/** What the numbers of an input or output are. */
export type Quantity =
  | "linear abundances"
  | "scaled abundances"
  | "raw latents"
  | "scaled latents"
  | "physical units"
  | "scaled physical parameters"
  | "carry"
  | "spread"
  | "correction"
  | "distance";

/** An input or output of a file. */
export interface PartPort {
  readonly name: string;
  readonly quantity: Quantity;
  /** Without the batch, which comes first: `[]`, or `[steps]`, then the width. */
  readonly shape: readonly number[];
}

/** One file: its computation, its weights and what goes in and out. */
export interface Part {
  readonly kind: PartKind;
  readonly options: PartOptions;
  readonly step: StepFunction;
  /** By PyTorch's names. */
  readonly weights: HostTensors;
  readonly inputs: readonly PartPort[];
  readonly outputs: readonly PartPort[];
}

/** Whether a file of that kind needs an emulator. */
export function needsEmulator(kind: PartKind): boolean {
  return kind === "start" || kind === "step" || kind === "rollout";
}

/** The files that there are of some models: a start where the evolver remembers more than its latents. */
export function partsOf({ emulator }: Models): PartKind[] {
  const remembers = emulator !== null && evolverOf(emulator.weights).carry.length > 0;
  return partKinds.filter((kind) => kind !== "start" || remembers);
}

/** Describes a file of that kind. */
export function partOf(kind: PartKind, models: Models, options: PartOptions): Part {
  if (kind === "encoder" || kind === "decoder") return autoencoderPart(kind, models.autoencoder, options);
  const { emulator } = models;
  if (!emulator) throw new Error(`a ${kind} needs an emulator`);
  return emulatorPart(kind, models.autoencoder, emulator, options);
}

/** The shapes of a part's inputs at that batch, as the recorder wants them. */
export function inputShapes({ inputs }: Part, batch: number): Shapes {
  return Object.fromEntries(inputs.map(({ name, shape }) => [name, [batch, ...shape]]));
}

function autoencoderPart(kind: "encoder" | "decoder", weights: AutoencoderWeights, options: PartOptions): Part {
  const scaling = options.scaling ? new AbundanceScaling(weights.abundances_clipping) : null;
  const species = [weights.model.input_dim];
  const abundances: Quantity = scaling ? "linear abundances" : "scaled abundances";
  const latents: PartPort = { name: "latents", quantity: "raw latents", shape: [weights.model.latent_dim] };
  const common = { kind, options, weights: autoencoderArrays(weights) };
  if (kind === "decoder") {
    const output: PartPort = { name: "abundances", quantity: abundances, shape: species };
    return { ...common, step: decoderFile(compressorOf(weights), scaling), inputs: [latents], outputs: [output] };
  }
  const input: PartPort = { name: scaling ? "abundances" : "features", quantity: abundances, shape: species };
  return { ...common, step: encoderFile(compressorOf(weights), scaling), inputs: [input], outputs: [latents] };
}

function emulatorPart(
  kind: "start" | "step" | "rollout",
  autoencoder: AutoencoderWeights,
  { weights, latents }: NonNullable<Models["emulator"]>,
  options: PartOptions,
): Part {
  const scaling: FileScaling | null = options.scaling
    ? {
        abundances: new AbundanceScaling(autoencoder.abundances_clipping),
        physical: PhysicalScaling.of(weights.physical_parameters),
        latents: ofMembers(latents, memberCount(weights)),
      }
    : null;
  const time = kind === "rollout" ? [options.steps] : [];
  const physical: PartPort = {
    name: "physical",
    quantity: scaling ? "physical units" : "scaled physical parameters",
    shape: [...time, weights.physical_parameters.length],
  };
  const [evolver, compressor] = [evolverOf(weights), compressorOf(autoencoder)];
  const latent = [evolver.members * evolver.shape.output_dim];
  const arrays = {
    ...arraysOf(evolver.layout, weights.trainable),
    ...boundsArrays("latent", latentBounds(weights)),
  };
  if (kind === "rollout" && scaling) {
    const [quantity, species] = ["linear abundances" as const, autoencoder.model.input_dim];
    const { conserve = false } = options;
    const kept = conserve ? conservationArrays(new Conservation(tableOfWeights(autoencoder))) : {};
    const outputs: PartPort[] = [{ name: "evolved_abundances", quantity, shape: [...time, species] }];
    if (conserve) outputs.push({ name: "correction", quantity: "correction", shape: time });
    if (evolver.members > 1) outputs.push({ name: "spread", quantity: "spread", shape: time });
    return {
      kind,
      options,
      step: rolloutFile(evolver, compressor, { scaling, conserve }),
      weights: { ...autoencoderArrays(autoencoder), ...arrays, ...kept },
      inputs: [physical, { name: "abundances", quantity, shape: [species] }],
      outputs,
    };
  }
  const quantity: Quantity = scaling ? "raw latents" : "scaled latents";
  const given: PartPort = { name: "latents", quantity, shape: latent };
  const carry = (prefix: string): PartPort[] =>
    evolver.carry.map(({ name, shape }) => ({ name: `${prefix}${carryName(name)}`, quantity: "carry", shape }));
  const common = { kind, options, weights: arrays };
  if (kind === "start") {
    return { ...common, step: startFile(evolver, scaling), inputs: [given], outputs: carry("") };
  }
  // ONNX wants every name once: the state that comes out cannot be called as the one that goes in.
  if (kind === "step") {
    const outputs = [{ name: "next_latents", quantity, shape: latent }, ...carry("next_")];
    return { ...common, step: stepFile(evolver, scaling), inputs: [physical, given, ...carry("")], outputs };
  }
  return {
    ...common,
    step: rolloutFile(evolver, compressor, { scaling, conserve: false }),
    inputs: [physical, { ...given, shape: [evolver.shape.output_dim] }],
    outputs: [{ name: "evolved_latents", quantity, shape: [...time, ...latent] }],
  };
}

/** The scaling of the latents of all members, one after the other. */
function ofMembers({ shift, scale }: LatentAffine, members: number): LatentAffine {
  const repeated = (values: readonly number[]): number[] => Array.from({ length: members }, () => values).flat();
  return shift.length === 1 ? { shift, scale } : { shift: repeated(shift), scale: repeated(scale) };
}

function autoencoderArrays(weights: AutoencoderWeights): HostTensors {
  const { layouts } = compressorOf(weights);
  return {
    ...arraysOf(layouts.trainable, weights.trainable),
    ...arraysOf(layouts.statistics, weights.statistics),
    ...boundsArrays("abundance", abundanceBounds(weights)),
  };
}

function arraysOf(layout: Layout, vector: Float32Array): HostTensors {
  return Object.fromEntries(
    layout.specs.map(({ name, shape }) => [name, hostTensor(layout.view(vector, name), shape)]),
  );
}
