import type { BaselineKind, GroupErrors, Metrics, PredictionMetrics, Verdict } from "./evaluation-types.ts";
import { baselineKinds } from "./evaluation-types.ts";

type Predictions = Metrics["predictions"];

const names: Record<BaselineKind, string> = {
  persistence: "persistence (nothing changes)",
  mean_trajectory: "the mean trajectory of the training tracers",
  nearest_tracer: "the training tracer with the nearest physical history",
  linear_history: "a linear map of the physical history",
  pca_reconstruction: "the reconstruction by principal components",
};

/** The surrogate's mean error in dex beside each baseline's on the same rows: overall and by phase, all values and those above the floor. */
export function verdictsOf(predictions: Predictions): Verdict[] {
  return baselineKinds.flatMap((baseline) => {
    // A baseline that only compresses is held against the autoencoder, one that predicts against the emulation.
    const subject = baseline === "pca_reconstruction" ? "reconstruction" : "emulation";
    const [ours, theirs] = [predictions[subject], predictions[baseline]];
    return ours && theirs ? compared(ours, theirs, subject, baseline) : [];
  });
}

function compared(
  ours: PredictionMetrics,
  theirs: PredictionMetrics,
  subject: Verdict["subject"],
  baseline: BaselineKind,
): Verdict[] {
  const groups: [Verdict["phase"], GroupErrors, GroupErrors | undefined][] = [["all", ours.overall, theirs.overall]];
  for (const group of ours.phases) {
    groups.push([group.phase, group, theirs.phases.find(({ phase }) => phase === group.phase)]);
  }
  return groups.flatMap(([phase, mine, other]) =>
    ([false, true] as const).flatMap((above_floor) => {
      const [a, b] = above_floor ? [mine.above_floor, other?.above_floor] : [mine.all, other?.all];
      if (!a || !b) return [];
      const [subject_dex, baseline_dex] = [a.dex.mean, b.dex.mean];
      return [{ subject, baseline, phase, above_floor, subject_dex, baseline_dex, beats: subject_dex < baseline_dex }];
    }),
  );
}

/** One sentence a baseline: beaten or not, by how much, and in which phases it is otherwise. */
export function conclusionsOf(verdicts: readonly Verdict[], predictions: Predictions): string[] {
  const sentences = baselineKinds.flatMap((baseline) => {
    const mine = verdicts.filter((verdict) => verdict.baseline === baseline);
    const overall = mine.find(({ phase, above_floor }) => phase === "all" && !above_floor);
    return overall ? [sentence(overall, mine)] : [];
  });
  for (const { kind, non_finite } of Object.values(predictions)) {
    if (non_finite > 0)
      sentences.push(`${kind}: ${non_finite} predicted values are not finite; they count with the largest errors.`);
  }
  return sentences;
}

function sentence(overall: Verdict, verdicts: readonly Verdict[]): string {
  const who = overall.subject === "emulation" ? "The surrogate" : "The autoencoder";
  const does = overall.beats ? "beats" : "loses to";
  const exceptions = verdicts.filter(({ beats }) => beats !== overall.beats).map(describeGroup);
  const but = exceptions.length > 0 ? `, but ${overall.beats ? "loses" : "wins"} for ${exceptions.join(", ")}` : "";
  return `${who} ${does} ${names[overall.baseline]}: ${dex(overall.subject_dex)} against ${dex(overall.baseline_dex)} dex${but}.`;
}

function describeGroup({ phase, above_floor }: Verdict): string {
  const values = phase === "all" ? "all phases" : phase;
  return above_floor ? `${values} above the floor` : values;
}

function dex(value: number): string {
  return value.toPrecision(3);
}
