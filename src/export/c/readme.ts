import type { Description } from "./description.ts";
import { signalsOf } from "./trust.ts";

/** `README.md`. */
export function readmeFile(about: Description): string {
  const { name, species, conditions, latents, members, carry, clipping, stepYears, conserved } = about;
  const upper = name.toUpperCase();
  const years =
    stepYears === null ? "not fixed: it is one of the conditions, or the weights do not know it" : `${stepYears} yr`;
  const example = about.carry > 0 ? ", memory" : "";
  return `# ${name}: a surrogate of a chemical network in C99 and Fortran 2003

${about.provenance.map((line) => `- ${line}`).join("\n")}

\`${name}.c\` holds the weights and needs nothing but libm. \`make\` builds \`lib${name}.a\`; \`make check\` compares it, and
the Fortran module, with results of the program that wrote it, to 1e-5 in scaled units (one unit of an abundance is the
whole range of ${clipping.lower} to ${clipping.upper} in decades).

## Arrays

Single precision; a cell is a place in a simulation. In C the last index runs over what belongs to a cell
(\`abundances[n][${species.length}]\`), in Fortran the first (\`abundances(${species.length}, n)\`): the same memory.

| array | C | what |
|---|---|---|
| \`abundances\` | \`[n][${upper}_SPECIES]\` | linear, relative to hydrogen nuclei; clipped to ${clipping.lower} to ${clipping.upper} |
| \`physical\` | \`[n][${upper}_PARAMETERS]\` | conditions in the units of the table below |
| \`latents\` | \`[n][${upper}_LATENTS]\` | ${members > 1 ? `${members} x ${latents / members} numbers: the members of an ensemble, one after the other; each stands for the ${species.length} abundances by itself` : `the ${latents} numbers that stand for the ${species.length} abundances`} |
${carry > 0 ? `| \`carry\` | \`[n][${upper}_CARRY]\` | what the model remembers beside its latents: made by \`${name}_start\`, changed by \`${name}_step\` |\n` : ""}| \`totals\` | \`[n][${upper}_TOTALS]\` | ${conserved.names.length > 0 ? conserved.names.join(", ") : "none: no species has a formula"} |

A step is ${years}. Each step takes the conditions of its beginning.

| condition | lowest | highest | range |
|---|---|---|---|
${conditions.map(({ name: of, range, known }) => `| ${of} | ${range[0]} | ${range[1]} | ${known ? "of the training rows" : "of the configuration"} |`).join("\n")}

Units are those of the training data: cm^-3 for densities, Habing for radiation, mag for extinction, K for
temperatures, years for time steps.

## Functions

\`${name}.h\` lists them. They return \`${upper}_OK\` (0) or an error's number, and never abort. \`${name}_emulate\` encodes,
steps and decodes; with \`${name}_encode\`, \`${name}_step\` and \`${name}_decode\` a program keeps the latents of its cells and
decodes where it wants abundances.${
    members > 1
      ? `

This is an ensemble of ${members} emulators (\`${upper}_MEMBERS\`). Each steps its own latents, and a cell keeps those of all: encoding gives each the same.
Abundances are the mean of the members' logarithms; \`spread\`, an argument of \`${name}_decode\` and \`${name}_emulate\` that may be \`NULL\` (Fortran:
left out), is how far they are apart, in dex. It goes into the error to expect: give it to \`${name}_trust_correct\`.`
      : ""
  }

