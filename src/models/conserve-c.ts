import { cFloat } from "../backend/c/elementwise.ts";
import { wrapped } from "../backend/c/emit.ts";
import { expReduced } from "../backend/c/prelude.ts";
import type { StepFunction, StepInC } from "../backend/engine.ts";
import { leastWeight, roundedCharge, shareRoots, weightedIterations } from "../chemistry/conservation.ts";
import type { ConservedGroups } from "../chemistry/conserved-groups.ts";

/** What the functions below walk through. */
export function conserveTables({ names, groups, starts, terms, powers }: ConservedGroups): string {
  const held = starts.slice(0, -1).map((from, g) => terms.slice(from, starts[g + 1]).map((term) => powers[term]!));
  const members = held.map((_, g) => groups.flatMap((group, s) => (group === g ? [s] : [])));
  const charge = names.indexOf("charge");
  /** Rows of a sparse matrix, of what each group has. */
  const rows = (of: (group: ConservedGroups["powers"]) => number[]): (readonly [number, number])[][] => {
    const all = held.map(of);
    return all[0]!.map((_, k) => all.flatMap((values, g) => (values[k] === 0 ? [] : [[g, values[k]!] as const])));
  };
  const countsOf = (group: ConservedGroups["powers"]): number[] =>
    names.map((_, k) => group.find(({ total }) => total === k)?.count ?? 0);
  const sums = rows((group) => [...countsOf(group), Math.abs(countsOf(group)[charge] ?? 0)]);
  const products = rows((group) => {
    const counts = countsOf(group);
    return counts.flatMap((count, i) => counts.slice(0, i + 1).map((other) => count * other));
  });
  const ints = (name: string, values: readonly number[]): string =>
    `static const int ${name}[] = {\n${wrapped(values.map(String), 16)}\n};`;
  const listed = (name: string, lists: readonly (readonly (readonly [number, number])[])[]): string => {
    const first = [0];
    for (const { length } of lists) first.push(first.at(-1)! + length);
    const factors = lists.flat().map(([, factor]) => `${factor.toFixed(1)}f`);
    const at = lists.flat().map(([index]) => index);
    return `${ints(`${name}_first`, first)}\n\n${ints(`${name}_at`, at)}\n\nstatic const float ${name}_factor[] = {\n${wrapped(factors, 16)}\n};`;
  };
  return `/* Species in groups of the same atoms and charge: those of group g are sg_members[sg_first[g]] to sg_members[sg_first[g + 1]]. */
${ints(
  "sg_first",
  [0, ...members.keys()].map((_, g) => members.slice(0, g).flat().length),
)}

${ints("sg_members", members.flat())}

/* Rows of sparse matrices: row k has the factors from first[k] to first[k + 1], of the columns \`at\`. A group by the totals of a species of it: */
${listed(
  "sg_group",
  held.map((group) => group.map(({ total, count }) => [total, count] as const)),
)}

/* Totals, and what holds the charge, by groups: */
${listed("sg_sum", sums)}

/* The products of the counts of two totals, below the diagonal of their matrix, by groups: */
${listed("sg_product", products)}`;
}

const lanes = (...lines: string[]): string =>
  lines.length === 1
    ? `for (int l = 0; l < SG_LANES; l++) ${lines[0]}`
    : `for (int l = 0; l < SG_LANES; l++) {\n${lines.map((line) => `      ${line}`).join("\n")}\n    }`;

