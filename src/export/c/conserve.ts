import { cFloat } from "../../backend/c/elementwise.ts";
import { wrapped } from "../../backend/c/emit.ts";
import type { Width } from "../../backend/c/prelude.ts";
import { leastWeight, roundedCharge, shareRoots, weightedIterations } from "../../chemistry/conservation.ts";
import type { Description } from "./description.ts";

/** What the functions below walk through. */
export function conserveTables({ conserved: { groups, starts, terms, powers } }: Description): string {
  const ofSpecies = groups.map((group) => terms.slice(starts[group], starts[group + 1]));
  const begin = [0];
  for (const held of ofSpecies) begin.push(begin.at(-1)! + held.length);
  const ints = (name: string, values: readonly number[]): string =>
    `static const int ${name}[] = {\n${wrapped(values.map(String), 16)}\n};`;
  return `/* Cells whose totals are met at once. */
#define SG_KEPT SG_NARROW

/* The terms of species s are sg_terms[sg_starts[s]] to sg_terms[sg_starts[s + 1]]; each is sg_counts of the total sg_of_total. */
${ints("sg_starts", begin)}

${ints("sg_terms", ofSpecies.flat())}

${ints(
  "sg_of_total",
  powers.map(({ total }) => total),
)}

static const double sg_counts[] = {
${wrapped(
  powers.map(({ count }) => count.toFixed(1)),
  16,
)}
};`;
}

