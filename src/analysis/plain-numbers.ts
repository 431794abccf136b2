/** An error in dex, as sentences tell it: three digits. */
export function decimals(dex: number): string {
  return dex.toPrecision(3);
}

/** A share or a relative error, in two digits. */
export function percent(share: number): string {
  return `${mainly(100 * share)} %`;
}

/** Two digits: 12, 0.034, 1,200, 1.3e6. */
export function mainly(value: number): string {
  const rounded = Number(value.toPrecision(2));
  const isLong = rounded !== 0 && (rounded >= 1e5 || rounded < 1e-3);
  return isLong ? rounded.toExponential().replace("e+", "e") : rounded.toLocaleString("en");
}

export function years(time_yr: number): string {
  return Number(time_yr.toPrecision(3)).toLocaleString("en");
}

/** How many times too much or too little, from (predicted − true) / true; what is gone altogether counts as 1e30. */
export function factor(error: number): number {
  const ratio = 1 + error;
  return ratio >= 1 ? ratio : Math.min(1 / Math.max(ratio, 0), 1e30);
}

/** 10^dex, in the precision that it has. */
export function factorOfDex(dex: number): string {
  const value = 10 ** dex;
  if (value >= 1e6) return `10^${dex.toFixed(1)}`;
  return value < 100 ? value.toPrecision(value < 1.1 ? 3 : 2) : Number(value.toPrecision(2)).toLocaleString("en");
}
