import { cText, type Description } from "./description.ts";
import { signalsOf, trustSizeOf } from "./trust.ts";

/** `surrogate.h`. */
export function headerFile(about: Description): string {
  const { name, species, conditions, latents, members, carry, conserved } = about;
  const isEnsemble = members > 1;
  const upper = name.toUpperCase();
  const carried = carry > 0 ? ", float *carry" : "";
  return `/* A surrogate of a chemical network: ${about.provenance[0]}. What the arrays are stands in README.md.
 * All functions may be called by any number of threads at the same time: they have no state and allocate nothing. */
#ifndef ${upper}_H
#define ${upper}_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ${upper}_SPECIES ${species.length}
#define ${upper}_PARAMETERS ${conditions.length}
#define ${upper}_LATENTS ${latents}${isEnsemble ? ` /* of all members, one after the other */` : ""}
#define ${upper}_MEMBERS ${members}
#define ${upper}_CARRY ${carry}
#define ${upper}_TOTALS ${conserved.names.length}
#define ${upper}_TRUST ${trustSizeOf(about)}

/* What the functions return. */
#define ${upper}_OK 0
#define ${upper}_NULL_ARRAY 1
#define ${upper}_NO_SUCH_INDEX 2
#define ${upper}_BAD_SHAPE 3 /* of the Fortran module */
#define ${upper}_BAD_OPTION 4
#define ${upper}_NOT_CALIBRATED 5 /* the weights hold no calibration: nothing tells an error to expect */

/* Bits of the flags of a cell. */
#define ${upper}_OUT_OF_RANGE 1u /* a condition outside of the trained range */
#define ${upper}_CLIPPED 2u      /* an abundance that was clipped */
#define ${upper}_NOT_FINITE 4u   /* an input that is NaN or infinite; what comes out of that cell means nothing */
#define ${upper}_NOT_CONSERVED 8u /* no positive abundances have the totals: the cell is as it was decoded */

/* The same, from the step on that a trajectory shows what 1 % of the validation's states exceed; with expected errors only. */
${signalsOf(about)
  .map((each) => `#define ${upper}_TRUST_${each.name.toUpperCase()} ${each.bit}u /* ${each.tells} */`)
  .join("\n")}

/* Options of \`emulate\`, a sum; 0: none. */
#define ${upper}_AS_DECODED 1u /* totals are not kept */

/* n cells; the species or latents of a cell lie together: abundances[n][${upper}_SPECIES], latents[n][${upper}_LATENTS].
 * \`flags\` may be NULL; else flags[n] is set. Without cells nothing is read. */
int ${name}_encode(size_t n, const float *abundances, float *latents, uint32_t *flags);

/* Totals of each element and of the charge: totals[n][${upper}_TOTALS]. */
int ${name}_totals(size_t n, const float *abundances, float *totals);

/* With \`totals\` the abundances get them (see \`conserve\`); NULL: they are as decoded.${
    isEnsemble
      ? `\n * They are the mean of the members' logarithms; spread[n], or NULL: how far the members are apart, dex, the standard deviation of log10
 * abundance, its mean over the species whose mean is above 1e-12. */`
      : " */"
  }
int ${name}_decode(size_t n, const float *latents, const float *totals, float *abundances, ${isEnsemble ? "float *spread, " : ""}uint32_t *flags);

/* Gives abundances their totals, in place, to 1e-6: the closest ones in weighted relative entropy, all positive. An element with a total of 0
 * is left alone. correction[n], or NULL: how far the abundances were moved, the mean over the species in dex; infinite where totals cannot be had. */
int ${name}_conserve(size_t n, const float *totals, float *abundances, float *correction, uint32_t *flags);
${
  carry > 0
    ? `
/* What trajectories remember when they start: carry[n][${upper}_CARRY]. */
int ${name}_start(size_t n, const float *latents, float *carry);
`
    : ""
}
/* One step in place: physical[n][${upper}_PARAMETERS] act on latents[n][${upper}_LATENTS]${carry > 0 ? ` and carry[n][${upper}_CARRY]` : ""}. */
int ${name}_step(size_t n, const float *physical, float *latents${carried}, uint32_t *flags);

/* Encodes, steps and decodes, and gives every state the totals of the start: physical[n][steps][${upper}_PARAMETERS], abundances[n][${upper}_SPECIES] of the start,
 * evolved[n][steps][${upper}_SPECIES]; entry t is the state after the conditions of row t have acted for one step.
 * expected_error[n][steps], or NULL: dex, see below; then the flags of a cell have the bits of ${upper}_TRUST_… of its last step, too.${isEnsemble ? " spread[n][steps], or NULL: as `decode` tells it." : ""} */
int ${name}_emulate(size_t n, size_t steps, const float *physical, const float *abundances, unsigned options,
${" ".repeat(name.length + 13)}float *evolved, float *expected_error, ${isEnsemble ? "float *spread, " : ""}uint32_t *flags);

${trustHeader(about)}

/* Names by index from 0; NULL where there is none. */
int ${name}_species_count(void);
const char *${name}_species(int index);
/* The index of a species by its name; -1 where there is none. */
int ${name}_species_index(const char *species);
int ${name}_parameter_count(void);
const char *${name}_parameter(int index);
/* The range outside of which a condition is flagged. */
int ${name}_parameter_range(int index, double *lower, double *upper);
/* Of all members; a cell keeps so many numbers. */
int ${name}_latent_count(void);
int ${name}_member_count(void);
int ${name}_carry_count(void);
/* Elements, then \`charge\` where species are charged. */
int ${name}_total_count(void);
const char *${name}_total(int index);
/* Years of one step; NaN where it varies or is not known. */
double ${name}_step_years(void);
/* A returned number in words. */
const char *${name}_error(int code);

#ifdef __cplusplus
}
#endif

#endif
`;
}

