import { residualNetwork } from "./residual-mlp.ts";

/**
 * The original's model without an autoencoder: x ← x + net([p_t, x]) on scaled abundances. It is the residual MLP with `autoencoder=identity`;
 * a name of its own gives it a width, a file and a line in comparisons of its own.
 */
export const autoregressive = residualNetwork("autoregressive", 80);