\`\`\`c
#include "${name}.h"
static float latents[CELLS * ${upper}_LATENTS], abundances[CELLS * ${upper}_SPECIES], physical[CELLS * ${upper}_PARAMETERS];
uint32_t flags[CELLS];
${name}_encode(CELLS, abundances, latents, NULL);${carry > 0 ? `\nstatic float memory[CELLS * ${upper}_CARRY];\n${name}_start(CELLS, latents, memory);` : ""}
for (int t = 0; t < steps; t++) ${name}_step(CELLS, physical, latents${example}, flags); /* physical of each step */
${name}_decode(CELLS, latents, NULL, abundances, ${members > 1 ? "NULL, " : ""}NULL);
\`\`\`

\`\`\`fortran
use ${name}
real(${name}_real) :: abundances(${name}_species, cells), latents(${name}_latents, cells)
real(${name}_real) :: physical(${name}_parameters, cells)
integer(${name}_flag) :: flags(cells)
integer :: status
call ${name}_encode(abundances, latents, status=status)${carry > 0 ? `\ncall ${name}_start(latents, memory) ! memory(${name}_carry, cells)` : ""}
call ${name}_step(physical, latents${example}, flags, status)
call ${name}_decode(latents, abundances) ! totals=totals: with these totals
\`\`\`

## Totals of elements and charge

\`${name}_emulate\` gives every state the totals of its start, to 1e-6 (\`${upper}_AS_DECODED\`, in Fortran
\`conserve=.false.\`: not). Programs that step themselves take \`${name}_totals\` of the start (Fortran: \`${name}_totals_of\`), or
totals of their own, and give them to \`${name}_decode\`. \`${name}_conserve\` gives them to any abundances in place, such
as advected ones, and says how large the mean change was, in dex. Of all positive abundances with those totals it
takes the closest in weighted relative entropy. An element with a total of 0 is left alone.

Double precision is converted by \`real(x, ${name}_real)\`. Sections of arrays that are not contiguous are copied.

Each call may tell a number for each cell, or not (\`NULL\` in C, left out in Fortran):

| bit | C | what |
|---|---|---|
| 1 | \`${upper}_OUT_OF_RANGE\` | a condition outside of its range: the surrogate extrapolates |
| 2 | \`${upper}_CLIPPED\` | an abundance was outside of ${clipping.lower} to ${clipping.upper}, and was clipped |
| 4 | \`${upper}_NOT_FINITE\` | an input was NaN or infinite: what comes out of that cell means nothing |
| 8 | \`${upper}_NOT_CONSERVED\` | no positive abundances have the totals: the cell is as it was decoded |

## Threads, speed, linking

No function has a state or allocates (the Fortran module allocates where it hands out flags): call them from as many
threads as you like, each on cells of its own, e.g. in an \`omp parallel do\` over blocks of cells. They need some hundred kB of stack a thread
(\`OMP_STACKSIZE\`). Cells are computed in blocks (\`SG_BLOCK\`: two vectors, 32 cells with AVX-512, 16 with AVX; a few cells one by one):
give many cells a call. Other compilers than gcc, clang and their kin compute without vectors, slowly. A result may differ in its last digits with the compiler, its flags, and with how many cells a call has.

Link with \`lib${name}.a -lm\`, or add \`${name}.c\` (and \`${name}.f90\`) to your program. gcc and clang want
\`-O3 -march=native -ffp-contract=fast\`; \`-ffast-math\` gains nothing, and loses the flags of NaN.

## The error to expect

${
  about.trust === null
    ? `These weights are not calibrated: the functions \`${name}_trust_…\` return \`${upper}_NOT_CALIBRATED\`. The flags say where a result is
not to be trusted, not how good it is elsewhere. \`astrochem calibrate\`, and export again.`
    : `\`expected_error\`, in dex: ${Number((100 * about.trust.level).toFixed(1))} % of states like those of the training are off by no more (mean of |log10 x − log10 truth| over
the species above 1e-12). The formula is that of astrochem's docs/trust.md, "The formula". \`${name}_emulate\` gives it of every state; a
program that steps itself keeps \`trust[n][${upper}_TRUST]\` (Fortran: \`trust(${name}_trust_size, n)\`), calls \`${name}_trust_begin\` with the
abundances that it encodes, \`${name}_trust_step\` before each step, and \`${name}_trust_correct\` after \`${name}_conserve\`. Their flags:

| bit | C | what |
|---|---|---|
${signalsOf(about)
  .map(({ name: of, bit, tells }) => `| ${bit} | \`${upper}_TRUST_${of.toUpperCase()}\` | ${tells} |`)
  .join("\n")}`
}

## Species

Indices of C; those of Fortran are larger by 1.

| index | species |
|---|---|
${species.map((each, k) => `| ${k} | ${each.replaceAll("|", "\\|")} |`).join("\n")}
`;
}
