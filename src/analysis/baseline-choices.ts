/** How the baselines that have a choice were made, by training tracers alone: part of metrics.json. */
export interface BaselineChoices {
  /** Training tracers, of which each was predicted by the others. */
  readonly fitted_tracers: number;
  readonly nearest_tracer: {
    /** Physical parameters by which it is looked for. */
    readonly parameters: readonly string[];
    /** Training tracers among which it is looked for, spread evenly; absent where it is all of them. */
    readonly known_tracers?: number;
    /** Mean error in dex over the fitted tracers, by these parameters and by all of them; null with fewer than three tracers. */
    readonly left_out_dex: number | null;
    readonly left_out_dex_by_all: number | null;
  };
  readonly linear_history: {
    /** Physical parameters whose histories enter, and `start`; empty where none is better than the mean. */
    readonly sources: readonly string[];
    readonly ridge: number | null;
  };
}

/** The choices in a sentence. */
export function describeChoices({ fitted_tracers, nearest_tracer, linear_history }: BaselineChoices): string {
  const { parameters, known_tracers, left_out_dex, left_out_dex_by_all } = nearest_tracer;
  const among = known_tracers === undefined ? "" : ` among ${known_tracers.toLocaleString("en-US")} tracers`;
  const errors =
    left_out_dex === null || left_out_dex_by_all === null
      ? ""
      : ` (${left_out_dex.toPrecision(3)} dex; by all: ${left_out_dex_by_all.toPrecision(3)})`;
  const sources =
    linear_history.sources.length > 0 ? linear_history.sources.join(", ") : "nothing: none beats the mean";
  return (
    `Baselines chosen on ${fitted_tracers} training tracers, each predicted by the others: nearest history by ` +
    `${parameters.join(", ")}${among}${errors}; linear history from ${sources}.`
  );
}