/** The projection on totals, `Conservation` for a vector of cells at once: `sg_conserve_lanes`. */
export function conserveFunctions(conserved: ConservedGroups): string {
  const [T, S, G] = [conserved.names.length, conserved.groups.length, conserved.starts.length - 1];
  const least = cFloat(Math.fround(leastWeight ** (2 ** shareRoots)));
  return `typedef double sg_doubles[SG_LANES];
/* Where the pair of a total and one up to it lies. */
#define SG_PAIR(i, j) ((i) * ((i) + 1) / 2 + (j))

/* Rows of a sparse matrix times \`of\`. */
static void sg_times(int rows, const int *restrict first, const int *restrict at, const float *restrict factor, const sg_doubles *restrict of, sg_doubles *restrict product)
{
  for (int k = 0; k < rows; k++) {
    double sum[SG_LANES] = {0.0};
    for (int e = first[k]; e < first[k + 1]; e++) {
      const double by = (double)factor[e];
      const double *restrict column = of[at[e]];
      ${lanes("sum[l] += by * column[l];")}
    }
    memcpy(product[k], sum, sizeof sum);
  }
}

/* Totals of abundances in groups, and last what holds the charge. */
static void sg_sums(const float *restrict value, sg_doubles *restrict sum)
{
  sg_doubles amount[${G}];
  for (int g = 0; g < ${G}; g++) {
    ${lanes("amount[g][l] = 0.0;")}
    for (int i = sg_first[g]; i < sg_first[g + 1]; i++) {
      ${lanes("amount[g][l] += (double)value[i * SG_LANES + l];")}
    }
  }
  sg_times(${T + 1}, sg_sum_first, sg_sum_at, sg_sum_factor, (const sg_doubles *)amount, sum);
}

${matrixFunctions(T)}

/* Counts of a group times what \`of\` says of each total. */
static inline sg_vector sg_along(int g, const float *restrict of)
{
  sg_vector sum = SG_ALL(0.0f);
  for (int e = sg_group_first[g]; e < sg_group_first[g + 1]; e++) sum += sg_group_factor[e] * SG_LOAD(of + sg_group_at[e] * SG_LANES);
  return sum;
}

/* The weights of species: the share in what they are made of, added up, and its root. */
static void sg_weigh(const float *restrict value, const float *restrict per_total, float *restrict weight)
{
  for (int g = 0; g < ${G}; g++) {
    sg_vector share = SG_ALL(0.0f);
    for (int e = sg_group_first[g]; e < sg_group_first[g + 1]; e++) {
      share += ((sg_group_factor[e] < 0.0f) ? -sg_group_factor[e] : sg_group_factor[e]) * SG_LOAD(per_total + sg_group_at[e] * SG_LANES);
    }
    for (int i = sg_first[g] * SG_LANES; i < sg_first[g + 1] * SG_LANES; i += SG_LANES) {
      const sg_vector size = SG_LOAD(value + i) * share, x = SG_PICK(size > ${least}, size, SG_ALL(${least}));
      /* 1 / root by Newton's method from its bits. */
      sg_vector z = sg_float(0x47692061u - (sg_bits(x) >> 3));
      for (int turn = 0; turn < 2; turn++) {
        const sg_vector z2 = z * z, z4 = z2 * z2, off = 1.0f - x * (z4 * z4);
        z += z * off * (0.125f + off * 0.0703125f);
      }
      const sg_vector z2 = z * z;
      SG_STORE(weight + i, x * (z2 * z2 * z2 * z));
    }
  }
}

static inline void sg_widen(sg_vector x, double *restrict wide)
{
  float each[SG_LANES];
  SG_STORE(each, x);
  ${lanes("wide[l] = (double)each[l];")}
}

/* Of each group: what it holds, weighed, and its largest weight. */
static void sg_hold(const float *restrict value, const float *restrict weight, sg_doubles *restrict held, float *restrict most)
{
  for (int g = 0; g < ${G}; g++) {
    sg_vector weighed = SG_ALL(0.0f), largest = weighed;
    for (int i = sg_first[g] * SG_LANES; i < sg_first[g + 1] * SG_LANES; i += SG_LANES) {
      const sg_vector w = SG_LOAD(weight + i);
      weighed += w * SG_LOAD(value + i);
      largest = SG_PICK(w > largest, w, largest);
    }
    sg_widen(weighed, held[g]);
    SG_STORE(most + g * SG_LANES, largest);
  }
}

/* The largest size of a move of any species. */
static void sg_furthest(const float *restrict step, const float *restrict most, float *restrict furthest)
{
  sg_vector far = SG_ALL(0.0f);
  for (int g = 0; g < ${G}; g++) {
    const sg_vector size = sg_abs(sg_along(g, step)) * SG_LOAD(most + g * SG_LANES);
    far = SG_PICK(size > far, size, far);
  }
  SG_STORE(furthest, far);
}

/* x exp(w A step), where no power is beyond 2: x, what groups hold weighed, and by how much the totals change. */
static void sg_grow(const float *restrict step, const float *restrict weight, float *restrict value, sg_doubles *restrict held, sg_doubles *restrict sum)
{
  sg_doubles amount[${G}], change[${T + 1}];
  for (int g = 0; g < ${G}; g++) {
    const sg_vector move = sg_along(g, step);
    sg_vector changed = SG_ALL(0.0f), weighed = changed;
    for (int i = sg_first[g] * SG_LANES; i < sg_first[g + 1] * SG_LANES; i += SG_LANES) {
      const sg_vector x = SG_LOAD(value + i), w = SG_LOAD(weight + i), y = w * move;
${expReduced("y", "      ")}
      p = p * r * r + r;
      const sg_vector power = sg_float((sg_bits(shifted) << 23) + 0x3f800000u);
      const sg_vector grown = x * (p * power + power);
      SG_STORE(value + i, grown);
      weighed += w * grown;
      changed += x * (p * power + (power - 1.0f));
    }
    sg_widen(weighed, held[g]);
    sg_widen(changed, amount[g]);
  }
  sg_times(${T + 1}, sg_sum_first, sg_sum_at, sg_sum_factor, (const sg_doubles *)amount, change);
  for (int k = 0; k <= ${T}; k++) {
    ${lanes("sum[k][l] += change[k][l];")}
  }
}

/* The mean size of w A lambda over the species. */
static void sg_moved(const float *restrict lambda, const float *restrict weight, double *restrict mean)
{
  float sizes[SG_LANES];
  sg_vector sum = SG_ALL(0.0f);
  for (int g = 0; g < ${G}; g++) {
    sg_vector weights = SG_ALL(0.0f);
    for (int i = sg_first[g] * SG_LANES; i < sg_first[g + 1] * SG_LANES; i += SG_LANES) weights += SG_LOAD(weight + i);
    sum += sg_abs(sg_along(g, lambda)) * weights;
  }
  SG_STORE(sizes, sum);
  ${lanes(`mean[l] = (double)sizes[l] / ${S}.0;`)}
}

${projection(conserved)}`;
}

