import { borrowedRows } from "./baselines.ts";

/** Rows at which a history is compared at most, and rows at which a prediction of a left-out tracer is judged. */
const [comparedRows, judgedRows] = [64, 16];

/** Whole training tracers in memory: baselines are fitted to them, and chosen by how well each is predicted by the others. */
export class FittedTracers {
  readonly parameters: number;
  /** Scaled abundances, [rows, species] each. */
  readonly states: Float32Array[] = [];
  /** Scaled parameters at evenly spread rows, [parameters, compared rows] each; the last row is held. */
  readonly histories: Float32Array[] = [];
  readonly #species: number;
  readonly #compared: Int32Array;
  readonly #judged: Int32Array;

  /** @param longestRows of the longest history, known or asked for */
  constructor(parameters: number, species: number, longestRows: number) {
    [this.parameters, this.#species] = [parameters, species];
    const stride = Math.max(1, Math.ceil(longestRows / comparedRows));
    this.#compared = Int32Array.from({ length: Math.ceil(longestRows / stride) }, (_, i) => i * stride);
    const judged = Math.min(judgedRows, Math.max(1, longestRows - 1));
    this.#judged = Int32Array.from({ length: judged }, (_, i) => Math.ceil(((i + 1) * (longestRows - 1)) / judged));
  }

  /** @param scaled [rows, species]: kept; `history` [rows, parameters], scaled */
  add(scaled: Float32Array, history: Float32Array): void {
    this.states.push(scaled);
    this.histories.push(this.compared(history));
  }

  /** A history at the compared rows, [parameters, compared rows]. @param history [rows, parameters] */
  compared(history: Float32Array): Float32Array {
    const { parameters } = this;
    const rows = borrowedRows(this.#compared, history.length / parameters);
    const out = new Float32Array(parameters * rows.length);
    for (let p = 0; p < parameters; p++) {
      for (const [i, row] of rows.entries()) out[p * rows.length + i] = history[row * parameters + p]!;
    }
    return out;
  }

  /** Scaled abundances of tracer k at the judged rows, [judged rows, species]. */
  judged(k: number): Float32Array {
    const width = this.#species;
    const state = this.states[k]!;
    const out = new Float32Array(this.#judged.length * width);
    for (const [i, row] of borrowedRows(this.#judged, state.length / width).entries()) {
      out.set(state.subarray(row * width, (row + 1) * width), i * width);
    }
    return out;
  }

  /** Of one parameter: each tracer's history, [compared rows]. */
  historiesOf(parameter: number): Float32Array[] {
    const length = this.#compared.length;
    return this.histories.map((history) => history.subarray(parameter * length, (parameter + 1) * length));
  }
}

/**
 * Chooses some of several things, the most useful first, for as long as another one lowers the error.
 * @param errorOf  of a choice; infinite where it cannot be told
 */
export function forwardChoice(count: number, errorOf: (chosen: readonly number[]) => number): number[] {
  let chosen: number[] = [];
  let least = errorOf(chosen);
  for (;;) {
    let better: number[] | null = null;
    for (let one = 0; one < count; one++) {
      if (chosen.includes(one)) continue;
      const longer = [...chosen, one];
      const error = errorOf(longer);
      if (error < least) [better, least] = [longer, error];
    }
    if (better === null) return chosen.sort((a, b) => a - b);
    chosen = better;
  }
}
