import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Metrics } from "../../../src/analysis/evaluation-types.ts";
import { reliability } from "../../../src/analysis/reliability.ts";
import type { EvaluationSamples } from "../../../src/analysis/sample-types.ts";

export interface EvaluationFixture {
  readonly metrics: Metrics;
  readonly samples: EvaluationSamples;
}

/** An evaluation of the demo's models, cut down to a few species, steps and tracers. A copy: it may be changed. */
export function evaluationFixture(): EvaluationFixture {
  const { metrics, samples } = JSON.parse(
    readFileSync(join("tests", "fixtures", "evaluation.json"), "utf8"),
  ) as EvaluationFixture;
  // 200 states, of which the true errors grow as the expected ones.
  const expected = Array.from({ length: 200 }, (_, i) => 0.02 * 1.02 ** i);
  const errors = expected.map((error, i) => error * (0.3 + (i % 10) / 12));
  const flags = expected.map((_, i) => (i > 190 ? 1 : 0));
  return { metrics: { ...metrics, reliability: reliability(errors, expected, flags, 0.9) }, samples };
}
