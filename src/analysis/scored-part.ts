import type { Inference } from "../inference/inference.ts";
import { type ChosenSteps, gathered, joined, placesOf } from "./chosen-steps.ts";
import type { EvenChoice } from "./even-choice.ts";
import { type Found, kept, type Part } from "./findings.ts";
import {
  type DecodedRows,
  decodeKept,
  decodeRows,
  encodeRows,
  rolloutLatents,
  type Stretch,
  startsByRow,
  startsOf,
  stateWidth,
  wholeTracers,
} from "./surrogate-predictions.ts";
import {
  type TracerBlock,
  type TracerPlace,
  type TracerReader,
  type TracerRows,
  valuesAtOnce,
} from "./tracer-blocks.ts";
import { vectorRows } from "./training-pass.ts";
import type { WindowChoice } from "./window-choice.ts";

/** What is predicted of the scored tracers. */
export interface ScoredTools {
  readonly surrogate: Inference;
  /** Emulated rows have the totals of the elements and the charge of their start. */
  readonly conserve: boolean;
  readonly reader: TracerReader;
  /** Null without an emulator, and where no tracer has the rows of a window. */
  readonly windows: WindowChoice | null;
  /** The steps to score, counted from 0: of the tracers, and of the windows in the order in which they come. */
  readonly choice: EvenChoice<TracerPlace>;
  readonly windowChoice: EvenChoice<number>;
  /** Milliseconds. */
  readonly now: () => number;
}

/** The rows of a block that are scored. */
export function scoredSteps(block: TracerRows, choice: EvenChoice<TracerPlace>): ChosenSteps & { rows: Int32Array } {
  const chosen = joined(block.places.map((place) => choice.of(place)));
  return { ...chosen, rows: placesOf(chosen, (k) => k * block.rows) };
}

/** First rows of a block's tracers, counted through it. */
export function firstRows({ places, rows }: TracerRows): number[] {
  return places.map((_, k) => k * rows);
}

/** The surrogate over the tracers that are scored. Baselines need no surrogate, and the training split: they are none of this. */
export class ScoredPart implements Part {
  readonly name = "scored";
  readonly plan: readonly (readonly TracerPlace[])[];
  readonly blocks: number;
  readonly #tools: ScoredTools;
  /** Windows in the blocks before. */
  readonly #windowsBefore: readonly number[];
  #isPrepared = false;

  constructor(tools: ScoredTools, places: readonly TracerPlace[]) {
    this.#tools = tools;
    this.plan = tools.reader.plan(places);
    this.blocks = this.plan.length;
    let all = 0;
    this.#windowsBefore = this.plan.map((block) => {
      const before = all;
      for (const place of block) all += tools.windows?.of(place).length ?? 0;
      return before;
    });
  }

  /** First the whole tracers, then their windows, as many at once as fit. */
  async *look(at: number): AsyncGenerator<Found> {
    const { reader, surrogate, choice, windows } = this.#tools;
    const block = reader.block(this.plan[at]!);
    const scored = scoredSteps(block, choice);
    // Gradients need the rows before.
    const needed = [...firstRows(block), ...scored.rows, ...scored.rows.map((row) => row - 1)];
    for (const k of block.places.keys())
      if (scored.starts[k] !== scored.starts[k + 1]) needed.push(...vectorRows(block, k));
    const found: Record<string, Float32Array | Float64Array> = {};
    if (scored.rows.length > 0) {
      const latents = await encodeRows(surrogate, block.scaledRows(scored.rows));
      found.reconstruction = await decodeRows(surrogate, latents);
      if (surrogate.windowSize !== null) Object.assign(found, await this.#emulate(block, scored));
    }
    yield { ...kept(block, needed), digests: block.digests, ...found };
    if (windows !== null) yield* this.#windows(block, windows, this.#windowsBefore[at]!);
  }

  /** Emulates whole tracers, and decodes what is scored of them; where totals are kept, without keeping them, too. */
  async #emulate(block: TracerBlock, scored: ChosenSteps): Promise<Found> {
    const { surrogate, now, conserve } = this.#tools;
    const steps = block.rows - 1;
    const first = block.scaledRows(firstRows(block));
    const latents = await encodeRows(surrogate, first);
    const starts = startsOf(block, latents, wholeTracers(block), steps);
    const places = placesOf(scored, (k) => k * steps - 1);
    const totals = conserve ? startsByRow(first, scored.starts) : null;
    const emulate = async (): Promise<DecodedRows & { states: Float32Array }> => {
      const states = gathered(await rolloutLatents(surrogate, starts), places, stateWidth(surrogate));
      return { states, ...(await decodeKept(surrogate, states, totals)) };
    };
    if (!this.#isPrepared) await emulate();
    this.#isPrepared = true;
    const started = now();
    const { states, scaled, linear, correction } = await emulate();
    const found = { emulation: scaled, emulation_seconds: Float64Array.of((now() - started) / 1000) };
    if (!correction) return found;
    const { linear: before } = await decodeKept(surrogate, states, null);
    return { ...found, before, after: linear, correction };
  }

  async *#windows(block: TracerBlock, windows: WindowChoice, before: number): AsyncGenerator<Found> {
    const { surrogate, windowChoice, conserve } = this.#tools;
    const steps = surrogate.windowSize! - 1;
    const stretches = block.places.flatMap((place, tracer): Stretch[] =>
      windows.of(place).map((first) => ({ tracer, first })),
    );
    const most = Math.max(1, Math.floor(valuesAtOnce / (steps * surrogate.species.length)));
    for (let from = 0; from < stretches.length; from += most) {
      const part = stretches.slice(from, from + most);
      const chosen = joined(part.map((_, i) => windowChoice.of(before + from + i)));
      if (chosen.steps.length === 0) continue;
      const first = Int32Array.from(part, (stretch) => stretch.tracer * block.rows + stretch.first);
      const firsts = block.scaledRows(first);
      const latents = await encodeRows(surrogate, firsts);
      const rolled = await rolloutLatents(surrogate, startsOf(block, latents, part, steps));
      const places = placesOf(chosen, (i) => i * steps - 1);
      const rows = placesOf(chosen, (i) => first[i]!);
      const totals = conserve ? startsByRow(firsts, chosen.starts) : null;
      const { scaled } = await decodeKept(surrogate, gathered(rolled, places, stateWidth(surrogate)), totals);
      yield {
        windows: scaled,
        truth: block.scaledRows(rows),
        steps: chosen.steps,
        times: Float64Array.from(rows, (row, i) => block.times[row]! - block.times[row - chosen.steps[i]!]!),
      };
    }
  }
}
