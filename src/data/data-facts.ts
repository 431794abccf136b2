import { createHash } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import { z } from "zod";
import { timestepColumn } from "../chemistry/physical-parameters.ts";
import type { CleanColumns, CleanData } from "./clean-data.ts";
import type { Frame } from "./frame.ts";
import { placeOfFrame } from "./frame-reader.ts";
import {
  checkEvenSteps,
  checkTrainedStep,
  isOneStep,
  MedianStep,
  StepWatch,
  type TimeSteps,
  timeStepAttribute,
} from "./time-steps.ts";
import { tracerRuns } from "./windows.ts";

/** The one state that the tracers of a split start from, or most of those without a start of their own; null where no two share one. */
export interface CommonStart {
  /** Linear, [species]. */
  readonly abundances: Float32Array | null;
  /** Where it comes from, for people. */
  readonly origin: string;
}

const timeStepsAttribute = z.object({
  time_step_yr: z.number().positive().nullable(),
  time_step_found: z.enum(["even", "median", "input", "unknown"]),
  time_step_range: z.tuple([z.number(), z.number()]).optional(),
});

const settingsAttribute = z.object({
  columns: z.record(z.string(), z.string()).default({}),
  units: z.record(z.string(), z.string()).default({}),
});

/** What the raw file of a clean dataset called its columns, and their units; undefined where all were ours, or nobody noted it. */
export function rawColumnsOf({ train }: CleanData): z.output<typeof settingsAttribute> | undefined {
  const raw = noted(train, "astrochem_settings", settingsAttribute);
  return raw === null || (isEmpty(raw.columns) && isEmpty(raw.units)) ? undefined : raw;
}

function isEmpty(map: object): boolean {
  return Object.keys(map).length === 0;
}

/** What `preprocess` noted of a split's steps; null where the file is older, or another program's. */
function notedSteps(frame: Frame): TimeSteps | null {
  return noted(frame, timeStepAttribute, timeStepsAttribute);
}

function noted<T>(frame: Frame, attribute: string, schema: z.ZodType<T>): T | null {
  const text = frame.attribute(attribute);
  if (text === undefined) return null;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    // Damaged notes are none: the rows themselves tell.
    return null;
  }
}

/**
 * How the training rows of a clean dataset follow each other.
 * @param isAllowed whether uneven steps are: those that `preprocess` let pass are, too
 * @throws DataError where they are not one step apart and no step is an input
 */
export async function trainedSteps(
  { train }: CleanData,
  { metadata, phys }: CleanColumns,
  isAllowed: boolean,
  log: (message: string) => void,
): Promise<TimeSteps> {
  const noted = notedSteps(train);
  const isInput = phys.includes(timestepColumn);
  if (noted !== null && noted.time_step_found !== "unknown" && (noted.time_step_found === "input") === isInput)
    return noted;
  const median = new MedianStep();
  await eachTracer(train, metadata, (_, times) => {
    for (let row = 1; row < times.length; row++) {
      if (times[row]! > times[row - 1]!) median.add(times[row]! - times[row - 1]!);
    }
  });
  const step = median.value;
  if (step === null) return { time_step_yr: null, time_step_found: "unknown" };
  if (isInput) {
    return { time_step_yr: step, time_step_found: "input", time_step_range: [median.least, median.largest] };
  }
  const watch = await watchSteps(train, metadata, step);
  checkEvenSteps(watch, isAllowed, `${train.path}, key ${train.key}`, log);
  return { time_step_yr: step, time_step_found: watch.first === null ? "even" : "median" };
}

/**
 * @param expected years
 * @param where    the file that the user knows it by
 * @throws DataError where rows of a clean split are not one step of a surrogate apart
 */
export async function checkStepsOf(
  frame: Frame,
  metadata: readonly string[],
  expected: number,
  where = placeOfFrame(frame),
): Promise<void> {
  const noted = notedSteps(frame);
  const step = noted?.time_step_found === "even" ? noted.time_step_yr : null;
  if (step !== null && isOneStep(step, expected, 0)) return;
  checkTrainedStep(await watchSteps(frame, metadata, expected), where);
}

async function watchSteps(frame: Frame, metadata: readonly string[], expected: number): Promise<StepWatch> {
  const watch = new StepWatch(expected);
  await eachTracer(frame, metadata, (id, times) => watch.add(id, times));
  return watch;
}

async function eachTracer(
  frame: Frame,
  [, model = "Model", time = "Time"]: readonly string[],
  f: (id: string | number, times: Float64Array) => void,
): Promise<void> {
  const { values, codes } = frame.labels(model);
  let since = 0;
  for (const { start, rows } of tracerRuns(codes)) {
    const times = new Float64Array(rows);
    frame.read(start, rows, [time], times);
    f(values[codes[start]!]!, times);
    since += rows;
    if (since < 65_536) continue;
    since = 0;
    await nextTurn();
  }
}

/** The state that the training tracers start from, or, where some have their own, the one that most of the others share. */
export async function commonStart({ train }: CleanData, { metadata, species }: CleanColumns): Promise<CommonStart> {
  const { codes } = train.labels(metadata[1] ?? "Model");
  const runs = tracerRuns(codes);
  const groups = new Map<string, { readonly first: number; tracers: number }>();
  const state = new Float32Array(species.length);
  for (const [k, { start }] of runs.entries()) {
    train.read(start, 1, species, state);
    // Of one state written by several programs the last bits differ.
    const key = Array.from(state, (value) => value.toPrecision(4)).join();
    const digest = createHash("sha256").update(key).digest("base64");
    const group = groups.get(digest) ?? { first: start, tracers: 0 };
    group.tracers++;
    groups.set(digest, group);
    if (k % 1024 === 1023) await nextTurn();
  }
  const [most] = [...groups.values()].sort((a, b) => b.tracers - a.tracers);
  if (most === undefined || (most.tracers === 1 && runs.length > 1))
    return { abundances: null, origin: "the training tracers start from states of their own" };
  train.read(most.first, 1, species, state);
  const others = runs.length - most.tracers;
  const who = others === 0 ? `all ${runs.length}` : `${most.tracers} of ${runs.length}`;
  const rest = others === 0 ? "" : "; the others start from states of their own";
  return { abundances: state, origin: `the first row of ${who} training tracers${rest}` };
}