/** Totals of abundances that are clipped first: `sg_totals_lanes`. It needs the functions of `conserveFunctions`. */
export function totalsFunction(
  conserved: ConservedGroups,
  clipping: { readonly lower: number; readonly upper: number },
): string {
  const [T, S] = [conserved.names.length, conserved.groups.length];
  const charge = conserved.names.indexOf("charge");
  const [low, high] = [cFloat(clipping.lower), cFloat(clipping.upper)];
  return `/* Of SG_LANES cells, clipped as \`encode\` does it: x[species][stride] -> totals[total][stride]. A net charge that is rounding is 0. */
static void sg_totals_lanes(size_t stride, const float *restrict x, float *restrict totals)
{
  float value[${S} * SG_LANES];
  sg_doubles sum[${T + 1}];
  for (int i = 0; i < ${S}; i++) {
    ${lanes(
      "const float v = x[(size_t)sg_members[i] * stride + (size_t)l];",
      `const float raised = (v < ${low}) ? ${low} : v;`,
      `value[i * SG_LANES + l] = (raised > ${high}) ? ${high} : raised;`,
    )}
  }
  sg_sums(value, sum);
  for (int k = 0; k < ${T}; k++) {
    ${lanes(`totals[(size_t)k * stride + (size_t)l] = (k == ${charge} && fabs(sum[k][l]) <= ${roundedCharge} * sum[${T}][l]) ? 0.0f : (float)sum[k][l];`)}
  }
}`;
}