/** Totals, and the projection on them: `Conservation` for SG_KEPT cells of a block at once, or for one cell. */
export function conserveFunctions({ species, conserved, clipping }: Description, { word }: Width): string {
  const { names } = conserved;
  const [T, S] = [names.length, species.length];
  const charge = names.indexOf("charge");
  const cells = word === "one" ? "1" : "SG_KEPT";
  const type = `sg_lanes_${word}`;
  const lanes = (...lines: string[]): string =>
    lines.length === 1
      ? `for (int l = 0; l < ${cells}; l++) ${lines[0]}`
      : `for (int l = 0; l < ${cells}; l++) {\n${lines.map((line) => `      ${line}`).join("\n")}\n    }`;
  const [low, high] = [cFloat(clipping.lower), cFloat(clipping.upper)];
  return `typedef double ${type}[${cells}];

/* Totals of abundances, and what holds the charge. */
static void sg_sums_${word}(const ${type} *restrict value, ${type} *restrict sum, ${type} *restrict charges)
{
  for (int k = 0; k < ${T}; k++) {
    ${lanes("sum[k][l] = 0.0;")}
  }
  ${lanes("charges[0][l] = 0.0;")}
  for (int s = 0; s < ${S}; s++) {
    for (int e = sg_starts[s]; e < sg_starts[s + 1]; e++) {
      const int k = sg_of_total[sg_terms[e]];
      const double count = sg_counts[sg_terms[e]];
      ${lanes("sum[k][l] += count * value[s][l];")}
      if (k == ${charge}) {
        ${lanes("charges[0][l] += fabs(count) * value[s][l];")}
      }
    }
  }
}

/* Of ${cells} cells, clipped as \`encode\` does it: x[species][stride] -> totals[total][stride]. A net charge that is rounding is 0. */
static void sg_totals_lanes_${word}(size_t stride, const float *restrict x, float *restrict totals)
{
  ${type} value[${S}], sum[${T}], charges[1];
  for (int s = 0; s < ${S}; s++) {
    ${lanes(
      "const float v = x[(size_t)s * stride + (size_t)l];",
      `const float raised = (v < ${low}) ? ${low} : v;`,
      `value[s][l] = (double)((raised > ${high}) ? ${high} : raised);`,
    )}
  }
  sg_sums_${word}((const ${type} *)value, sum, charges);
  for (int k = 0; k < ${T}; k++) {
    ${lanes(`totals[(size_t)k * stride + (size_t)l] = (k == ${charge} && fabs(sum[k][l]) <= ${roundedCharge} * charges[0][l]) ? 0.0f : (float)sum[k][l];`)}
  }
}

/* weight times the terms of each species, summed over what \`of\` says of each total, and the largest size over the species. */
static void sg_moves_${word}(const ${type} *restrict of, const ${type} *restrict weight, ${type} *restrict move, double *restrict furthest)
{
  ${lanes("furthest[l] = 0.0;")}
  for (int s = 0; s < ${S}; s++) {
    ${lanes("move[s][l] = 0.0;")}
    for (int e = sg_starts[s]; e < sg_starts[s + 1]; e++) {
      const int k = sg_of_total[sg_terms[e]];
      const double count = sg_counts[sg_terms[e]];
      ${lanes("move[s][l] += count * of[k][l];")}
    }
    ${lanes(
      "move[s][l] *= weight[s][l];",
      "const double size = fabs(move[s][l]);",
      "furthest[l] = (furthest[l] < size) ? size : furthest[l];",
    )}
  }
}

/* The size of the same without the products, its mean over the species. */
static void sg_moved_${word}(const ${type} *restrict of, const ${type} *restrict weight, double *restrict mean)
{
  ${lanes("mean[l] = 0.0;")}
  for (int s = 0; s < ${S}; s++) {
    double by[${cells}] = {0.0};
    for (int e = sg_starts[s]; e < sg_starts[s + 1]; e++) {
      const int k = sg_of_total[sg_terms[e]];
      const double count = sg_counts[sg_terms[e]];
      ${lanes("by[l] += count * of[k][l];")}
    }
    ${lanes(`mean[l] += fabs(by[l] * weight[s][l]) / ${S}.0;`)}
  }
}

/* L D Lt of counts' products weighed by \`value\` and \`weight\`, below the diagonal L D; a pivot of what follows from other totals is left out. */
static void sg_factor_${word}(const ${type} *restrict value, const ${type} *restrict weight, const ${type} *restrict asked, ${type} m[][${T}], ${type} *restrict inverse)
{
  ${type} size[${T}];
  memset(m, 0, sizeof(${type}) * ${T * T});
  for (int s = 0; s < ${S}; s++) {
    for (int e = sg_starts[s]; e < sg_starts[s + 1]; e++) {
      double amount[${cells}];
      ${lanes("amount[l] = sg_counts[sg_terms[e]] * weight[s][l] * value[s][l];")}
      for (int f = sg_starts[s]; f <= e; f++) {
        double *restrict entry = m[sg_of_total[sg_terms[e]]][sg_of_total[sg_terms[f]]];
        const double count = sg_counts[sg_terms[f]];
        ${lanes("entry[l] += count * amount[l];")}
      }
    }
  }
  for (int k = 0; k < ${T}; k++) memcpy(size[k], m[k][k], sizeof size[k]);
  for (int j = 0; j < ${T}; j++) {
    ${lanes("const double pivot = asked[j][l] / m[j][j][l];", "inverse[j][l] = (m[j][j][l] > 1e-9 * size[j][l]) ? pivot : 0.0;")}
    for (int i = j + 1; i < ${T}; i++) {
      double below[${cells}];
      ${lanes("below[l] = m[i][j][l] * inverse[j][l];")}
      for (int k = j + 1; k <= i; k++) {
        ${lanes("m[i][k][l] -= below[l] * m[k][j][l];")}
      }
    }
  }
}

static void sg_solve_${word}(${type} m[][${T}], const ${type} *restrict inverse, ${type} *restrict y)
{
  for (int i = 0; i < ${T}; i++) {
    for (int k = 0; k < i; k++) {
      ${lanes("y[i][l] -= m[i][k][l] * inverse[k][l] * y[k][l];")}
    }
  }
  for (int i = ${T - 1}; i >= 0; i--) {
    ${lanes("y[i][l] *= inverse[i][l];")}
    for (int k = i + 1; k < ${T}; k++) {
      ${lanes("y[i][l] -= m[k][i][l] * inverse[i][l] * y[k][l];")}
    }
  }
}

/* Gives ${cells} cells their totals: of all positive abundances with them, those closest to x[species][stride] in weighted relative entropy,
 * x exp(w A lambda), by Newton's method. The weight w of a species grows with its share in its totals; from afar, after some iterations, all
 * are 1. A total of 0 is not asked for, that of the charge is always. A cell whose totals cannot be had stays as it is.
 * residual: what is left, relative to what holds an element; mean, or NULL: the mean change of the abundances, as a power of e. */
static void sg_conserve_lanes_${word}(size_t stride, const float *restrict totals, float *restrict x, double *restrict residual,
                        double *restrict mean)
{
  ${type} value[${S}], weight[${S}], move[${S}], sum[${T}], charges[1], asked[${T}], missing[${T}], step[${T}], lambda[${T}];
  ${type} m[${T}][${T}], inverse[${T}];
  double furthest[${cells}];
  memset(lambda, 0, sizeof lambda);
  for (int s = 0; s < ${S}; s++) {
    ${lanes("value[s][l] = (double)x[(size_t)s * stride + (size_t)l];")}
  }
  for (int iteration = 0; ; iteration++) {
    int is_met = 1;
    sg_sums_${word}((const ${type} *)value, sum, charges);
    ${lanes("residual[l] = 0.0;")}
    for (int k = 0; k < ${T}; k++) {
      const double *held = (k == ${charge}) ? charges[0] : sum[k];
      ${lanes(
        "const double wanted = (double)totals[(size_t)k * stride + (size_t)l];",
        `if (iteration == 0) asked[k][l] = (held[l] > 0.0 && (k == ${charge} || wanted > 0.0)) ? 1.0 : 0.0;`,
        "missing[k][l] = (asked[k][l] > 0.0) ? wanted - sum[k][l] : 0.0;",
        "const double ratio = fabs(missing[k][l]) / held[l];",
        "const double relative = (asked[k][l] > 0.0) ? ratio : 0.0;",
        "residual[l] = (relative > residual[l] || !(relative >= 0.0)) ? relative : residual[l];",
      )}
    }
    if (iteration == 0) {
      for (int s = 0; s < ${S}; s++) {
        ${lanes("weight[s][l] = 0.0;")}
        for (int e = sg_starts[s]; e < sg_starts[s + 1]; e++) {
          const int k = sg_of_total[sg_terms[e]];
          const double *held = (k == ${charge}) ? charges[0] : sum[k];
          const double size = fabs(sg_counts[sg_terms[e]]);
          ${lanes(
            "const double share = size * value[s][l] / held[l];",
            "weight[s][l] += (asked[k][l] > 0.0) ? share : 0.0;",
          )}
        }
        ${lanes(
          `const double root = ${"sqrt(".repeat(shareRoots)}weight[s][l]${")".repeat(shareRoots)};`,
          `weight[s][l] = (root > ${leastWeight}) ? root : ${leastWeight};`,
        )}
      }
    }
    for (int l = 0; l < ${cells}; l++) is_met = is_met && !(residual[l] > 1e-8);
    if (is_met || iteration == 49) break;
    if (iteration == ${weightedIterations}) {
      for (int s = 0; s < ${S}; s++) {
        ${lanes(
          "const double given = (double)x[(size_t)s * stride + (size_t)l];",
          "value[s][l] = (residual[l] > 1e-8) ? given : value[s][l];",
          "weight[s][l] = (residual[l] > 1e-8) ? 1.0 : weight[s][l];",
        )}
      }
      for (int k = 0; k < ${T}; k++) {
        ${lanes("lambda[k][l] = (residual[l] > 1e-8) ? 0.0 : lambda[k][l];")}
      }
      continue;
    }
    sg_factor_${word}((const ${type} *)value, (const ${type} *)weight, (const ${type} *)asked, m, inverse);
    memcpy(step, missing, sizeof step);
    sg_solve_${word}(m, (const ${type} *)inverse, step);
    sg_moves_${word}((const ${type} *)step, (const ${type} *)weight, move, furthest);
    for (int k = 0; k < ${T}; k++) {
      ${lanes(
        "const double far = 2.0 / furthest[l];",
        "const double cut = (furthest[l] > 2.0) ? far : 1.0;",
        "step[k][l] = (residual[l] > 1e-8) ? cut * step[k][l] : 0.0;",
        "lambda[k][l] += step[k][l];",
      )}
    }
    for (int s = 0; s < ${S}; s++) {
      ${lanes(
        "const double far = 2.0 / furthest[l];",
        "const double cut = (furthest[l] > 2.0) ? far : 1.0;",
        "const double y = ((residual[l] > 1e-8) ? cut * move[s][l] : 0.0) * 0x1p-6;",
        "double e = 1.0 + y * (1.0 + y * (0.5 + y * (1.0 / 6.0 + y * (1.0 / 24.0))));",
        "for (int i = 0; i < 6; i++) e *= e;",
        "value[s][l] *= e;",
      )}
    }
  }
  for (int s = 0; s < ${S}; s++) {
    ${lanes(
      "float *at = x + ((size_t)s * stride + (size_t)l);",
      "*at = (residual[l] <= 1e-6) ? (float)value[s][l] : *at;",
    )}
  }
  if (mean != NULL) sg_moved_${word}((const ${type} *)lambda, (const ${type} *)weight, mean);
}`;
}
