import { cFloat } from "../../backend/c/elementwise.ts";
import { wrapped } from "../../backend/c/emit.ts";
import type { Width } from "../../backend/c/prelude.ts";
import type { Description } from "./description.ts";

/** What the functions below walk through. */
export function conserveTables({ conserved: { groups, starts, terms, powers } }: Description): string {
  const ints = (name: string, values: readonly number[]): string =>
    `static const int ${name}[] = {\n${wrapped(values.map(String), 16)}\n};`;
  return `/* Cells whose totals are met at once. */
#define SG_KEPT SG_NARROW

/* Species of the same atoms and charge are scaled alike: the group of each. The terms of group g are sg_terms[sg_starts[g]] to
 * sg_terms[sg_starts[g + 1]]; each is sg_counts of the total sg_of_total. */
${ints("sg_groups", groups)}

${ints("sg_starts", starts)}

${ints("sg_terms", terms)}

${ints(
  "sg_of_total",
  powers.map(({ total }) => total),
)}

static const double sg_counts[] = {
${wrapped(
  powers.map(({ count }) => count.toFixed(1)),
  16,
)}
};

/* Species of each group. */
static const double sg_members[] = {
${wrapped(
  starts.slice(1).map((_, g) => groups.filter((group) => group === g).length.toFixed(1)),
  16,
)}
};`;
}