/** Newton's matrix, its factor and what it solves, in float64. */
function matrixFunctions(T: number): string {
  return `/* Of the matrix m, [total][other up to it], L D Lt, below the diagonal L D; a pivot of what follows from other totals is left out. */
static void sg_factor(const sg_doubles *restrict asked, sg_doubles *restrict m, sg_doubles *restrict inverse)
{
  sg_doubles size[${T}];
  for (int k = 0; k < ${T}; k++) memcpy(size[k], m[SG_PAIR(k, k)], sizeof size[k]);
  for (int j = 0; j < ${T}; j++) {
    const double *restrict diagonal = m[SG_PAIR(j, j)];
    ${lanes("const double pivot = asked[j][l] / diagonal[l];", "inverse[j][l] = (diagonal[l] > 1e-9 * size[j][l]) ? pivot : 0.0;")}
    for (int i = j + 1; i < ${T}; i++) {
      double below[SG_LANES];
      ${lanes("below[l] = m[SG_PAIR(i, j)][l] * inverse[j][l];")}
      for (int k = j + 1; k <= i; k++) {
        ${lanes("m[SG_PAIR(i, k)][l] -= below[l] * m[SG_PAIR(k, j)][l];")}
      }
    }
  }
}

static void sg_solve(const sg_doubles *restrict m, const sg_doubles *restrict inverse, sg_doubles *restrict y)
{
  for (int i = 0; i < ${T}; i++) {
    for (int k = 0; k < i; k++) {
      ${lanes("y[i][l] -= m[SG_PAIR(i, k)][l] * inverse[k][l] * y[k][l];")}
    }
  }
  for (int i = ${T - 1}; i >= 0; i--) {
    ${lanes("y[i][l] *= inverse[i][l];")}
    for (int k = i + 1; k < ${T}; k++) {
      ${lanes("y[i][l] -= m[SG_PAIR(k, i)][l] * inverse[i][l] * y[k][l];")}
    }
  }
}`;
}

