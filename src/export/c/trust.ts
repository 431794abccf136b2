import { cFloat } from "../../backend/c/elementwise.ts";
import { wrapped } from "../../backend/c/emit.ts";
import type { ConservedGroups } from "../../chemistry/conserved-groups.ts";
import { excessWeights, mostError, trustSignals } from "../../models/trust.ts";
import type { Description } from "./description.ts";

/** Numbers of a trajectory that its expected error is made of: largest distance, start, largest correction (dex), steps, 1 once conditions were outside, of an ensemble its largest spread. */
export const trustSizeOf = ({ members }: Pick<Description, "members">): number => (members > 1 ? 6 : 5);

/** What the bits of `trustFlags` are multiplied by, beyond the other flags of a cell. */
export const trustBit = 256;

/** The signals that exported source has, and their bits. */
export const signalsOf = ({ members }: Pick<Description, "members">) =>
  trustSignals
    .filter(({ name }) => name !== "time_step" && (name !== "spread" || members > 1))
    .map(({ name, bit, tells }) => ({ name, bit: bit * trustBit, tells }));

const number = (value: number): string => {
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
};

/** The formula of docs/trust.md for one cell; nothing where the weights are not calibrated. */
export function trustFunctions({ name, members, conserved, trust, totalsOfStarts }: Description): string {
  if (trust === null) return "";
  const upper = name.toUpperCase();
  const { reference, intercept, slope, ignorance, steps } = trust;
  const excess = (at: number, signal: "start" | "correction" | "spread"): string =>
    reference[signal] === undefined
      ? ""
      : `  if ((double)trust[${at}] > ${number(reference[signal])}) {
    *flags |= ${upper}_TRUST_${signal.toUpperCase()};
    error += ${number(excessWeights[signal])} * ((double)trust[${at}] - ${number(reference[signal])});
  }
`;
  return `static void sg_distances(size_t n, const float *physical, const float *latents, float *distance);

${startDistance(conserved, totalsOfStarts)}

/* What a cell sees before a step. A distance that is no number is far from everything. */
static void sg_trust_see(float *trust, const float *physical, float distance)
{
  if (!(distance <= trust[0])) trust[0] = (distance >= 0.0f) ? distance : INFINITY;
  trust[3] += 1.0f;
  if (sg_flags_of_physical(physical) != 0u) trust[4] = 1.0f;
}

static void sg_trust_correct(float *trust, float correction)
{
  if (!(correction <= trust[2])) trust[2] = (correction >= 0.0f) ? correction : INFINITY;
}

${
  members > 1
    ? `static void sg_trust_spread(float *trust, float spread)
{
  if (!(spread <= trust[5])) trust[5] = (spread >= 0.0f) ? spread : INFINITY;
}

`
    : ""
}/* dex; adds to the flags what it is for. */
static float sg_trust_error(const float *trust, uint32_t *flags)
{
  const double ratio = (double)trust[0] / ${number(reference.distance)};
  const double length = (double)trust[3] / ${number(steps)};
  double error = (${number(intercept)} + ${number(slope)} * ((ratio < 1.0) ? ratio : 1.0)) * ((length > 1.0) ? length : 1.0);
  if (trust[4] > 0.0f) *flags |= ${upper}_TRUST_CONDITIONS;
  if (length > 1.0) *flags |= ${upper}_TRUST_LENGTH;
  if (ratio > 1.0) {
    *flags |= ${upper}_TRUST_DISTANCE;
    error += ${number(ignorance)} * (ratio - 1.0);
  }
${excess(1, "start")}${excess(2, "correction")}${members > 1 ? excess(5, "spread") : ""}  return (error < ${number(mostError)}) ? (float)error : ${number(mostError)}f;
}

static void sg_trust_tell(const float *trust, float *expected_error, uint32_t *flags)
{
  uint32_t told = 0u;
  const float error = sg_trust_error(trust, &told);
  if (expected_error != NULL) *expected_error = error;
  if (flags != NULL) *flags = told;
}`;
}

/** Distances of some cells, whatever their number. */
function distances(P: number, L: number): string {
  return `/* The nearest of the stored rows to conditions and the latents that they act on, of up to SG_BLOCK cells. */
static void sg_distances(size_t n, const float *physical, const float *latents, float *distance)
{
  if (n > SG_NARROW) {
    sg_distance_rows_block(n, physical, latents, distance);
  } else if (n >= SG_FEW) {
    sg_distance_rows_narrow(n, physical, latents, distance);
  } else {
    for (size_t i = 0; i < n; i++) sg_distance_rows_one(physical + i * ${P}, latents + i * ${L}, distance + i);
  }
}`;
}