/** Totals, and the projection on them: `Conservation` for SG_KEPT cells of a block at once, or for one cell. */
export function conserveFunctions({ species, conserved, clipping }: Description, { word }: Width): string {
  const { names, starts, powers } = conserved;
  const [T, G, S, P] = [names.length, starts.length - 1, species.length, powers.length];
  const charge = names.indexOf("charge");
  const cells = word === "one" ? "1" : "SG_KEPT";
  const type = `sg_lanes_${word}`;
  const lanes = (...lines: string[]): string =>
    lines.length === 1
      ? `for (int l = 0; l < ${cells}; l++) ${lines[0]}`
      : `for (int l = 0; l < ${cells}; l++) {\n${lines.map((line) => `      ${line}`).join("\n")}\n    }`;
  const [low, high] = [cFloat(clipping.lower), cFloat(clipping.upper)];
  return `typedef double ${type}[${cells}];

/* Totals of the groups' abundances, and what holds the charge. */
static void sg_sums_${word}(const ${type} *restrict value, ${type} *restrict sum, ${type} *restrict charges)
{
  for (int k = 0; k < ${T}; k++) {
    ${lanes("sum[k][l] = 0.0;")}
  }
  ${lanes("charges[0][l] = 0.0;")}
  for (int g = 0; g < ${G}; g++) {
    for (int e = sg_starts[g]; e < sg_starts[g + 1]; e++) {
      const int k = sg_of_total[sg_terms[e]];
      const double count = sg_counts[sg_terms[e]];
      ${lanes("sum[k][l] += count * value[g][l];")}
      if (k == ${charge}) {
        ${lanes("charges[0][l] += fabs(count) * value[g][l];")}
      }
    }
  }
}

/* Of ${cells} cells, clipped as \`encode\` does it: x[species][stride] -> totals[total][stride]. A net charge that is rounding is 0. */
static void sg_totals_lanes_${word}(size_t stride, const float *restrict x, float *restrict totals)
{
  ${type} value[${G}], sum[${T}], charges[1];
  memset(value, 0, sizeof value);
  for (int s = 0; s < ${S}; s++) {
    ${lanes(
      "const float v = x[(size_t)s * stride + (size_t)l];",
      `const float raised = (v < ${low}) ? ${low} : v;`,
      `value[sg_groups[s]][l] += (double)((raised > ${high}) ? ${high} : raised);`,
    )}
  }
  sg_sums_${word}((const ${type} *)value, sum, charges);
  for (int k = 0; k < ${T}; k++) {
    ${lanes(`totals[(size_t)k * stride + (size_t)l] = (k == ${charge} && fabs(sum[k][l]) <= 1e-4 * charges[0][l]) ? 0.0f : (float)sum[k][l];`)}
  }
}

/* The terms of each group, summed over what \`of\` says of each total: the largest size over the groups. */
static void sg_furthest_${word}(const ${type} *restrict of, double *restrict furthest)
{
  ${lanes("furthest[l] = 0.0;")}
  for (int g = 0; g < ${G}; g++) {
    double by[${cells}] = {0.0};
    for (int e = sg_starts[g]; e < sg_starts[g + 1]; e++) {
      const int k = sg_of_total[sg_terms[e]];
      const double count = sg_counts[sg_terms[e]];
      ${lanes("by[l] += count * of[k][l];")}
    }
    ${lanes("by[l] = fabs(by[l]);", "furthest[l] = (furthest[l] < by[l]) ? by[l] : furthest[l];")}
  }
}

/* The same, the mean over the species. */
static void sg_moved_${word}(const ${type} *restrict of, double *restrict mean)
{
  ${lanes("mean[l] = 0.0;")}
  for (int g = 0; g < ${G}; g++) {
    double by[${cells}] = {0.0};
    for (int e = sg_starts[g]; e < sg_starts[g + 1]; e++) {
      const int k = sg_of_total[sg_terms[e]];
      const double count = sg_counts[sg_terms[e]];
      ${lanes("by[l] += count * of[k][l];")}
    }
    ${lanes(`mean[l] += fabs(by[l]) * (sg_members[g] / ${S}.0);`)}
  }
}

/* L D Lt of counts' products weighed by \`value\`, below the diagonal L D; a pivot of what follows from other totals is left out. */
static void sg_factor_${word}(const ${type} *restrict value, const ${type} *restrict asked, ${type} m[][${T}], ${type} *restrict inverse)
{
  ${type} size[${T}];
  memset(m, 0, sizeof(${type}) * ${T * T});
  for (int g = 0; g < ${G}; g++) {
    for (int e = sg_starts[g]; e < sg_starts[g + 1]; e++) {
      double amount[${cells}];
      ${lanes("amount[l] = sg_counts[sg_terms[e]] * value[g][l];")}
      for (int f = sg_starts[g]; f <= e; f++) {
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

/* Gives ${cells} cells their totals: of all positive abundances with them, those closest to x[species][stride] in relative entropy,
 * x exp(A lambda), by Newton's method. A total of 0 is not asked for, that of the charge is always. A cell whose totals cannot be had stays as it is.
 * residual: what is left, relative to what holds an element; mean, or NULL: the mean change of the abundances, as a power of e. */
static void sg_conserve_lanes_${word}(size_t stride, const float *restrict totals, float *restrict x, double *restrict residual,
                        double *restrict mean)
{
  ${type} weight[${G}], value[${G}], power[${P}], sum[${T}], charges[1], asked[${T}], missing[${T}], step[${T}], lambda[${T}];
  ${type} m[${T}][${T}], inverse[${T}];
  double furthest[${cells}];
  memset(weight, 0, sizeof weight);
  memset(lambda, 0, sizeof lambda);
  for (int s = 0; s < ${S}; s++) {
    ${lanes("weight[sg_groups[s]][l] += (double)x[(size_t)s * stride + (size_t)l];")}
  }
  for (int p = 0; p < ${P}; p++) {
    ${lanes("power[p][l] = 1.0;")}
  }
  for (int iteration = 0; ; iteration++) {
    int is_met = 1;
    int is_near = 1;
    memcpy(value, weight, sizeof value);
    for (int g = 0; g < ${G}; g++) {
      for (int e = sg_starts[g]; e < sg_starts[g + 1]; e++) {
        ${lanes("value[g][l] *= power[sg_terms[e]][l];")}
      }
    }
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
    for (int l = 0; l < ${cells}; l++) is_met = is_met && !(residual[l] > 1e-8);
    if (is_met || iteration == 40) break;
    sg_factor_${word}((const ${type} *)value, (const ${type} *)asked, m, inverse);
    memcpy(step, missing, sizeof step);
    sg_solve_${word}(m, (const ${type} *)inverse, step);
    ${lanes("furthest[l] = 0.0;")}
    for (int p = 0; p < ${P}; p++) {
      ${lanes("furthest[l] += fabs(sg_counts[p] * step[sg_of_total[p]][l]);")}
    }
    is_near = 1;
    for (int l = 0; l < ${cells}; l++) is_near = is_near && furthest[l] <= 2.0;
    if (!is_near) {
      sg_furthest_${word}((const ${type} *)step, furthest);
      for (int p = 0; p < ${P}; p++) {
        /* One term alone may go further, as far as the power below is one. */
        ${lanes(
          "const double alone = fabs(sg_counts[p] * step[sg_of_total[p]][l]) / 8.0;",
          "furthest[l] = (furthest[l] < alone) ? alone : furthest[l];",
        )}
      }
    }
    for (int k = 0; k < ${T}; k++) {
      ${lanes(
        "const double far = 2.0 / furthest[l];",
        "const double cut = (furthest[l] > 2.0) ? far : 1.0;",
        "step[k][l] = (residual[l] > 1e-8) ? cut * step[k][l] : 0.0;",
        "lambda[k][l] += step[k][l];",
      )}
    }
    for (int p = 0; p < ${P}; p++) {
      ${lanes(
        "const double y = sg_counts[p] * step[sg_of_total[p]][l] * 0x1p-6;",
        "double e = 1.0 + y * (1.0 + y * (0.5 + y * (1.0 / 6.0 + y * (1.0 / 24.0))));",
        "for (int i = 0; i < 6; i++) e *= e;",
        "power[p][l] *= e;",
      )}
    }
  }
  for (int g = 0; g < ${G}; g++) {
    ${lanes("value[g][l] = 1.0;")}
    for (int e = sg_starts[g]; e < sg_starts[g + 1]; e++) {
      ${lanes("value[g][l] *= power[sg_terms[e]][l];")}
    }
    ${lanes("value[g][l] = (residual[l] <= 1e-6) ? value[g][l] : 1.0;")}
  }
  for (int s = 0; s < ${S}; s++) {
    ${lanes("x[(size_t)s * stride + (size_t)l] *= (float)value[sg_groups[s]][l];")}
  }
  if (mean != NULL) sg_moved_${word}((const ${type} *)lambda, mean);
}`;
}
