/** Numbers of 16 bits that neural networks are saved in, which JavaScript has no arrays for. */
export type HalfType = "F16" | "BF16";

/** Each half-precision number as the float32 of the same value: nothing is rounded. @param bits  the numbers' bytes, two each */
export function widenHalves(bits: Uint16Array<ArrayBuffer>, type: HalfType): Float32Array<ArrayBuffer> {
  if (type === "F16") return Float32Array.from(bits, fromFloat16);
  // bfloat16 is the upper half of a float32.
  return new Float32Array(Uint32Array.from(bits, (upper) => upper << 16).buffer);
}

/** IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction. */
function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
