/** Where the initial weights come from; a seeded stream fits. */
export interface UniformSource {
  fillUniform(target: Float32Array, low: number, high: number): void;
}

/** PyTorch's initialisation of a linear layer: U(−1/√fan_in, 1/√fan_in), weight and bias alike. */
export function uniformLinear(target: Float32Array, fanIn: number, random: UniformSource): void {
  const bound = 1 / Math.sqrt(fanIn);
  random.fillUniform(target, -bound, bound);
}
