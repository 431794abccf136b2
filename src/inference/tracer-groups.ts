import type { Frame } from "../data/frame.ts";
import { tracerRuns } from "../data/windows.ts";
import type { Inference } from "./inference.ts";
import { meanErrors } from "./state-errors.ts";
import type { Trajectories } from "./trust.ts";

/** Abundances of a group: 32 MB. */
const valuesAtOnce = 2 ** 23;

/** Tracers of one length. */
export interface TracerGroup {
  readonly count: number;
  readonly steps: number;
  /** [count, steps, physical]; the last row's conditions lead nowhere. */
  readonly physical: Float32Array;
  /** [count, species], and the states after, [count, steps, species]. */
  readonly starts: Float32Array;
  readonly truth: Float32Array;
  start(b: number): { readonly abundances: Float32Array; readonly species: number };
}

interface ChosenRuns {
  /** Of all tracers together: they are spread evenly over the frame. */
  readonly mostRows: number;
  /** Those to choose from; left out: all of the frame. */
  readonly runs?: readonly { readonly start: number; readonly rows: number }[];
}

/** Tracers of a frame, in groups of one length, each read when it is asked for. */
export function* tracerGroups(frame: Frame, surrogate: Inference, chosen: ChosenRuns): Generator<TracerGroup> {
  for (const read of plannedGroups(frame, surrogate, chosen)) yield read();
}

/** The same groups, unread. */
export function plannedGroups(
  frame: Frame,
  { species, physicalParameters }: Inference,
  { mostRows, runs: given }: ChosenRuns,
): (() => TracerGroup)[] {
  const names = physicalParameters.map(({ name }) => name);
  const runs = (given ?? tracerRuns(frame.labels("Model").codes)).filter(({ rows }) => rows > 1);
  const all = runs.reduce((sum, { rows }) => sum + rows, 0);
  const chosen = evenly(runs.length, Math.max(1, Math.floor((runs.length * mostRows) / Math.max(all, mostRows)))).map(
    (i) => runs[i]!,
  );
  const groups: (() => TracerGroup)[] = [];
  for (let from = 0, to = 0; from < chosen.length; from = to) {
    const { rows } = chosen[from]!;
    const most = Math.max(1, Math.floor(valuesAtOnce / (rows * species.length)));
    while (to < chosen.length && to - from < most && chosen[to]!.rows === rows) to++;
    const group = chosen.slice(from, to);
    groups.push(() => readGroup(frame, group, names, species));
  }
  return groups;
}

function readGroup(
  frame: Frame,
  runs: readonly { readonly start: number; readonly rows: number }[],
  names: readonly string[],
  species: readonly string[],
): TracerGroup {
  const [count, steps, width] = [runs.length, runs[0]!.rows - 1, species.length];
  const physical = new Float32Array(count * steps * names.length);
  const [starts, truth] = [new Float32Array(count * width), new Float32Array(count * steps * width)];
  for (const [b, { start }] of runs.entries()) {
    frame.read(start, steps, names, physical.subarray(b * steps * names.length, (b + 1) * steps * names.length));
    frame.read(start, 1, species, starts.subarray(b * width, (b + 1) * width));
    frame.read(start + 1, steps, species, truth.subarray(b * steps * width, (b + 1) * steps * width));
  }
  const start = (b: number) => ({ abundances: starts.subarray(b * width, (b + 1) * width), species: width });
  return { count, steps, physical, starts, truth, start };
}

/** Emulates tracers from their starts, and tells how far off each state is, dex, [count · steps]. */
export async function emulatedGroup(
  surrogate: Inference,
  { count, steps, physical, starts, truth }: TracerGroup,
): Promise<{ trajectories: Trajectories; errors: Float64Array }> {
  const { physicalParameters, species } = surrogate;
  const { data, passed } = await surrogate.passed(
    { data: physical, shape: [count, steps, physicalParameters.length] },
    { data: starts.map((x) => Math.max(x, 0)), shape: [count, species.length] },
    { conserve: true },
  );
  return { trajectories: passed, errors: meanErrors(data, truth, surrogate) };
}

/** So many of the first numbers, evenly spread. */
export function evenly(count: number, most: number): number[] {
  const n = Math.min(count, most);
  return Array.from({ length: n }, (_, i) => Math.floor((i * count) / n));
}
