import { cFloat } from "../../backend/c/elementwise.ts";
import type { Description } from "./description.ts";
import { publicTrust } from "./trust.ts";

/** The functions of the header that compute. */
export function publicFunctions(about: Description): string {
  const { name, species, conditions, latents, members, carry, conserved, clipping, trust } = about;
  const spread = (size: string | number): (readonly [string, string | number, "?"])[] =>
    members > 1 ? [["spread", size, "?"]] : [];
  const spreadOut = members > 1 ? "float *spread, " : "";
  const upper = name.toUpperCase();
  const [S, P, L, T] = [species.length, conditions.length, latents, conserved.names.length];
  /** @param arrays  name, its numbers a cell, and `?` where it may be NULL */
  const made = (
    word: string,
    head: string,
    arrays: readonly (readonly [string, string | number, "?"?])[],
    { before = "", told = "", changes = "", first = "" } = {},
  ): string => {
    const rows = arrays.map(([array, size, optional]) => {
      if (array === "NULL") return array;
      const place = `${array} + cell * ${size}`;
      return optional ? `(${array} == NULL) ? NULL : ${place}` : place;
    });
    const needed = arrays.filter(([, , optional]) => !optional).map(([array]) => `${array} == NULL`);
    return `int ${name}_${word}(size_t n, ${head})
{
  size_t cell = 0;
${before}  if (n == 0) return ${upper}_OK;
  if (${needed.join(" || ")}) return ${upper}_NULL_ARRAY;
${told && `  if (flags != NULL) {\n    for (size_t i = 0; i < n; i++) ${told}\n  }\n`}${changes}  while (n - cell > SG_NARROW) {
    const size_t cells = (n - cell < SG_BLOCK) ? n - cell : SG_BLOCK;
    sg_${word}_rows_block(cells, ${first}${rows.join(", ")});
    cell += cells;
  }
  if (n - cell >= SG_FEW) {
    sg_${word}_rows_narrow(n - cell, ${first}${rows.join(", ")});
    cell = n;
  }
  for (; cell < n; cell++) sg_${word}_rows_one(${first}${rows.join(", ")});
  return ${upper}_OK;
}`;
  };
  const [carried, carriedRows] = carry > 0 ? [", float *carry", [["carry", carry] as const]] : ["", []];
  const flags = ["flags", 1, "?"] as const;
  const ofTotals = T > 0 ? ` | ((totals == NULL) ? 0u : sg_not_finite(${T}, totals + i * ${T}))` : "";
  return [
    made(
      "encode",
      "const float *abundances, float *latents, uint32_t *flags",
      [
        ["abundances", S],
        ["latents", L],
      ],
      { told: `flags[i] = sg_flags_of_abundances(abundances + i * ${S});` },
    ),
    made(
      "decode",
      `const float *latents, const float *totals, float *abundances, ${spreadOut}uint32_t *flags`,
      [["latents", L], ["totals", T, "?"], ["abundances", S], ["NULL", 0, "?"], ...spread(1), flags],
      { told: `flags[i] = sg_not_finite(${L}, latents + i * ${L})${ofTotals};` },
    ),
    ...(T > 0
      ? [
          made("totals", "const float *abundances, float *totals", [
            ["abundances", S],
            ["totals", T],
          ]),
          made(
            "conserve",
            "const float *totals, float *abundances, float *correction, uint32_t *flags",
            [["totals", T], ["abundances", S], ["correction", 1, "?"], flags],
            {
              told: `flags[i] = sg_not_finite(${S}, abundances + i * ${S})${ofTotals};`,
              changes: raised(S, upper, clipping.lower),
            },
          ),
        ]
      : [nothingToKeep(name)]),
    ...(carry > 0
      ? [
          made("start", "const float *latents, float *carry", [
            ["latents", L],
            ["carry", carry],
          ]),
        ]
      : []),
    made(
      "step",
      `const float *physical, float *latents${carried}, uint32_t *flags`,
      [["physical", P], ["latents", L], ...carriedRows],
      { told: `flags[i] = sg_flags_of_physical(physical + i * ${P}) | sg_not_finite(${L}, latents + i * ${L});` },
    ),
    made(
      "emulate",
      `size_t steps, const float *physical, const float *abundances, unsigned options, float *evolved, float *expected_error, ${spreadOut}uint32_t *flags`,
      [
        ["physical", `steps * ${P}`],
        ["abundances", S],
        ["evolved", `steps * ${S}`],
        ["expected_error", "steps", "?"],
        ...spread("steps"),
        flags,
      ],
      {
        before: `  const int is_kept = !(options & ${upper}_AS_DECODED);\n  if (options & ~${upper}_AS_DECODED) return ${upper}_BAD_OPTION;\n${trust === null ? `  if (expected_error != NULL) return ${upper}_NOT_CALIBRATED;\n` : ""}`,
        told: `{
      flags[i] = sg_flags_of_abundances(abundances + i * ${S});
      for (size_t t = 0; t < steps; t++) flags[i] |= sg_flags_of_physical(physical + (i * steps + t) * ${P});
    }`,
        first: "steps, is_kept, ",
      },
    ),
    publicTrust(about),
  ].join("\n\n");
}

/** What cannot be scaled to anything else. */
function raised(species: number, upper: string, lower: number): string {
  return `  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < ${species}; k++) {
      if (abundances[i * ${species} + k] < 0.0f) {
        abundances[i * ${species} + k] = ${cFloat(lower)};
        if (flags != NULL) flags[i] |= ${upper}_CLIPPED;
      }
    }
  }
`;
}

/** Where no species has a formula. */
function nothingToKeep(name: string): string {
  const upper = name.toUpperCase();
  return `int ${name}_totals(size_t n, const float *abundances, float *totals)
{
  (void)n, (void)abundances, (void)totals;
  return ${upper}_OK;
}

int ${name}_conserve(size_t n, const float *totals, float *abundances, float *correction, uint32_t *flags)
{
  (void)totals, (void)abundances;
  for (size_t i = 0; i < n; i++) {
    if (correction != NULL) correction[i] = 0.0f;
    if (flags != NULL) flags[i] = 0u;
  }
  return ${upper}_OK;
}`;
}
