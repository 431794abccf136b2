import { counted } from "../counted.ts";
import { type BaselineKind, baselineKinds, type GroupErrors, type PredictionMetrics } from "./error-types.ts";
import type { Metrics } from "./evaluation-types.ts";
import { decimals, factorOfDex, percent } from "./plain-numbers.ts";
import type { Verdict } from "./verdict-types.ts";
import { elementsMean } from "./weaknesses.ts";

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
      const [subject_relative, baseline_relative] = [a.relative.mean, b.relative.mean];
      return [
        {
          ...{ subject, baseline, phase, above_floor, subject_dex, baseline_dex, beats: subject_dex < baseline_dex },
          ...{ subject_relative, baseline_relative, beats_relative: subject_relative < baseline_relative },
          ...(phase === "all" && !above_floor ? conserved(ours, theirs) : {}),
        },
      ];
    }),
  );
}

function conserved(ours: PredictionMetrics, theirs: PredictionMetrics): Partial<Verdict> {
  const [subject_conservation, baseline_conservation] = [ours, theirs].map((each) => elementsMean(each.conservation));
  return subject_conservation == null || baseline_conservation == null
    ? {}
    : { subject_conservation, baseline_conservation };
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
  const groups = verdicts.filter(({ beats }) => beats !== overall.beats).map(describeGroup);
  const exceptions = [
    ...(groups.length > 0 ? [`for ${groups.join(", ")}`] : []),
    ...otherMeasures(
      overall,
      verdicts.find(({ phase, above_floor }) => phase === "all" && above_floor),
    ),
  ];
  const but = exceptions.length > 0 ? `, but ${overall.beats ? "loses" : "wins"} ${exceptions.join(" and ")}` : "";
  return `${who} ${does} ${names[overall.baseline]}: ${decimals(overall.subject_dex)} against ${decimals(overall.baseline_dex)} dex${but}.`;
}

/** Where the relative error above the floor, or the conservation of the elements, says otherwise than the error in dex. */
function otherMeasures(overall: Verdict, above: Verdict | undefined): string[] {
  const { beats, subject_conservation: kept, baseline_conservation: theirs } = overall;
  const relative =
    above?.beats_relative !== undefined && above.beats_relative !== beats
      ? [
          `in the mean relative error above the floor (${percent(above.subject_relative!)} against ${percent(above.baseline_relative!)})`,
        ]
      : [];
  // What copies rows conserves by construction: no contest.
  const isContest = kept !== undefined && theirs !== undefined && theirs > 0 && kept < theirs !== beats;
  return isContest
    ? [...relative, `in the elements' totals (${percent(kept)} off against ${percent(theirs)})`]
    : relative;
}

function describeGroup({ phase, above_floor }: Verdict): string {
  const values = phase === "all" ? "all phases" : phase;
  return above_floor ? `${values} above the floor` : values;
}

/** The figure above all others, with its interval where there is one. */
export function headlineOf({
  predictions,
  intervals,
  tracers,
}: Pick<Metrics, "predictions" | "intervals" | "tracers">): string {
  const subject = predictions.emulation ? "emulation" : "reconstruction";
  const what = subject === "emulation" ? "An abundance emulated over a whole trajectory" : "A reconstructed abundance";
  const dex = predictions[subject]!.overall.all.dex.mean;
  const found = intervals?.dex[subject];
  const between = found
    ? ` (95 % interval over ${counted(tracers.length, "tracer")}: ${decimals(found.low)} to ${decimals(found.high)})`
    : "";
  return `${what} is off by ${decimals(dex)} dex on average${between}, a factor of ${factorOfDex(dex)}.`;
}