function projection({ names, groups, starts }: ConservedGroups): string {
  const [T, S, G] = [names.length, groups.length, starts.length - 1];
  const charge = names.indexOf("charge");
  return `/* Gives SG_LANES cells their totals: of all positive abundances with them, those closest to x[species][stride] in weighted relative entropy,
 * x exp(w A lambda), by Newton's method. The weight w of a species grows with its share in its totals; from afar, after some iterations, all
 * are 1. A total of 0 is not asked for, that of the charge is always. A cell whose totals cannot be had stays as it is.
 * Abundances are float32, totals and Newton's matrix float64: small steps add up how much abundances change, so that what is left of
 * a total is known to more digits than they have.
 * residual: what is left, relative to what holds an element; mean, or NULL: the mean change of the abundances, as a power of e. */
static void sg_conserve_lanes(size_t stride, const float *restrict totals, float *restrict x, double *restrict residual,
                        double *restrict mean)
{
  float value[${S} * SG_LANES], weight[${S} * SG_LANES], most[${G} * SG_LANES];
  float step[${T} * SG_LANES], lambda[${T} * SG_LANES], furthest[SG_LANES];
  sg_doubles held[${G}], sum[${T + 1}], exact[${T + 1}], asked[${T}], missing[${T}], m[${(T * (T + 1)) / 2}], inverse[${T}];
  double open[SG_LANES];
  memset(lambda, 0, sizeof lambda);
  ${lanes("open[l] = 1.0;")}
  for (int i = 0; i < ${S}; i++) {
    memcpy(value + i * SG_LANES, x + (size_t)sg_members[i] * stride, SG_LANES * sizeof(float));
  }
  sg_sums(value, sum);
  for (int iteration = 0; ; iteration++) {
    int is_met = 1, is_far = 0;
    ${lanes("residual[l] = (open[l] > 0.0) ? 0.0 : residual[l];")}
    for (int k = 0; k < ${T}; k++) {
      const double *holder = sum[(k == ${charge}) ? ${T} : k];
      ${lanes(
        "const double wanted = (double)totals[(size_t)k * stride + (size_t)l];",
        `if (iteration == 0) asked[k][l] = (holder[l] > 0.0 && (k == ${charge} || wanted > 0.0)) ? 1.0 : 0.0;`,
        "missing[k][l] = (asked[k][l] > 0.0) ? wanted - sum[k][l] : 0.0;",
        "const double ratio = fabs(missing[k][l]) / holder[l];",
        "const double relative = (asked[k][l] > 0.0 && open[l] > 0.0) ? ratio : 0.0;",
        "residual[l] = (relative > residual[l] || !(relative >= 0.0)) ? relative : residual[l];",
      )}
    }
    for (int l = 0; l < SG_LANES; l++) {
      if (!(residual[l] > ((iteration == ${weightedIterations}) ? 1e-10 : 1e-7))) open[l] = 0.0;
      is_met = is_met && open[l] == 0.0;
    }
    if (is_met || iteration == 99) {
      if (iteration == 0) memset(weight, 0, sizeof weight);
      break;
    }
    if (iteration == 0) {
      float per_total[${T} * SG_LANES];
      for (int k = 0; k < ${T}; k++) {
        const double *holder = sum[(k == ${charge}) ? ${T} : k];
        ${lanes("const double per = 1.0 / holder[l];", "per_total[k * SG_LANES + l] = (asked[k][l] > 0.0) ? (float)per : 0.0f;")}
      }
      sg_weigh(value, per_total, weight);
      sg_hold(value, weight, held, most);
    } else if (iteration == ${weightedIterations}) {
      for (int i = 0; i < ${S}; i++) {
        const float *given = x + (size_t)sg_members[i] * stride;
        ${lanes(
          "value[i * SG_LANES + l] = (open[l] > 0.0) ? given[l] : value[i * SG_LANES + l];",
          "weight[i * SG_LANES + l] = (open[l] > 0.0) ? 1.0f : weight[i * SG_LANES + l];",
        )}
      }
      for (int k = 0; k < ${T}; k++) {
        ${lanes("lambda[k * SG_LANES + l] *= (open[l] > 0.0) ? 0.0f : 1.0f;")}
      }
      sg_hold(value, weight, held, most);
      sg_sums(value, sum);
      continue;
    }
    sg_times(${(T * (T + 1)) / 2}, sg_product_first, sg_product_at, sg_product_factor, (const sg_doubles *)held, m);
    sg_factor((const sg_doubles *)asked, m, inverse);
    sg_solve((const sg_doubles *)m, (const sg_doubles *)inverse, missing);
    for (int k = 0; k < ${T}; k++) {
      ${lanes("step[k * SG_LANES + l] = (open[l] > 0.0) ? (float)missing[k][l] : 0.0f;")}
    }
    sg_furthest(step, most, furthest);
    for (int k = 0; k < ${T}; k++) {
      ${lanes(
        "const float cut = 2.0f / furthest[l];",
        "step[k * SG_LANES + l] *= (furthest[l] > 2.0f) ? cut : 1.0f;",
        "lambda[k * SG_LANES + l] += step[k * SG_LANES + l];",
      )}
    }
    sg_grow(step, weight, value, held, sum);
    for (int l = 0; l < SG_LANES; l++) is_far = is_far || furthest[l] > 0.05f;
    if (is_far) {
      sg_sums(value, exact);
      for (int k = 0; k <= ${T}; k++) {
        ${lanes("sum[k][l] = (furthest[l] > 0.05f) ? exact[k][l] : sum[k][l];")}
      }
    }
  }
  for (int i = 0; i < ${S}; i++) {
    float *at = x + (size_t)sg_members[i] * stride;
    ${lanes(
      "const float found = value[i * SG_LANES + l];",
      "const float least = (found < 0x1p-126f && at[l] >= 0x1p-126f) ? 0x1p-126f : found;",
      "at[l] = (residual[l] <= 1e-6) ? least : at[l];",
    )}
  }
  if (mean != NULL) sg_moved(lambda, weight, mean);
}`;
}

/** The projection after a decoding, as engines that write C do it. */
export function conservingC(conserved: ConservedGroups, step: StepFunction): StepInC {
  const text = () => `${conserveTables(conserved)}

${conserveFunctions(conserved)}

static void sg_finish(size_t stride, const float *totals, float *abundances, float *correction, float *residual)
{
  double left[SG_LANES], mean[SG_LANES];
  sg_conserve_lanes(stride, totals, abundances, left, mean);
  for (int l = 0; l < SG_LANES; l++) {
    correction[l] = (float)(${Math.LOG10E} * mean[l]);
    residual[l] = (float)left[l];
  }
}`;
  const made = ["correction", "residual"];
  // A microsecond for some 300 species, as measured.
  return { step, taken: "totals", changed: "abundances", made, text, work: 200 * conserved.groups.length };
}
