import type { Reliability } from "../reliability.ts";
import { type Figure, figureSpec, logarithmic, palette, shownDex } from "./figure.ts";

/** What error was expected of states, and what came true, by bins of the expected one. */
export function reliabilityFigure({ bins, level, threshold_dex }: Reliability): Figure {
  const values = bins.map(({ mean_expected_dex, mean_error_dex, states }) => ({
    expected: shownDex(mean_expected_dex),
    error: shownDex(mean_error_dex),
    states,
  }));
  const all = values.flatMap(({ expected, error }) => [expected, error]);
  const ends = [Math.min(...all), Math.max(...all)].map((value) => ({ expected: value, error: value }));
  const axes = {
    x: logarithmic("expected", "expected error (dex)"),
    y: logarithmic("error", "true error (dex)"),
  };
  return {
    name: "reliability",
    title: "Expected and true errors",
    caption:
      "Mean error of the states, in dex, by what the surrogate expects of them; the area tells how many states. " +
      `Below the dashed line errors are smaller than expected, as ${(100 * level).toFixed(0)} % of all states are to be. What counts ` +
      `as a large error is ${threshold_dex} dex. What is below 0.001 dex is drawn there.`,
    spec: figureSpec({
      layer: [
        {
          data: { values: ends },
          mark: { type: "line", strokeDash: [4, 4], color: "#8a8f98", strokeWidth: 1.5 },
          encoding: axes,
        },
        {
          data: { values },
          mark: { type: "point", filled: true, color: palette[0] },
          encoding: {
            ...axes,
            size: { field: "states", type: "quantitative", scale: { range: [30, 500] }, legend: null },
          },
        },
      ],
    }),
  };
}