/** Of the elements' totals, not clipped, from the nearest start of the training. */
function startDistance({ names, starts: { length } }: ConservedGroups, starts: ArrayLike<number>): string {
  const G = length - 1;
  const elements = names.filter((each) => each !== "charge").length;
  if (elements === 0 || starts.length === 0) {
    return `static float sg_start_distance(const float *x)
{
  (void)x;
  return 0.0f;
}`;
  }
  return `static const float sg_training_starts[] = {
${wrapped(Array.from(starts, cFloat))}
};

static float sg_start_distance(const float *x)
{
  double sum[${names.length}] = {0.0}, least = (double)INFINITY;
  for (int g = 0; g < ${G}; g++) {
    double amount = 0.0;
    for (int i = sg_first[g]; i < sg_first[g + 1]; i++) amount += (double)x[sg_members[i]];
    for (int e = sg_group_first[g]; e < sg_group_first[g + 1]; e++) sum[sg_group_at[e]] += (double)sg_group_factor[e] * amount;
  }
  for (int k = 0; k < ${elements}; k++) {
    if (!isfinite(sum[k])) return INFINITY;
    sum[k] = log10((sum[k] > 1e-20) ? sum[k] : 1e-20);
  }
  for (int m = 0; m < ${starts.length / elements}; m++) {
    double largest = 0.0;
    for (int k = 0; k < ${elements}; k++) {
      const double off = fabs((double)sg_training_starts[m * ${elements} + k] - sum[k]);
      if (off > largest) largest = off;
    }
    if (largest < least) least = largest;
  }
  return (float)least;
}`;
}

/** The functions of the header; they return an error's number where the weights are not calibrated. */
export function publicTrust(about: Description): string {
  const { name, species, conditions, latents, members, trust } = about;
  const trustSize = trustSizeOf(about);
  const upper = name.toUpperCase();
  const [S, P, L] = [species.length, conditions.length, latents];
  const heads = {
    begin: "size_t n, const float *abundances, float *trust",
    step: "size_t n, const float *physical, const float *latents, float *trust, float *expected_error, uint32_t *flags",
    correct: `size_t n, const float *correction, ${members > 1 ? "const float *spread, " : ""}float *trust, float *expected_error, uint32_t *flags`,
  };
  const level = `double ${name}_trust_level(void)
{
  return ${trust === null ? "(double)NAN" : number(trust.level)};
}`;
  const made = (word: keyof typeof heads, body: string): string =>
    `int ${name}_trust_${word}(${heads[word]})\n{\n${body}}`;
  if (trust === null) {
    const bodies = Object.entries(heads).map(([word, head]) => {
      const unused = [...head.matchAll(/\w+(?=,|$)/g)].map(([each]) => `(void)${each}`).join(", ");
      return made(word as keyof typeof heads, `  ${unused};\n  return ${upper}_NOT_CALIBRATED;\n`);
    });
    return [...bodies, level].join("\n\n");
  }
  const needed = (...arrays: string[]): string =>
    `  if (n == 0) return ${upper}_OK;
  if (${arrays.map((each) => `${each} == NULL`).join(" || ")}) return ${upper}_NULL_ARRAY;\n`;
  const told = (at: string): string =>
    `sg_trust_tell(trust + (${at}) * ${trustSize}, (expected_error == NULL) ? NULL : expected_error + ${at}, (flags == NULL) ? NULL : flags + ${at});`;
  return [
    distances(P, L),
    made(
      "begin",
      `${needed("abundances", "trust")}  memset(trust, 0, n * ${trustSize} * sizeof(float));
  for (size_t i = 0; i < n; i++) trust[i * ${trustSize} + 1] = sg_start_distance(abundances + i * ${S});
  return ${upper}_OK;
`,
    ),
    made(
      "step",
      `${needed("physical", "latents", "trust")}  for (size_t cell = 0; cell < n; cell += SG_BLOCK) {
    const size_t cells = (n - cell < SG_BLOCK) ? n - cell : SG_BLOCK;
    float distance[SG_BLOCK];
    sg_distances(cells, physical + cell * ${P}, latents + cell * ${L}, distance);
    for (size_t i = 0; i < cells; i++) {
      sg_trust_see(trust + (cell + i) * ${trustSize}, physical + (cell + i) * ${P}, distance[i]);
      ${told("cell + i")}
    }
  }
  return ${upper}_OK;
`,
    ),
    made(
      "correct",
      `${needed("correction", "trust")}  for (size_t i = 0; i < n; i++) {
    sg_trust_correct(trust + i * ${trustSize}, correction[i]);
${members > 1 ? `    if (spread != NULL) sg_trust_spread(trust + i * ${trustSize}, spread[i]);\n` : ""}    ${told("i")}
  }
  return ${upper}_OK;
`,
    ),
    level,
  ].join("\n\n");
}
