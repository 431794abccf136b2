import { counted } from "../counted.ts";
import {
  checkConditions,
  type EvaluationRequest,
  type EvaluationTools,
  prepare,
  scoredPart,
} from "./evaluation-setup.ts";
import type { Found, Part } from "./findings.ts";
import { reliabilityPart } from "./reliability.ts";
import { trainingPart } from "./training-pass.ts";

/**
 * Looks at every `count`-th block of tracers, and hands on what is needed of them. All else is small, and left to `evaluateSurrogate`.
 * @returns tracers that were looked at
 * @throws DataError as `evaluateSurrogate` does
 */
export async function findShare(
  request: EvaluationRequest,
  tools: EvaluationTools,
  share: Share,
  write: (part: Part, block: number, item: number, found: Found) => void,
): Promise<number> {
  const setup = prepare(request, tools);
  const { surrogate, trainingErrors: errors, validation } = setup;
  const training = trainingPart(setup.trainingReader, setup.training, errors);
  const scored = scoredPart(setup);
  const [trained, own] = [training, scored].map(({ plan }) => plan.filter((_, block) => isOwn(block, share)).flat());
  await checkConditions(setup, own!);
  tools.log(`looking at ${counted(trained!.length, "training tracer")} and ${counted(own!.length, "scored tracer")}`);
  const known = reliabilityPart(surrogate, setup.scored, validation);
  for (const part of [training, scored, ...(known ? [known] : [])]) {
    for (let block = 0; block < part.blocks; block++) {
      if (!isOwn(block, share)) continue;
      let item = 0;
      for await (const found of part.look(block)) write(part, block, item++, found);
      await setup.checkpoint();
    }
  }
  return trained!.length + own!.length;
}

interface Share {
  readonly index: number;
  readonly count: number;
}

/** Every `count`-th block of a part belongs to a shard. */
export function isOwn(block: number, { index, count }: Share): boolean {
  return block % count === index;
}
