/** Bits of the mantissa that choose an entry, and those that are left. */
const [entryBits, restBits] = [7, 16];
const entries = 2 ** entryBits;

/** log10 of the middle of each entry's mantissas, and 1 / middle in units of float32's last bit. */
const middles = Float64Array.from({ length: entries }, (_, i) => 1 + (i + 0.5) / entries);
const logarithms = middles.map(Math.log10);
const units = middles.map((middle) => 2 ** -23 / middle);

/** log10 of 2 to the power of each exponent. */
const exponents = Float64Array.from({ length: 256 }, (_, exponent) => (exponent - 127) * Math.log10(2));
const restMask = 2 ** restBits - 1;

/**
 * log10 of a normal positive float32, given by its bits: a table by the mantissa's first bits and a series for the rest, several
 * times as fast as Math.log10 and within 4e-16 of the sum's size of it.
 */
export function log10OfFloat32(bits: number): number {
  const entry = (bits >>> restBits) & (entries - 1);
  // |r| < 2^-8: what is left out is below 2^-58.
  const r = ((bits & restMask) - 2 ** (restBits - 1)) * units[entry]!;
  const series = r * (1 + r * (-1 / 2 + r * (1 / 3 + r * (-1 / 4 + r * (1 / 5 - r / 6)))));
  return exponents[bits >>> 23]! + (logarithms[entry]! + series * Math.LOG10E);
}
