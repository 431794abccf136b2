import { ensembleOf } from "./ensemble.ts";
import type { Evolver, EvolverKind } from "./evolver.ts";
import { autoregressive } from "./evolvers/autoregressive.ts";
import { latentNeuralOperator } from "./evolvers/latent-neural-operator.ts";
import { latentOde } from "./evolvers/latent-ode.ts";
import { latentRelaxation } from "./evolvers/latent-relaxation.ts";
import { latentRnn } from "./evolvers/latent-rnn.ts";
import { latentShielding } from "./evolvers/latent-shielding.ts";
import { residualMlp } from "./evolvers/residual-mlp.ts";
import { kindNamed } from "./kinds.ts";

/** Every evolver there is, by its `model_name`. */
export const evolvers = {
  emulator: residualMlp,
  latent_shielding: latentShielding,
  latent_relaxation: latentRelaxation,
  latent_rnn: latentRnn,
  latent_ode: latentOde,
  latent_neural_operator: latentNeuralOperator,
  autoregressive,
} satisfies Record<string, EvolverKind>;

/** The kind of that `model_name`. @throws CheckpointError where this program does not know it */
export function kindOfEvolver(model_name: string, where?: string): EvolverKind {
  return kindNamed(evolvers, model_name, "an evolver", where);
}

/**
 * The evolver that a weights file holds, of one member or several.
 * @param where  the file
 * @throws CheckpointError where this program does not know it, ZodError where its sizes are not its own
 */
export function evolverOf(
  {
    model_name,
    model,
    members = [],
  }: { readonly model_name: string; readonly model: unknown; readonly members?: readonly unknown[] | undefined },
  where?: string,
): Evolver {
  const member = kindOfEvolver(model_name, where).of(model);
  return members.length > 1 ? ensembleOf(member, members.length) : member;
}