/** What tells how far to believe a state. */
function trustHeader({ name, members, trust }: Description): string {
  const upper = name.toUpperCase();
  const level =
    trust === null
      ? ""
      : ` ${Number((100 * trust.level).toFixed(1))} % of states like those of the training are off by no more.`;
  return `/* How far to believe a state: the error to expect, in dex, the mean of |log10 x - log10 truth| over the species above 1e-12.${level}
 * The formula is that of astrochem's docs/trust.md ("The formula"). Along a trajectory it never falls: trust[n][${upper}_TRUST] remembers what
 * it went through; it is the caller's. expected_error[n] and flags[n] may be NULL.${
   trust === null
     ? `\n * THESE WEIGHTS ARE NOT CALIBRATED: the functions return ${upper}_NOT_CALIBRATED and change nothing.`
     : ""
 }
 * At the start of a trajectory, and where a solver took a cell: the abundances that are encoded. */
int ${name}_trust_begin(size_t n, const float *abundances, float *trust);

/* Before each \`${name}_step\`, with what it is given; tells of the state after it. */
int ${name}_trust_step(size_t n, const float *physical, const float *latents, float *trust, float *expected_error, uint32_t *flags);

/* After \`${name}_conserve\` of the decoded state, where it is called: correction[n] of it${members > 1 ? ", and spread[n] of `decode`, or NULL" : ""}. */
int ${name}_trust_correct(size_t n, const float *correction, ${members > 1 ? "const float *spread, " : ""}float *trust, float *expected_error, uint32_t *flags);

/* The part of states that an expected error covers; NaN where the weights are not calibrated. */
double ${name}_trust_level(void);`;
}

/** The functions that tell of the surrogate. */
export function queries({
  name,
  species,
  conditions,
  latents,
  members,
  carry,
  conserved,
  stepYears,
}: Description): string {
  const upper = name.toUpperCase();
  const list = (names: readonly string[]): string => names.map((each) => `  ${cText(each)}`).join(",\n");
  const number = (value: number): string => value.toExponential();
  return `static const char *const sg_species[] = {
${list(species)}
};

static const char *const sg_parameters[] = {
${list(conditions.map((each) => each.name))}
};

static const double sg_ranges[][2] = {
${conditions.map(({ range }) => `  {${number(range[0])}, ${number(range[1])}}`).join(",\n")}
};

int ${name}_species_count(void)
{
  return ${species.length};
}

const char *${name}_species(int index)
{
  return (index < 0 || index >= ${species.length}) ? NULL : sg_species[index];
}

int ${name}_species_index(const char *species)
{
  if (species == NULL) return -1;
  for (int k = 0; k < ${species.length}; k++) {
    if (strcmp(species, sg_species[k]) == 0) return k;
  }
  return -1;
}

int ${name}_parameter_count(void)
{
  return ${conditions.length};
}

const char *${name}_parameter(int index)
{
  return (index < 0 || index >= ${conditions.length}) ? NULL : sg_parameters[index];
}

int ${name}_parameter_range(int index, double *lower, double *upper)
{
  if (lower == NULL || upper == NULL) return ${upper}_NULL_ARRAY;
  if (index < 0 || index >= ${conditions.length}) return ${upper}_NO_SUCH_INDEX;
  *lower = sg_ranges[index][0];
  *upper = sg_ranges[index][1];
  return ${upper}_OK;
}

int ${name}_latent_count(void)
{
  return ${latents};
}

int ${name}_member_count(void)
{
  return ${members};
}

int ${name}_carry_count(void)
{
  return ${carry};
}

int ${name}_total_count(void)
{
  return ${conserved.names.length};
}

const char *${name}_total(int index)
{
  static const char *const names[] = {${[...conserved.names.map(cText), "NULL"].join(", ")}};
  return (index < 0 || index >= ${conserved.names.length}) ? NULL : names[index];
}

double ${name}_step_years(void)
{
  return ${stepYears === null ? "(double)NAN" : number(stepYears)};
}

const char *${name}_error(int code)
{
  switch (code) {
    case ${upper}_OK:
      return "no error";
    case ${upper}_NULL_ARRAY:
      return "an array is NULL";
    case ${upper}_NO_SUCH_INDEX:
      return "there is nothing with that index";
    case ${upper}_BAD_SHAPE:
      return "an array has another shape than the surrogate or the other arrays";
    case ${upper}_NOT_CALIBRATED:
      return "the weights are not calibrated: run astrochem calibrate, and export again";
    case ${upper}_BAD_OPTION:
      return "an option that there is not";
    default:
      return "not an error of this library";
  }
}
`;
}
