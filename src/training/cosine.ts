/** How the learning rate of a phase runs. */
export interface CosineSettings {
  /** The highest learning rate. */
  readonly peak: number;
  /** Share of the phase in which it rises from 0. */
  readonly warm_up: number;
  /** Share of the peak at the end. */
  readonly final_lr: number;
}

/**
 * Linear warm-up, then half a cosine from the peak to its final share (Loshchilov & Hutter 2017).
 * @param progress share of the phase that is over, from 0 to 1
 */
export function cosineRate({ peak, warm_up, final_lr }: CosineSettings, progress: number): number {
  if (progress < warm_up) return (peak * progress) / warm_up;
  const share = Math.min(1, (progress - warm_up) / (1 - warm_up));
  return peak * (final_lr + ((1 - final_lr) * (1 + Math.cos(Math.PI * share))) / 2);
}
