import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metrics } from "../../../src/analysis/evaluation-types.ts";
import type { EvaluationSamples } from "../../../src/analysis/sample-types.ts";

export interface EvaluationFixture {
  readonly metrics: Metrics;
  readonly samples: EvaluationSamples;
}

/** An evaluation of the demo's models, cut down to a few species, steps and tracers. A copy: it may be changed. */
export function evaluationFixture(): EvaluationFixture {
  return JSON.parse(readFileSync(join("tests", "fixtures", "evaluation.json"), "utf8")) as EvaluationFixture;
}
