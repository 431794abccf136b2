import { evolvers } from "../../src/models/evolvers.ts";

/** Sizes of small models. */
export const [parameters, latent] = [3, 2];
const sizes = { input_dim: parameters + latent, output_dim: latent };
/** Each kind with its usual widths, but small where it has a `hidden_dim`, and as many layers as show what is carried. */
export const variants = Object.values(evolvers).flatMap(({ name, widths, reads }) => {
  const small =
    "hidden_dim" in widths ? { hidden_dim: 19 } : name === "latent_neural_operator" ? { width: 5, blocks: 2 } : {};
  const usual = { label: name, model_name: name, model: { ...sizes, ...small } as object };
  const more = name === "latent_rnn" ? { layers: 2 } : null;
  // Two parameters at most are read by themselves.
  const read = Object.fromEntries(reads.map((parameter, index) => [parameter, { index, range: [10, 1000] }]));
  return [
    usual,
    ...(reads.length > 0 ? [{ ...usual, label: `${name}_reads`, model: { ...usual.model, ...read } }] : []),
    ...(more ? [{ ...usual, label: `${name}_layers`, model: { ...usual.model, ...more } }] : []),
  ];
});
